//! What else a handler finds in `mod_python.apache` and `_apache`: CGI's surroundings, helpers, numbers.

use crate::common::checks::{passed, serving, sharing};
use crate::fixture::{Httpd, Mpm, for_each_mpm};

for_each_mpm! {
    fn a_handler_can_act_as_a_cgi_script(mpm) {
        let server = Httpd::new(mpm)
            .handler("cgi", r#"
                import os
                import sys
                import threading

                from mod_python import apache

                one_at_a_time = threading.Lock()

                def script():
                    body = sys.stdin.read()
                    print("Status: 201 Made")
                    print("Content-Type: text/plain")
                    print("X-Script: yes")
                    print()
                    print(os.environ["REQUEST_METHOD"], os.environ["QUERY_STRING"], body, sys.argv)

                def handler(req):
                    with one_at_a_time:
                        outside = dict(os.environ), sys.stdin, sys.stdout
                        saved = apache.setup_cgi(req)
                        assert isinstance(sys.stdin, apache.CGIStdin) and isinstance(sys.stdout, apache.CGIStdout)
                        assert isinstance(sys.stdout, apache.NullIO)
                        try:
                            script()
                        finally:
                            apache.restore_nocgi(*saved)
                        assert (dict(os.environ), sys.stdin, sys.stdout) == outside and sys.argv == ["mod_python"]
                    return apache.OK
            "#)
            .start();
        for response in server.parallel(4, |i| server.request("POST", format!("/cgi?n={i}")).body(format!("body {i}"))) {
            let text = response.text();
            let number = text.chars().nth("POST n=".len()).unwrap_or_default();
            assert_eq!((response.status, response.header("X-Script")), (201, Some("yes")), "{}", server.log());
            assert_eq!(text, format!("POST n={number} body {number} []\n"));
        }
    }
}

#[test]
fn helpers_do_what_handlers_do_themselves() {
    let server = serving(
        Mpm::Event,
        r#"
        import os
        import sys

        class Page:
            def __init__(self, req):
                self.req = req
            def show(self):
                return self.req.uri

        def check(req):
            module = sys.modules[__name__]
            assert apache.resolve_object(module, "check") is check
            assert apache.resolve_object(module, "Page.show", req)() == req.uri
            assert apache.resolve_object(module, "Page.none", req, 1) is None
            raises(AttributeError, apache.resolve_object, module, "nothing.there", says="contains no 'nothing.there'")
            assert apache.module_mtime(module) == os.stat(__file__).st_mtime
            assert apache.module_mtime(sys) == 0

            assert apache.exists_config("NOT_DEFINED") is False
            assert isinstance(apache._callback, apache.CallBack)
            assert apache._callback.interpreter == apache.interpreter == "localhost"
            assert apache._callback.main_server is apache.main_server
            # The server has called it; a program that does changes nothing but the names
            assert apache.init("localhost", apache.main_server) is apache._callback
            assert sys.argv == ["mod_python"] and repr(apache._callback) == "<CallBack of interpreter 'localhost'>"
        "#,
    )
    .start();
    passed(&server, &server.get("/t"));
}

#[test]
fn numbers_of_httpd_and_apr_are_there() {
    let (server, path) = sharing(
        Mpm::Event,
        r#"
        import os
        import socket
        import tempfile

        import _apache

        def check(req):
            assert (apache.AUTH_DENIED, apache.AUTH_GRANTED, apache.AUTH_USER_NOT_FOUND, apache.AUTH_GENERAL_ERROR) == (0, 1, 3, 4)
            assert (apache.AUTHZ_DENIED, apache.AUTHZ_GRANTED, apache.AUTHZ_NEUTRAL) == (0, 1, 2)
            assert (apache.AUTHZ_GENERAL_ERROR, apache.AUTHZ_DENIED_NO_USER) == (3, 4)

            assert (apache.REQ_PROCEED, apache.REQ_NOACTION, apache.REQ_ABORTED) == (apache.OK, apache.DECLINED, 500)

            assert _apache.MP_VERSION == __import__("mod_python").mp_version
            assert _apache.MODULE_MAGIC_NUMBER_MAJOR == apache.MODULE_MAGIC_NUMBER_MAJOR == 20120211
            assert _apache.MODULE_MAGIC_NUMBER_MINOR == apache.MODULE_MAGIC_NUMBER_MINOR > 0

            def kind(path):
                return apache.stat(path, apache.APR_FINFO_NORM | apache.APR_FINFO_LINK).filetype

            with tempfile.TemporaryDirectory() as folder:
                os.mkfifo(folder + "/pipe")
                os.symlink("pipe", folder + "/link")
                bound = socket.socket(socket.AF_UNIX)
                bound.bind(folder + "/socket")
                assert kind(folder) == _apache.APR_DIR == apache.APR_DIR
                assert kind(folder + "/pipe") == _apache.APR_PIPE == apache.APR_PIPE
                assert kind(folder + "/link") == _apache.APR_LNK == apache.APR_LNK
                assert kind(folder + "/socket") == _apache.APR_SOCK == apache.APR_SOCK
                bound.close()
            assert kind("/dev/null") == _apache.APR_CHR == apache.APR_CHR
            assert kind(__file__) == _apache.APR_REG == apache.APR_REG
            assert kind("/no/such/file") == _apache.APR_NOFILE == apache.APR_NOFILE
            kinds = [_apache.APR_NOFILE, _apache.APR_REG, _apache.APR_DIR, _apache.APR_CHR, _apache.APR_BLK, _apache.APR_PIPE,
                     _apache.APR_LNK, _apache.APR_SOCK, _apache.APR_UNKFILE]
            assert len(set(kinds)) == len(kinds) and (apache.APR_BLK, apache.APR_UNKFILE) == (_apache.APR_BLK, _apache.APR_UNKFILE)
        "#,
    );
    passed(&server, &server.get(&path));
}

#[test]
fn help_shows_signatures_and_texts() {
    let (server, path) = sharing(
        Mpm::Event,
        r#"
        import inspect
        import pydoc

        import _apache

        def check(req):
            shown = pydoc.plain(pydoc.render_doc(type(req)))
            assert "write(self, data, flush=1, /)\n" in shown, shown
            assert "Send text, or anything with the buffer interface." in shown
            assert "status\n" in shown and "The status of the response." in shown
            assert "parse_qs(qs, keep_blank=0, strict=0, /)" in pydoc.plain(pydoc.render_doc(_apache))
            assert str(inspect.signature(apache.table)) == "(items=())"
            # What a signature says is so
            for call, arguments in ((req.write, 3), (req.flush, 1), (req.get_options, 1), (req.headers_in.add, 3), (_apache.mpm_query, 2)):
                parameters = inspect.signature(call).parameters.values()
                assert all(parameter.kind is parameter.POSITIONAL_ONLY for parameter in parameters)
                assert len(parameters) == arguments - 1
                raises(TypeError, call, *["x"] * arguments)
            raises(TypeError, lambda: req.write(data="x"))
        "#,
    );
    passed(&server, &server.get(&path));
}

#[test]
fn among_several_processes_there_is_no_debugger() {
    let server = Httpd::new(Mpm::Prefork)
        .children(2)
        .handler("h", "def handler(req):\n    req.write('ran')\n    return 0\n")
        .config("PythonEnablePdb On")
        .start();
    assert_eq!(server.get("/h").text(), "ran");
}
