//! The members of `mp_request`: what they say, what may be assigned, and that nothing a client sends breaks them.

use crate::common::probe::{lines, lines_of, probe, respond, with_code};
use crate::fixture::{Httpd, Mpm, for_each_lasting_mpm, for_each_mpm};

#[test]
fn they_say_what_httpd_has_read() {
    let server = probe(Mpm::Event).shared();
    let request = server.request("POST", "/probe/page/a%20b//c?x=%41&y").header("Range", "bytes=0-4").body("12345");
    let found = lines_of(
        request,
        &server,
        r"
        out(req.the_request, req.method, req.method_number == apache.M_POST, req.header_only)
        out(req.protocol, req.proto_num, req.assbackwards, req.proxyreq, req.hostname)
        out(req.unparsed_uri, req.uri, req.args)
        out(req.parsed_uri)
        out(os.path.basename(req.filename), req.path_info, req.used_path_info, req.extension)
        out(req.canonical_filename == req.filename, req.handler)
        out(req.user, req.ap_auth_type, req.range, req.useragent_ip)
        out(req.status, req.status_line, req.content_type, req.content_encoding, req.vlist_validator)
        out(req.chunked, req.no_cache, req.no_local_copy, req.clength, req.mtime)
        out(req.allowed, req.allowed_methods, req.allowed_xmethods, req.content_languages)
        out(req.sent_bodyct, req.bytes_sent, req.eos_sent)
        out(req.read_body, req.read_chunked, req.expecting_100, req.remaining, req.read_length)
        out(req.main, req.prev, req.next, req.phase, req.interpreter == apache.interpreter)
        out(req._content_type_set, req._bytes_queued)
        ",
    );
    let expected = [
        "'POST /probe/page/a%20b//c?x=%41&y HTTP/1.1' 'POST' True 0",
        "'HTTP/1.1' 1001 0 0 'localhost'",
        "'/probe/page/a%20b//c?x=%41&y' '/probe/page/a b/c' 'x=%41&y'",
        "(None, None, None, None, None, None, '/probe/page/a b/c', 'x=%41&y', None)",
        "'page' '/a b/c' 2 ''",
        "True 'mod_python'",
        "None None None '127.0.0.1'",
        "200 None None None None",
        "0 0 0 0 0.0",
        "0 () () ()",
        "0 0 0",
        "0 0 0 0 0",
        "None None None 'PythonHandler' True",
        "0 0",
    ];
    assert_eq!(found, expected);
}

#[test]
fn they_have_the_types_that_programs_look_for() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        r"
        out(str(type(req)), str(type(req.headers_in)), str(type(req.finfo)), str(type(req.hlist)))
        out(str(type(req.connection)), str(type(req.server)))
        import time
        out(type(req.request_time).__name__, abs(time.time() - req.request_time) < 60)
        address, port = req.useragent_addr
        out(type(req.useragent_addr).__name__, address, type(port).__name__)
        out(type(req._request_rec).__name__)
        ",
    );
    let expected = [
        r#""<class 'mp_request'>" "<class 'mp_table'>" "<class 'mp_finfo'>" "<class 'mp_hlist'>""#,
        r#""<class 'mp_conn'>" "<class 'mp_server'>""#,
        "'float' True",
        "'tuple' '127.0.0.1' 'int'",
        "'PyCapsule'",
    ];
    assert_eq!(found, expected);
}

#[test]
fn objects_stay_the_same_in_a_request() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        r#"
        for name in ("headers_in", "headers_out", "err_headers_out", "subprocess_env", "notes", "connection", "server", "hlist"):
            assert getattr(req, name) is getattr(req, name), name
        req.headers_out["X-A"] = "1"
        out(req.headers_out["X-A"], "X-A" in req.err_headers_out)
        req.mark = 7
        out(req.mark, req.__dict__)
        "#,
    );
    assert_eq!(found, ["'1' False", "7 {'mark': 7}"]);
}

#[test]
fn assigned_values_are_httpds_from_then_on() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        r#"
        for name in ("uri", "filename", "canonical_filename", "path_info", "handler", "args", "ap_auth_type", "status_line"):
            for value in ("/x y", b"/x y", "caf\xe9", b"caf\xc3\xa9", "\xc3\xa9", b"\xff\xfe"):
                setattr(req, name, value)
                wanted = value if isinstance(value, str) else {b"/x y": "/x y", b"caf\xc3\xa9": "caf\xe9"}.get(value, "\xff\xfe")
                assert getattr(req, name) == wanted, (name, value, getattr(req, name))
        for name in ("handler", "args"):
            setattr(req, name, None)
            assert getattr(req, name) is None
        req.user = "J\xfcrgen \xc3\xa9"
        out(req.user)
        req.user = b"J\xc3\xbcrgen"
        out(req.user)
        for name in ("status", "assbackwards", "proxyreq", "no_cache", "no_local_copy", "used_path_info", "chunked"):
            setattr(req, name, True)
            assert getattr(req, name) == 1 and type(getattr(req, name)) is int
        req.status, req.proxyreq, req.assbackwards, req.chunked, req.status_line = 200, 0, 0, 0, "200 Fine"
        req.content_type = "text/x-a"
        out(req.content_type, req._content_type_set)
        "#,
    );
    assert_eq!(found, ["'Jürgen Ã©'", "'JÃ¼rgen'", "'text/x-a' 1"]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        r#"
        for name, value in (
            ("uri", None), ("uri", 1), ("uri", "a\0b"), ("content_type", None), ("user", "\u0141"), ("user", None),
            ("args", 1), ("status", "200"), ("status", 1.5), ("status", None), ("status", 1 << 31), ("status", 1 << 70),
            ("finfo", None), ("finfo", ()),
        ):
            out(name, error(setattr, req, name, value))
        for name in ("uri", "status", "finfo", "content_type"):
            out(error(delattr, req, name))
        "#,
    );
    let expected = [
        "'uri' 'TypeError: uri must be str or bytes, not NoneType'",
        "'uri' 'TypeError: uri must be str or bytes, not int'",
        "'uri' 'ValueError: uri: embedded null character'",
        "'content_type' 'TypeError: content_type: not an ISO-8859-1 string but NoneType'",
        "'user' 'TypeError: user: not an ISO-8859-1 string'",
        "'user' 'TypeError: user: not an ISO-8859-1 string but NoneType'",
        "'args' 'TypeError: args must be str or bytes, not int'",
        "'status' 'TypeError: status must be an integer, not str'",
        "'status' 'TypeError: status must be an integer, not float'",
        "'status' 'TypeError: status must be an integer, not NoneType'",
        "'status' 'OverflowError: status is out of range'",
        "'status' 'OverflowError: int too big to convert'",
        "'finfo' 'TypeError: finfo must be an mp_finfo, not NoneType'",
        "'finfo' 'TypeError: finfo must be an mp_finfo, not tuple'",
        "\"AttributeError: attribute 'uri' of 'mp_request' objects cannot be deleted\"",
        "\"AttributeError: attribute 'status' of 'mp_request' objects cannot be deleted\"",
        "\"AttributeError: attribute 'finfo' of 'mp_request' objects cannot be deleted\"",
        "\"AttributeError: attribute 'content_type' of 'mp_request' objects cannot be deleted\"",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_others_are_not_writable() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        r#"
        writable = {"uri", "filename", "canonical_filename", "path_info", "handler", "args", "content_type", "user", "ap_auth_type",
            "status_line", "status", "assbackwards", "proxyreq", "no_cache", "no_local_copy", "used_path_info", "chunked", "finfo"}
        members = [name for name, member in vars(type(req)).items() if type(member).__name__ == "getset_descriptor"]
        for name in members:
            message = "AttributeError: attribute '%s' of 'mp_request' objects is not writable" % name
            if name not in writable and name != "__dict__":
                assert error(setattr, req, name, getattr(req, name)) == message, error(setattr, req, name, 1)
                assert error(delattr, req, name) == message
        out(len(members) > 60, sorted(writable - set(members)))
        out([name for name in members if not vars(type(req))[name].__doc__])
        "#,
    );
    assert_eq!(found, ["True []", "[]"]);
}

#[test]
fn finfo_can_be_handed_on() {
    let server = probe(Mpm::Event).shared();
    server.write("other.txt", "four");
    let found = lines(
        &server,
        r#"
        path = os.path.join(req.document_root(), "other.txt")
        req.finfo = apache.stat(path, apache.APR_FINFO_NORM)
        out(req.finfo.size, req.finfo.fname == path, req.finfo.filetype == apache.APR_REG)
        "#,
    );
    assert_eq!(found, ["5 True True"]);
}

#[test]
fn a_line_break_does_not_get_into_the_headers() {
    let server = probe(Mpm::Event).shared();
    let found = lines(
        &server,
        r#"
        for name in ("content_type", "status_line"):
            for value in ("200 a\r\nX-Evil: 1", "200 a\nb", b"200 a\rb"):
                out(name, error(setattr, req, name, value))
        out(error(setattr, req, "content_type", "a\x01"), error(setattr, req, "status_line", "200 a\x7f"))
        req.content_type = "text/x-a;\tb=c"
        out(req.status_line, req.content_type)
        "#,
    );
    let refused = |name| format!("'{name}' 'ValueError: {name}: a line break would end the header'");
    let mut expected = vec![refused("content_type"); 3];
    expected.extend(vec![refused("status_line"); 3]);
    expected.push(
        r"'ValueError: content_type: the control character \\x01 cannot be sent in a header' 'ValueError: status_line: the control character \\x7f cannot be sent in a header'"
            .to_owned(),
    );
    expected.push(r"None 'text/x-a;\tb=c'".to_owned());
    assert_eq!(found, expected);
}

#[test]
fn status_and_content_type_are_what_the_client_sees() {
    let server = probe(Mpm::Event).shared();
    let response = respond(&server, "req.status = 404; req.content_type = 'text/x-own'; req.write('own')");
    assert_eq!((response.status, response.text().as_str()), (404, "own"));
    assert_eq!(response.header("Content-Type"), Some("text/x-own"));

    let response = respond(&server, "req.status = 207; req.status_line = '207 My Words'; req.write('x')");
    assert_eq!((response.status, response.reason.as_str()), (207, "My Words"));
}

for_each_mpm! {
    fn bytes_that_are_no_text_are_read_all_the_same(mpm) {
        let server = probe(mpm).config("<Location /probe>\n AuthType Basic\n AuthName x\n</Location>").start();
        let children = server.child_pids();
        let request = server
            .request("GET", b"/probe/page/caf%E9/%C3%A9?q=\xe9".as_slice())
            .header("Cookie", b"a=\xff\xfe; b=\xc3\xa9".as_slice())
            .header("X-Mixed", b"\xc3\xa9\xe9".as_slice())
            // é:ÿ as Latin-1
            .header("Authorization", "Basic 6Tr/");
        let found = lines_of(
            request,
            &server,
            r#"
            out(req.uri, req.path_info, req.args)
            out(req.unparsed_uri, req.the_request)
            out(req.parsed_uri[6:8])
            out(req.headers_in["Cookie"], req.headers_in["X-Mixed"])
            out(req.get_basic_auth_pw(), req.user)
            for name in dir(req):
                getattr(req, name)
            for table in (req.headers_in, req.subprocess_env, req.notes):
                table.items(), repr(table)
            req.add_common_vars()
            out(req.subprocess_env["HTTP_COOKIE"])
            "#,
        );
        let expected = [
            "'/probe/page/café/Ã©' '/café/Ã©' 'q=é'",
            "'/probe/page/caf%E9/%C3%A9?q=é' 'GET /probe/page/caf%E9/%C3%A9?q=é HTTP/1.1'",
            "('/probe/page/café/Ã©', 'q=é')",
            "'a=ÿþ; b=Ã©' 'Ã©é'",
            "'ÿ' 'é'",
            "'a=ÿþ; b=Ã©'",
        ];
        assert_eq!(found, expected);
        let again = lines_of(server.request("GET", "/probe/page/%C3%A9"), &server, "out(req.path_info)");
        assert_eq!(again, ["'/é'"]);
        assert_eq!(server.child_pids(), children);
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}

for_each_lasting_mpm! {
    fn a_request_that_is_over_says_so(mpm) {
        let server = Httpd::new(mpm)
            .children(1)
            .handler(
                "keep",
                r#"
                kept = []

                def handler(req):
                    if not kept:
                        kept.extend([req, req.headers_in, req.connection, req.write, req.read])
                        req.mark = "mine"
                        req.write("kept")
                        return 0
                    old = kept[0]
                    names = [name for name, member in vars(type(old)).items() if not name.startswith("__")]
                    # What does not lie in httpd's memory for the request.
                    lasting = {"server", "extension", "phase", "interpreter", "_bytes_queued", "_content_type_set"}
                    assert old.server.server_hostname == "localhost" and old.interpreter == req.interpreter
                    silent = []
                    for name in set(names) - lasting:
                        try:
                            value = getattr(old, name)
                            if callable(value):
                                value()
                            silent.append(name)
                        except RuntimeError as error:
                            assert "is no longer valid" in str(error), error
                        except TypeError:
                            pass
                    for use in (lambda: kept[1]["Host"], lambda: kept[3]("x"), kept[4], lambda: setattr(old, "status", 1),
                                lambda: list(old), lambda: old.register_cleanup(len), lambda: old.log_error("x")):
                        try:
                            use()
                            silent.append(use)
                        except RuntimeError:
                            pass
                    req.write("%r %s" % (silent, old.mark))
                    return 0
                "#,
            )
            .start();
        assert_eq!(server.get("/keep").text(), "kept");
        assert_eq!(server.get("/keep").text(), "[] mine");
        assert_eq!(server.get("/keep").text(), "[] mine");
    }
}

#[test]
fn redirects_are_linked_to_each_other() {
    let server = probe(Mpm::Event).shared();
    let response = with_code(
        server.request("GET", "/probe/first?a"),
        r#"
        if req.prev is None:
            req.mark = "made before"
            req.internal_redirect("/probe/second?b")
        else:
            out(req.prev.uri, req.prev.mark, req.prev.next.uri, req.prev.next is req, req.prev.prev, req.main)
            out(req.uri, req.args, req.subprocess_env.get("REDIRECT_STATUS"))
        "#,
    )
    .send();
    assert_eq!(
        response.text(),
        "'/probe/first' 'made before' '/probe/second' True None None\n'/probe/second' 'b' '200'"
    );
}

#[test]
fn a_subrequest_knows_its_main_request() {
    let server = Httpd::new(Mpm::Event)
        .config("<Location /page>\n SetOutputFilter INCLUDES\n ForceType text/html\n</Location>")
        .file("page/index.shtml", "<!--#include virtual=\"/inner?x\" -->!")
        .handler(
            "inner",
            r#"
            def handler(req):
                main = req.main
                req.write("%s %s %s" % (main.uri, main.main, main.args))
                return 0
            "#,
        )
        .start();
    assert_eq!(server.get("/page/index.shtml?q").text().trim_end(), "/page/index.shtml None q!");
}
