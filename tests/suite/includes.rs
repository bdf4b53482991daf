//! Server-side includes: Python in the pages of mod_include.

use crate::fixture::{Httpd, Mpm, Server, Shared, for_each_lasting_mpm, for_each_mpm};

/// Serves .shtml files through mod_include.
fn pages(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).config("AddType text/html .shtml\nAddOutputFilter INCLUDES .shtml\nSSIErrorMsg [error]")
}

/// A shared server with this page.
fn with_page(mpm: Mpm, page: &str) -> Shared {
    let server = pages(mpm).shared();
    server.write("page.shtml", page);
    server
}

/// Serves one page, byte by byte.
fn served(page: &str) -> String {
    let server = pages(Mpm::Event).shared();
    std::fs::write(server.root().join("htdocs/page.shtml"), page).expect("a file");
    body(&server, "/page.shtml")
}

#[track_caller]
fn body(server: &Server, path: &str) -> String {
    let response = server.get(path);
    assert_eq!(response.status, 200, "{path}: {}", server.log());
    response.text()
}

for_each_mpm! {
    fn expressions_and_statements(mpm) {
        let server = with_page(mpm, r#"
            <p><!--#python eval="6 * 7" --></p>
            <!--#python exec="
            import sys
            def twice(text):
                return text * 2
            for i in range(3):
                filter.write('%d,' % i)
            " -->
            <p><!--#python eval="twice('ab')" --></p>
            <p><!--#python eval="None" --><!--#python eval="''" --><!--#python eval="0" --></p>
        "#);
        for _ in 0..3 {
            let page = body(&server, "/page.shtml");
            assert_eq!(page.replace('\n', ""), "<p>42</p>0,1,2,<p>abab</p><p>0</p>", "{}", server.log());
        }
        assert_eq!(server.log_count("MP04"), 0);
    }

    fn output_keeps_its_order(mpm) {
        let server = with_page(mpm, concat!(
            "1<!--#python exec=\"filter.write('2')\" -->3<!--#include virtual=\"/part.shtml\" -->4",
            "<!--#python exec=\"filter.write('5'); filter.flush(); filter.write(b'6')\" -->7",
            "<!--#echo var=\"DOCUMENT_NAME\" -->8<!--#include virtual=\"/plain.txt\" -->9",
            "<!--#python eval=\"bytearray(b'x').decode()\" -->.",
        ));
        server.write("part.shtml", r#"[part <!--#python eval="filter.req.main.uri" -->]"#);
        server.write("plain.txt", "plain");
        let page = body(&server, "/page.shtml");
        assert_eq!(page.replace('\n', ""), "123[part /page.shtml]4567page.shtml8plain9x.", "{}", server.log());
    }

    fn a_tag_writes_megabytes(mpm) {
        let server = with_page(mpm, concat!(
            "<<!--#python exec=\"",
            "for i in range(3 * 64):\n filter.write(b'0123456789abcdef' * 1024)\n",
            "\" -->|<!--#python eval=\"'x' * (3 << 20)\" -->>",
        ));
        let response = server.get("/page.shtml");
        let expected = format!("<{}|{}>\n", "0123456789abcdef".repeat(3 << 16), "x".repeat(3 << 20));
        assert_eq!(response.body.len(), expected.len(), "{}", server.log());
        assert!(response.text() == expected, "the pieces are in order");
    }

    fn a_tag_that_fails_is_a_part_of_the_page(mpm) {
        let server = with_page(mpm, concat!(
            "a<!--#python eval=\"no_such_name\" -->b<!--#python exec=\"filter.write('half'); 1/0\" -->c",
            "<!--#python exec=\"raise SystemExit\" -->d<!--#python eval=\"1 +\" -->e<!--#python exec=\"  x = 1\n y = 2\" -->f",
            "<!--#python eval=\"'fine'\" -->g",
        ));
        let page = body(&server, "/page.shtml");
        assert_eq!(page, "a[error]bhalf[error]c[error]d[error]e[error]ffineg\n");
        assert_eq!(body(&server, "/page.shtml"), page, "the child lives");

        let first = &server.log_lines("MP0418")[..5];
        let texts = ["NameError: name 'no_such_name'", "ZeroDivisionError", "SystemExit", "SyntaxError", "IndentationError"];
        for (entry, text) in first.iter().zip(texts) {
            assert!(entry.contains(text) && entry.contains("/page.shtml in interpreter 'localhost' raised"), "{entry}");
        }
        assert_eq!(server.log_count("Traceback (most recent call last)"), 2 * 5);
        assert_eq!(server.log_count("error: MP0418"), 0, "no entry within another");
    }
}

for_each_lasting_mpm! {
    fn tags_at_once_have_globals_of_their_own(mpm) {
        let server = pages(mpm)
            .children(1)
            .file("page.shtml", concat!(
                "<!--#python exec=\"import time; mine = filter.req.args; time.sleep(0.02)\" -->",
                "<!--#python eval=\"mine\" --> <!--#python eval=\"sorted(name for name in globals() if name[:1] != '_')\" -->",
            ))
            .start();
        let responses = server.parallel(12, |i| server.request("GET", format!("/page.shtml?{i}")));
        for (i, response) in responses.iter().enumerate() {
            assert_eq!(response.text(), format!("{i} ['filter', 'mine', 'time']\n"));
        }
    }
}

#[test]
fn all_tags_of_a_request_share_their_globals() {
    let server = pages(Mpm::Event)
        .file(
            "lib/fixed.py",
            r#"
            from mod_python import apache

            def fixuphandler(req):
                if req.args == "filled":
                    req.ssi_globals = {"greeting": "hello"}
                return apache.OK
            "#,
        )
        .file(
            "page.shtml",
            concat!(
                "<!--#python exec=\"import os.path\ncount = 1\" --><!--#python exec=\"count += 1\" -->",
                "<!--#python eval=\"count\" --> <!--#python eval=\"globals().get('greeting')\" --> ",
                "<!--#python eval=\"os.path.basename(__file__)\" --> ",
                "<!--#python eval=\"__file__ == filter.req.filename and filter.req.ssi_globals is globals()\" --> ",
                "<!--#python exec=\"def late():\n    return filter.name\" --><!--#python eval=\"late()\" -->",
            ),
        )
        .config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"\nPythonFixupHandler fixed")
        .start();
    assert_eq!(body(&server, "/page.shtml?filled"), "2 hello page.shtml True includes\n");
    // A request's own: the next one begins anew
    assert_eq!(body(&server, "/page.shtml"), "2  page.shtml True includes\n");
}

#[test]
fn the_filter_is_there_during_the_tag_only() {
    let server = with_page(
        Mpm::Event,
        concat!(
            "<!--#python exec=\"",
            "import builtins\nkept = filter\n",
            "facts = [filter.is_input, filter.closed, filter.name, filter.handler, filter.dir, filter.softspace, filter.read(), filter.readline()]",
            "\" --><!--#python eval=\"facts\" -->|",
            // The next tag has a filter of its own
            "<!--#python exec=\"\ntry:\n    kept.write('late')\nexcept RuntimeError as error:\n    filter.write('no longer valid' in str(error) and 'refused' or str(error))\" -->|",
            // To close it ends what the tag can write, not the page
            "<!--#python exec=\"filter.write('x'); filter.close(); filter.write('y')\" -->|rest",
        ),
    );
    let page = body(&server, "/page.shtml");
    assert_eq!(page, "[0, 0, 'includes', None, None, 0, b'', b'']|refused|x[error]|rest\n", "{}", server.log());
    assert!(server.log_lines("MP0418")[0].contains("ValueError: I/O operation on closed filter"));
}

#[test]
fn code_is_read_as_written() {
    // CR LF, entities, quotes, several lines, blanks around an expression
    let page = concat!(
        "<!--#python exec='\r\nif 1 &lt; 2:\r\n    for name in \"&lt;&amp;&gt;\":\r\n        filter.write(name)\r\n' -->,",
        "<!--#python eval=\"  (3 +\r\n  4) and 'ok&#33;'  \" -->,",
        "<!--#python eval='\"single\"' -->,<!--#python eval=\"'a\\\"b'\" -->,<!--#python eval=`1+1` -->,",
        "<!--#python eval=\"'&quot;'\" -->,<!--#python EVAL=\"4\" -->",
    );
    assert_eq!(served(page), "<&>,ok!,single,a\"b,2,\",4");
}

#[test]
fn what_is_not_printed_is_not_run() {
    let server = with_page(
        Mpm::Event,
        concat!(
            "<!--#set var=\"is\" value=\"yes\" -->",
            "<!--#if expr=\"v('is') = 'no'\" --><!--#python exec=\"filter.write('A'); ran = 1\" -->",
            "<!--#python nonsense=\"x\" --><!--#else -->",
            "<!--#python exec=\"filter.write('B')\" --><!--#endif -->",
            "<!--#if expr=\"v('is') = 'yes'\" --><!--#python eval=\"'ran' in globals()\" --><!--#endif -->",
        ),
    );
    assert_eq!(body(&server, "/page.shtml"), "BFalse\n", "{}", server.log());
    assert_eq!(server.log_count("MP04"), 0);
}

#[test]
fn where_pages_may_not_run_code_tags_do_not() {
    let server = pages(Mpm::Event)
        .file("strict/page.shtml", "a<!--#python eval=\"1\" -->b<!--#python exec=\"filter.write('2')\" -->c<!--#echo var=\"DOCUMENT_NAME\" -->")
        .file("loose/page.shtml", "<!--#python eval=\"1\" -->")
        .config("<Directory ${HTDOCS}/strict>\n    Options +IncludesNoExec\n</Directory>")
        .start();
    assert_eq!(body(&server, "/strict/page.shtml"), "a[error]b[error]cpage.shtml\n");
    let entries = server.log_lines("MP0416");
    assert_eq!(entries.len(), 2);
    assert!(entries[0].contains("/strict/page.shtml") && entries[0].contains("IncludesNoExec"), "{}", entries[0]);
    assert_eq!(body(&server, "/loose/page.shtml"), "1\n");
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    let server = pages(Mpm::Event).shared();
    for (tag, problem) in [
        ("", "it has no parameter"),
        ("eval", "eval is empty"),
        ("eval=\"\"", "eval is empty"),
        ("exec=\"\"", "exec is empty"),
        ("run=\"1\"", "'run' is not known"),
        ("eval=\"1\" eval=\"2\"", "eval follows another eval or exec"),
        ("eval=\"1\" exec=\"x = 1\"", "exec follows another eval or exec"),
        ("exec=\"x = 1\" run=\"1\"", "'run' is not known"),
        ("run=\"1\" eval=\"1\"", "'run' is not known"),
        ("eval=\"filter.write('ran')\" other=\"\"", "other is empty"),
    ] {
        server.forget_log();
        server.write("page.shtml", format!("a<!--#python {tag} -->b<!--#python eval=\"1\" -->c"));
        assert_eq!(body(&server, "/page.shtml"), "a[error]b1c\n", "{tag}");
        let entries = server.log_lines("MP0417");
        assert_eq!(entries.len(), 1, "{tag}: {entries:?}");
        assert!(entries[0].contains(problem) && entries[0].contains("/page.shtml"), "{tag}: {}", entries[0]);
    }
}

#[test]
fn with_python_debug_the_traceback_is_in_the_page() {
    const TAG: &str = "<!--#python exec=\"filter.write('x')\nraise ValueError('&lt;why&gt;')\" -->b";
    let server = pages(Mpm::Event).file("page.shtml", TAG).config("PythonDebug On").start();
    let response = server.get("/page.shtml");
    let page = response.text();
    assert!(page.starts_with("x\n<pre>\nMod_python error: \"&lt;!--#python --&gt; in "), "{page}");
    assert!(page.contains("ValueError: &lt;why&gt;\n</pre>\n[error]b\n"), "{page}");
    assert!(page.contains("page.shtml&quot;, line 2, in &lt;module&gt;"), "{page}");
    // mod_include has let the status go out before the first tag
    assert_eq!((response.status, response.header("Content-Type")), (200, Some("text/html")));
    assert_eq!(server.log_count("MP0418"), 1);
}

#[test]
fn the_interpreter_is_chosen_as_for_handlers_without_a_directive() {
    let page = "<!--#python exec=\"from mod_python import apache\" --><!--#python eval=\"apache.interpreter == filter.req.interpreter and apache.interpreter\" -->";
    let server = pages(Mpm::Event)
        .file("plain/page.shtml", page)
        .file("named/page.shtml", page)
        .file("directory/deep/page.shtml", page)
        .file("directive/page.shtml", page)
        .config(
            r#"
            <Directory ${HTDOCS}/named>
                PythonInterpreter mine
            </Directory>
            <Directory ${HTDOCS}/directory>
                PythonInterpPerDirectory On
            </Directory>
            <Directory ${HTDOCS}/directive>
                PythonInterpPerDirective On
            </Directory>
            "#,
        )
        .start();
    let htdocs = server.root().join("htdocs");
    let deep = format!("{}/directory/deep/", htdocs.display());
    for (folder, name) in
        [("plain", "localhost"), ("named", "mine"), ("directory/deep", &deep), ("directive", "main_interpreter")]
    {
        assert_eq!(body(&server, &format!("/{folder}/page.shtml")), format!("{name}\n"), "{folder}");
    }
}

#[test]
fn the_python_path_is_that_of_the_page() {
    let server = pages(Mpm::Event)
        .file("lib/shop.py", "name = 'the shop'\n")
        .file("page.shtml", "<!--#python exec=\"import shop\" --><!--#python eval=\"shop.name\" -->")
        .file("other/page.shtml", "<!--#python exec=\"import shop\" -->")
        .file("wrong/page.shtml", "a<!--#python eval=\"1\" -->b")
        .config(
            r#"
            PythonPath "['${HTDOCS}/lib'] + sys.path"
            <Directory ${HTDOCS}/other>
                PythonInterpreter other
                PythonPath "['/nowhere'] + sys.path"
            </Directory>
            <Directory ${HTDOCS}/wrong>
                PythonInterpreter wrong
                PythonPath "no_such_thing"
            </Directory>
            "#,
        )
        .start();
    assert_eq!(body(&server, "/page.shtml"), "the shop\n", "{}", server.log());
    assert_eq!(body(&server, "/other/page.shtml"), "[error]\n");
    assert!(server.log_lines("MP0418")[0].contains("ModuleNotFoundError: No module named 'shop'"));
    server.forget_log();
    assert_eq!(body(&server, "/wrong/page.shtml"), "a[error]b\n");
    assert!(server.log_lines("MP0418")[0].contains("no_such_thing"), "{}", server.log());
}

#[test]
fn pages_within_pages_have_requests_of_their_own() {
    let server = with_page(
        Mpm::Event,
        concat!(
            "<!--#python exec=\"x = 1\" -->{<!--#include virtual=\"/inner.shtml\" -->}",
            "{<!--#include virtual=\"/inner.shtml\" -->}{<!--#include file=\"missing.shtml\" -->}",
            "<!--#python eval=\"x, filter.req.uri\" -->",
        ),
    );
    server.write("inner.shtml", "<!--#python exec=\"x = globals().get('x', 0) + 10\" --><!--#python eval=\"x, filter.req.uri, filter.req.main is not None\" -->");
    server.write("missing.shtml", "<!--#python eval=\"1/0\" -->");
    let page = body(&server, "/page.shtml").replace('\n', "");
    assert_eq!(
        page,
        "{(10, '/inner.shtml', True)}{(10, '/inner.shtml', True)}{[error]}(1, '/page.shtml')",
        "{}",
        server.log()
    );
}

#[test]
fn a_page_in_any_encoding_stays_as_it_is() {
    let mut page = b"caf\xe9 <!--#python eval=\"'\xe9'.encode('latin-1') == b'\\xe9'\" -->".to_vec();
    page.extend_from_slice(b"<!--#python exec=\"filter.write(b'\\xe9'); filter.write('\xe9')\" --> \xff\xfe\x80");
    let utf8 = "é <!--#python eval=\"'é' + chr(0x20ac)\" -->".as_bytes();
    let server = pages(Mpm::Event).binary_file("latin.shtml", page).binary_file("utf8.shtml", utf8).start();
    assert_eq!(server.get("/latin.shtml").body, b"caf\xe9 True\xe9\xc3\xa9 \xff\xfe\x80", "{}", server.log());
    assert_eq!(body(&server, "/utf8.shtml"), "é é€");
}

#[test]
fn without_mod_include_the_module_serves_all_the_same() {
    let mut httpd =
        Httpd::new(Mpm::Event).handler("hello", "def handler(req):\n    req.write('hello')\n    return 0\n");
    httpd = httpd.without_module("include").file("page.shtml", "<!--#python eval=\"1\" -->");
    let server = httpd.start();
    assert_eq!(body(&server, "/hello"), "hello");
    assert_eq!(body(&server, "/page.shtml"), "<!--#python eval=\"1\" -->\n");
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

#[test]
fn a_restart_registers_the_tag_again() {
    let server = pages(Mpm::Event).file("page.shtml", "<!--#python eval=\"6 * 7\" -->").start();
    assert_eq!(body(&server, "/page.shtml"), "42\n");
    server.graceful();
    assert_eq!(body(&server, "/page.shtml"), "42\n");
    server.restart();
    assert_eq!(body(&server, "/page.shtml"), "42\n");
}

#[test]
fn a_client_that_goes_away_is_no_error_of_the_page() {
    let server = pages(Mpm::Prefork)
        .children(1)
        .file("page.shtml", "<!--#python exec=\"\nfor i in range(64):\n    filter.write(b'x' * (1 << 20))\" -->")
        .start();
    let mut connection = server.raw();
    connection.send(server.request("GET", "/page.shtml").to_bytes());
    connection.read_bytes(1000);
    connection.abort();
    server.wait_for_log("MP0414", 1);
    assert_eq!(server.log_count("MP0418"), 0, "{}", server.log());
}

#[test]
fn what_is_written_to_the_request_itself_stands_in_its_place() {
    let page = "a<!--#python exec=\"filter.write('1'); filter.req.write('2'); filter.write('3'); filter.req.flush()\" -->b<!--#python eval=\"4\" -->c";
    assert_eq!(served(page), "a123b4c");
}

/// A filter behind the page runs while a tag flushes: what it writes to the request is not the page's.
#[test]
fn what_a_filter_behind_the_page_writes_to_the_request_is_not_the_tags() {
    let server = pages(Mpm::Event)
        .config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"\nPythonOutputFilter behind BEHIND\n<Files page.shtml>\n    SetOutputFilter INCLUDES;BEHIND\n</Files>")
        .file(
            "lib/behind.py",
            "
            def outputfilter(filter):
                while piece := filter.read():
                    filter.req.write('<')
                    filter.write(piece.replace(b'x', b'X'))
                if piece is None:
                    filter.close()
            ",
        )
        .binary_file("page.shtml", "<!--#python exec=\"filter.write('x1'); filter.flush(); filter.req.write('x2')\" -->")
        .start();
    let page = body(&server, "/page.shtml");
    // mod_include, in the midst of the page, cannot take more of it.
    assert_eq!(page, "X1X2");
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}
