//! `mod_python.psp`: pages and templates, their errors, and the parser beside mod_python's.

use crate::common::checks::{passed, sharing};
use crate::fixture::{Httpd, Mpm, Shared, debians_mod_python, for_each_mpm, logged_nothing, not_tested};

const CONFIG: &str = r#"
    DirectoryIndex disabled
    <Directory "${HTDOCS}/pages">
        AddHandler mod_python .psp .psp_
        PythonHandler mod_python.psp
    </Directory>
    <Directory "${HTDOCS}/pages/debug">
        PythonDebug On
    </Directory>
"#;

/// A server of pages, with these, below /pages.
fn pages(mpm: Mpm, files: &[(&str, &str)]) -> Shared {
    let server = Httpd::new(mpm).config(CONFIG).shared();
    for (name, text) in files {
        std::fs::create_dir_all(server.root().join("htdocs/pages/debug")).expect("a folder");
        std::fs::write(server.root().join("htdocs/pages").join(name), text).expect("a page");
    }
    server
}

/// Waits for an entry of the log that has these parts, in this order.
#[track_caller]
fn logged(server: &Shared, parts: &[&str]) {
    let lines = server.wait_for_log(parts[parts.len() - 1], 1);
    let has_all = |line: &String| {
        let mut rest = line.as_str();
        parts.iter().all(|part| match rest.split_once(part) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    };
    assert!(lines.iter().any(has_all), "{parts:?} is not in {lines:#?}");
}

/// What a page answers.
#[track_caller]
fn served(server: &Shared, name: &str) -> String {
    let response = server.get(&format!("/pages/{name}"));
    assert_eq!(response.status, 200, "{name}: {}", server.log());
    response.text()
}

for_each_mpm! {
    fn a_page_is_text_with_code_in_it(mpm) {
        let server = pages(mpm, &[("a.psp", concat!(
            "<html>\n<%\nimport sys\nfor n in range(3):\n    # This indentation goes on\n%>\n",
            "<p class=\"x\">\\n <%= n * 2 %> é</p>\n<%\n# and ends here\n%>\n<%-- nothing <%= 1 / 0 %> --%></html>",
        ))]);
        for _ in 0..3 {
            let response = server.get("/pages/a.psp");
            assert_eq!((response.status, response.header("Content-Type")), (200, Some("text/html")));
            let row = |n: i32| format!("\n<p class=\"x\">\\n {n} é</p>\n");
            assert_eq!(response.text(), format!("<html>\n{}{}{}\n</html>", row(0), row(2), row(4)));
        }
        logged_nothing(&server);
    }

    fn a_page_has_names_to_use(mpm) {
        let server = pages(mpm, &[("a.psp", concat!(
            "<%= psp.req is req %> <%= psp.filename == req.filename == __file__ %> <%= os.path.basename(psp.filename) %> ",
            "<%= apache.HTTP_OK %> <%= escape('<\">') %> <%= parsestring('x').strip() %> <%= types.__name__ %> ",
            "<%= isinstance(psp, PSPInterface) %> <%= path_split(req.filename)[1] %> <%= _psp.parse is parse %>",
        ))]);
        let wanted = "True True a.psp 200 &lt;&quot;&gt; req.write(\"\"\"x\"\"\",0) types True a.psp True";
        assert_eq!(served(&server, "a.psp"), wanted);
    }

    fn a_page_that_changes_is_compiled_again(mpm) {
        let server = pages(mpm, &[("i.inc", "one"), ("a.psp", "<%@ include file=\"i.inc\" %> <% x = 1 %><%= x %>")]);
        assert_eq!(served(&server, "a.psp"), "one 1");
        server.write("pages/i.inc", "another one");
        assert_eq!(served(&server, "a.psp"), "another one\n 1");
        server.write("pages/a.psp", "new <%= __name__ %>");
        assert_eq!(served(&server, "a.psp"), "new mod_python.psp\n");
        std::fs::remove_file(server.root().join("htdocs/pages/a.psp")).expect("it is there");
        assert_eq!(server.get("/pages/a.psp").status, 404);
    }

    fn many_ask_for_pages_at_once(mpm) {
        let text = "<%\nfor n in range(200):\n%><%= req.args %>,<%= n %>;<%\n\n%>";
        let server = pages(mpm, &[("a.psp", text), ("b.psp", &format!("b{text}"))]);
        let answers = server.parallel(24, |n| server.request("GET", format!("/pages/{}.psp?{n}", if n % 2 == 0 { "a" } else { "b" })));
        for (n, answer) in answers.iter().enumerate() {
            let rows: String = (0..200).map(|row| format!("{n},{row};")).collect();
            let head = if n % 2 == 0 { "" } else { "b" };
            assert_eq!(answer.text(), format!("{head}{rows}"), "{}", server.log());
        }
    }

    fn templates_take_variables(mpm) {
        let (server, path) = sharing(mpm, r#"
            import os
            import tempfile
            from mod_python import psp

            def check(req):
                with tempfile.TemporaryDirectory() as folder:
                    show(req, folder + "/")

            def show(req, folder):
                def made(name, text):
                    with open(folder + name + ".new", "w") as file:
                        file.write(text)
                    os.rename(folder + name + ".new", folder + name)
                    return folder + name
                wrote = []
                class Request:
                    filename = folder + "page"
                    content_type = None
                    def write(self, text, flush=1):
                        wrote.append(text)
                    def flush(self):
                        wrote.append("|")
                fake = Request()
                made("t.tmpl", "[<%= a %> <%= b %>]")
                template = psp.PSP(fake, filename="t.tmpl", vars={"a": 1})
                template.run({"b": 2})
                template.run({"a": 3, "b": 4}, flush=1)
                assert "".join(wrote) == "[1 2][3 4]|", wrote
                assert template.filename == folder + "t.tmpl" and template.code.co_filename == template.filename
                assert (template.req, template.string, template.vars) == (fake, None, {"a": 1})
                raises(NameError, template.run, says="'b' is not defined")

                wrote.clear()
                inner = psp.PSP(fake, string="inner <%= x %>", vars={"x": 5})
                psp.PSP(fake, string=b"a <%= inner %> b").run({"inner": inner})
                assert "".join(wrote) == "a inner 5 b" and str(inner) == "" and fake.content_type == "text/html"

                wrote.clear()
                psp.PSP(fake, string="x\n<%= 1 %>").display_code()
                assert "req.write(str(" in wrote[0] and "<table>" in wrote[0]

                raises(ValueError, psp.PSP, fake, "t.tmpl", "text", says="not both")
                raises(TypeError, psp.PSP, fake, None, 5)
                raises(apache.SERVER_RETURN, psp.PSP, fake, "missing.tmpl")
                # The caches are this interpreter's and bounded
                from mod_python import _psp_pages
                for n in range(1200):
                    psp.PSP(fake, string=f"text {n}")
                assert len(_psp_pages.by_text.pages) <= 512, len(_psp_pages.by_text.pages)
        "#);
        passed(&server, &server.get(&path));
    }

    fn a_page_that_fails_is_a_500_with_its_line_in_the_log(mpm) {
        let server = pages(mpm, &[
            ("a.psp", "one\n<%-- two\nthree --%>four\n<%\ndef f(x):\n    return 1 / x\n\n%>\n<%= f(0) %>\n"),
            ("b.psp", "<%@ include file=\"c.inc\" %>"),
            ("c.inc", "\n\n<%= undefined %>"),
            ("late.psp", "sent <% req.flush() %>\n<% raise ValueError('late') %>lost"),
        ]);
        assert_eq!(server.get("/pages/a.psp").status, 500);
        server.wait_for_log("a.psp\", line 9, in <module>", 1);
        server.wait_for_log("a.psp\", line 6, in f", 1);
        server.wait_for_log("return 1 / x", 1);
        assert_eq!(server.get("/pages/b.psp").status, 500);
        server.wait_for_log("b.psp\", line 1, in <module>", 1);
        server.wait_for_log("c.inc\", line 3, in <module>", 1);
        let late = server.request("GET", "/pages/late.psp").try_send().expect_err("it is cut off");
        assert_eq!(late.partial().map(|partial| (partial.status, partial.text())), Some((200, "sent \n".into())));
        server.wait_for_log("ValueError: late", 2);
    }

    fn an_error_page_is_shown_in_the_place_of_a_page_that_fails(mpm) {
        let server = pages(mpm, &[
            ("a.psp", "begun <% psp.set_error_page('error.psp') %><%= {}['x'] %>lost"),
            ("root.psp", "<% psp.set_error_page('/pages/error.psp') %><%= psp.error_page.filename == req.filename.replace('root', 'error') %> <% 1 / 0 %>"),
            ("error.psp", "<% req.status = 503 %>sorry: <%= exception[0].__name__ %>, <%= exception[1] %>, line <%= exception[2].tb_next is None %>"),
            ("bad.psp", "<% psp.set_error_page('worse.psp'); 1 / 0 %>"),
            ("worse.psp", "half a page <% psp.set_error_page('worse.psp') %><%= [][1] %>"),
            ("none.psp", "<% psp.set_error_page('absent.psp') %>fine<%\nif req.args:\n    raise ValueError('unseen')\n\n%>"),
        ]);
        let answer = server.get("/pages/a.psp");
        assert_eq!((answer.status, answer.text().as_str()), (503, "begun sorry: KeyError, 'x', line False"));
        server.wait_for_log("MP0531", 1);
        server.wait_for_log("KeyError: 'x'", 1);
        let answer = server.get("/pages/root.psp");
        assert_eq!((answer.status, answer.text().starts_with("True sorry: ZeroDivisionError")), (503, true));
        // An error in an error page
        assert_eq!(server.get("/pages/bad.psp").status, 500);
        logged(&server, &["MP0532", "has failed itself"]);
        server.wait_for_log("worse.psp\", line 1", 1);
        assert_eq!(served(&server, "none.psp"), "fine");
        assert_eq!(server.get("/pages/none.psp?fail").status, 500);
        logged(&server, &["MP0532", "absent.psp is no file"]);
        server.wait_for_log("ValueError: unseen", 1);
    }

    fn a_page_can_answer_otherwise(mpm) {
        let server = pages(mpm, &[
            ("404.psp", "text <% raise apache.SERVER_RETURN(apache.HTTP_NOT_FOUND) %>"),
            ("own.psp", "<%\nreq.status = 410\nreq.content_type = 'text/plain'\nreq.headers_out['X-Page'] = 'own'\n%>gone"),
        ]);
        assert_eq!(server.get("/pages/404.psp").status, 404);
        let own = server.get("/pages/own.psp");
        assert_eq!((own.status, own.header("X-Page"), own.header("Content-Type"), own.text().as_str()), (410, Some("own"), Some("text/plain"), "gone"));
        assert_eq!(server.get("/pages/missing.psp").status, 404);
        assert_eq!(server.request("HEAD", "/pages/own.psp").send().status, 410);
        logged_nothing(&server);
    }
}

/// `mod_python.util` and `mod_python.Session` as a page uses them, and what was done with them.
const STAND_INS: &str = r#"
import sys
import types

from mod_python import apache, psp

done = []

class Session(dict):
    def __init__(self, req):
        done.append("session")
    def save(self):
        done.append(f"save {dict(self)}")
    def unlock(self):
        done.append("unlock")

def redirect(req, location, permanent=0, text=None):
    req.headers_out["Location"] = location
    req.status = apache.HTTP_MOVED_PERMANENTLY if permanent else apache.HTTP_MOVED_TEMPORARILY
    raise apache.SERVER_RETURN(apache.DONE)

def handler(req):
    for name, content in {
        "Session": {"Session": Session},
        "util": {
            "FieldStorage": lambda req, keep_blank_values: {"name": req.args},
            "apply_fs_data": lambda object, form, **kw: object(**form, **kw),
            "redirect": redirect,
        },
    }.items():
        module = sys.modules["mod_python." + name] = types.ModuleType("mod_python." + name)
        vars(module).update(content)
        vars(psp).pop(name, None)
    del done[:]
    try:
        return psp.handler(req)
    finally:
        req.headers_out["X-Done"] = ", ".join(done)
        req.headers_out["X-Left"] = str(hasattr(req, "session"))
"#;

for_each_mpm! {
    fn forms_and_sessions_are_made_for_pages_that_name_them(mpm) {
        let server = Httpd::new(mpm).shared();
        let path = server.add_handler(STAND_INS);
        let page = |name: &str, text: &str| server.write(format!("{path}/{name}").trim_start_matches('/'), text);
        page("form.psp", "<%= form['name'] %> <%= req.form is form is psp.form %>");
        page("apply.psp", "<%\ndef show(name, more):\n    return name + more\n\n%><%= psp.apply_data(show, more='!') %>");
        page("session.psp", "<% session['n'] = 1 %><%= req.session is session %>");
        page("redirect.psp", "<% session['n'] = 2; psp.redirect('/else', permanent=1) %>");
        page("fails.psp", "<% session['n'] = 3; 1 / 0 %>");
        page("none.psp", "neither session nor form");
        let get = |name: &str| {
            let answer = server.get(&format!("{path}/{name}"));
            let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
            (answer.status, answer.text().trim_end().to_owned(), header("X-Done"), header("X-Left"), header("Location"))
        };
        let made = |status, text: &str, done: &str, to: &str| (status, text.to_owned(), done.to_owned(), "False".to_owned(), to.to_owned());
        assert_eq!(get("form.psp?a"), made(200, "a True", "", ""));
        assert_eq!(get("apply.psp?b"), made(200, "b!", "", ""));
        assert_eq!(get("session.psp"), made(200, "True", "session, save {'n': 1}, unlock", ""));
        assert_eq!(get("none.psp"), made(200, "neither session nor form", "", ""));
        let answer = get("redirect.psp");
        assert_eq!((answer.0, answer.2.as_str(), answer.4.as_str()), (301, "session, save {'n': 2}, unlock", "/else"));
        assert_eq!(get("fails.psp").0, 500);
    }
}

/// What is wrong with a page: the text of it, and what the log has to say.
#[test]
fn a_page_that_is_no_page_is_an_error_with_its_line() {
    let wrong: [(&str, &[u8], &[&str]); 14] = [
        ("value", b"a\n<%= x", &["value.psp\", line 2"]),
        ("comment", b"a\n\n<%-- x", &["comment.psp\", line 3"]),
        ("directive", b"<%@ include file=\"x\"", &["directive.psp\", line 1"]),
        ("code", b"a\n<% x = 1\n<b>text</b>", &["code.psp\", line 2"]),
        ("mixed", b"<%\nif 1:\n        x = 1\n\ty = 2\n%>", &["mixed.psp\", line 4"]),
        ("nul", b"a\nb\0c", &["nul.psp\", line 2"]),
        ("latin", b"a\nb\n\nc\xe9d", &["latin.psp\", line 4"]),
        ("syntax", b"a\n<%-- \n\n --%><% x = = 1 %>", &["syntax.psp\", line 4"]),
        ("escape", b"\n<%= 1 %> \\N{NO SUCH NAME}", &["escape.psp\", line 2"]),
        ("missing", b"\n<%@ include file=\"none.inc\" %>", &["included by", "missing.psp, line 2", "none.inc"]),
        ("folder", b"\n<%@ include file=\"debug\" %>", &["Is a directory; included by", "folder.psp, line 2"]),
        ("nameless", b"<%@ include none.inc %>", &["the include names no file"]),
        ("loop", b"<%@ include file=\"loop.psp\" %>", &["loop.psp\", line 1"]),
        ("return", b"\n<% return 1 %>", &["return.psp\", line 2"]),
    ];
    let server = pages(Mpm::Event, &[("debug/x", "")]);
    for (name, text, parts) in wrong {
        let path = format!("/pages/debug/{name}.psp");
        for folder in ["pages", "pages/debug"] {
            std::fs::write(server.root().join(format!("htdocs/{folder}/{name}.psp")), text).expect("a page");
        }
        std::fs::create_dir_all(server.root().join("htdocs/pages/debug/debug")).expect("a folder");
        server.forget_log();
        let shown = server.get(&path);
        assert_eq!(shown.status, 500, "{name}");
        assert!(shown.text().contains("Mod_python error"), "{name}: {}", shown.text());
        logged(&server, parts);
        assert_eq!(server.get(&format!("/pages/{name}.psp")).status, 500, "{name}");
    }
    server.forget_log();
    assert_eq!(server.get("/pages/debug/nul.psp_").status, 500);
}

#[test]
fn includes_can_be_absolute_and_deep() {
    let server = pages(Mpm::Prefork, &[("x", "")]);
    let folder = server.root().join("htdocs/pages");
    let put = |name: String, text: String| std::fs::write(folder.join(name), text).expect("a page");
    put("part.inc".into(), "part <%= x %>".into());
    put("absolute.psp".into(), format!("<% x = 1 %><%@ include file=\"{}/part.inc\" %>!", folder.display()));
    assert_eq!(served(&server, "absolute.psp"), "part 1!");
    for depth in 0..70 {
        put(format!("deep{depth}"), format!("{depth} <%@ include file=\"deep{}\" %>", depth + 1));
    }
    put("deep60".into(), "end".into());
    put("deep.psp".into(), "<%@ include file=\"deep0\" %>".into());
    assert!(served(&server, "deep.psp").ends_with("58 59 end"));
    put("deep60".into(), "60 <%@ include file=\"deep61\" %>".into());
    assert_eq!(server.get("/pages/deep.psp").status, 500);
    logged(&server, &["more than 64 deep: ", "deep63 includes ", "deep64"]);
}

#[test]
fn a_page_that_may_not_be_read_is_forbidden() {
    use std::os::unix::fs::PermissionsExt;
    let server = pages(Mpm::Event, &[("hidden.psp", "secret"), ("hides.psp", "<%@ include file=\"hidden.psp\" %>")]);
    let file = server.root().join("htdocs/pages/hidden.psp");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).expect("our own file");
    let answer = server.get("/pages/hidden.psp");
    // Who runs the tests as root and httpd too can read everything
    if answer.status == 200 {
        return;
    }
    assert_eq!(answer.status, 403);
    server.wait_for_log("MP0533", 1);
    assert_eq!(server.get("/pages/hides.psp").status, 500);
    logged(&server, &["Permission denied; included by ", "hides.psp, line 1"]);
}

#[test]
fn the_code_of_a_page_is_shown_under_debug() {
    let server = pages(Mpm::Event, &[("debug/a.psp", "<b>\n<%= x %>\n"), ("a.psp", "x")]);
    let shown = served(&server, "debug/a.psp_");
    assert!(shown.contains("&lt;b&gt;") && shown.contains("req.write(str(&nbsp;x&nbsp;),0)"), "{shown}");
    assert!(!shown.contains("<b>"), "{shown}");
    assert_eq!(server.get("/pages/a.psp_").status, 404);
    assert_eq!(server.get("/pages/debug/absent.psp_").status, 404);
}

#[test]
fn pages_of_any_text_do_not_harm_the_child() {
    let server = pages(Mpm::Event, &[("x", "")]);
    let children = server.child_pids();
    let mut random = Random(7);
    for round in 0..150 {
        let text = random.page(&ANY);
        std::fs::write(server.root().join("htdocs/pages/any.psp"), &text).expect("a page");
        let status = server.get("/pages/any.psp").status;
        assert!(matches!(status, 200 | 500), "{round}: {status} for {}", String::from_utf8_lossy(&text));
    }
    assert_eq!(server.child_pids(), children);
}

/// Pieces of pages.
const ANY: [&[u8]; 24] = [
    b"<%",
    b"%>",
    b"<%=",
    b"<%--",
    b"--%>",
    b"<%@ x %>",
    b"\n",
    b"\n",
    b" ",
    b"\t",
    b":",
    b":\n",
    b"a",
    b"\"",
    b"\\",
    b"\\n",
    b"#",
    b"\xc3\xa9",
    b"x=1\n",
    b"%>\n",
    b"<%\n",
    b"\r\n",
    b"<%@ include file=\"any.psp\" %>",
    b"\xff",
];

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn page(&mut self, pieces: &[&[u8]]) -> Vec<u8> {
        (0..self.below(20)).flat_map(|_| pieces[self.below(pieces.len())].to_vec()).collect()
    }
}

/// Sends pages, one a line of a body, to a handler that answers with their sources, likewise.
const SOURCES: &str = r#"
    from mod_python import apache, psp

    def handler(req):
        sources = []
        for line in req.read().decode("ascii").split("\n"):
            try:
                source = psp.parsestring(bytes.fromhex(line))
            except Exception as error:
                source = "error: " + type(error).__name__
            sources.append(source.encode("utf-8").hex())
        req.write("\n".join(sources))
        return apache.OK
"#;

#[test]
fn the_sources_are_those_of_mod_python() {
    let Some(peer) = debians_mod_python() else {
        return not_tested("mod_python 3.5 is not installed (Debian 12: libapache2-mod-python)");
    };
    let httpd = Httpd::new(Mpm::Prefork).children(2).handler("sources", SOURCES);
    let (ours, theirs) = (httpd.start(), httpd.peer(peer).start());
    // Without what it crashes at, or takes for text
    let pieces: Vec<&[u8]> =
        ANY.into_iter().filter(|piece| !piece.contains(&b'\xff') && !piece.starts_with(b"<%@ inc")).collect();
    let mut random = Random(11);
    let pages: Vec<Vec<u8>> = (0..2000).map(|_| random.page(&pieces)).collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let body = pages.iter().map(|page| hex(page)).collect::<Vec<_>>().join("\n");
    let ask = |server: &crate::fixture::Server| {
        let answer = server.request("POST", "/sources").body(&body).send();
        assert_eq!(answer.status, 200, "{}", server.log());
        answer.text().split('\n').map(String::from).collect::<Vec<_>>()
    };
    let (ours, theirs) = (ask(&ours), ask(&theirs));
    let (mut same, mut refused) = (0, 0);
    for ((page, ours), theirs) in pages.iter().zip(&ours).zip(&theirs) {
        let text = |hex: &str| {
            let bytes = (0..hex.len() / 2).filter_map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok());
            String::from_utf8(bytes.collect()).expect("sources are text")
        };
        let (ours, theirs) = (text(ours), text(theirs));
        if ours.starts_with("error: SyntaxError") {
            // A tag that is not closed: its source there ends in the midst of it
            refused += 1;
        } else if ends_alike(&ours) == ends_alike(&theirs) {
            same += 1;
        } else {
            assert!(
                has_colon_at_the_end_of_a_value(page),
                "{}\nours:   {ours}\ntheirs: {theirs}",
                String::from_utf8_lossy(page)
            );
        }
    }
    assert!(same > 1200 && refused < 700, "{same} are the same, {refused} are refused");
}

/// A source without the backslashes and quotes before the quotes of a literal's end: there, the last one of a text takes these with it.
fn ends_alike(source: &str) -> String {
    let parts = source.split("\"\"\",0)");
    parts.map(|part| part.trim_end_matches(['\\', '"'])).collect::<Vec<_>>().join("\"\"\",0)")
}

/// `<%= x: %>` is no Python either way. There, it has an effect on what follows.
fn has_colon_at_the_end_of_a_value(page: &[u8]) -> bool {
    let text = String::from_utf8_lossy(page);
    text.split("<%=").skip(1).any(|rest| rest.split("%>").next().is_some_and(|value| value.trim_end().ends_with(':')))
}
