//! `mod_python.cgihandler`: CGI scripts in httpd's process.

use crate::fixture::{Httpd, Mpm, for_each_mpm};

/// Serves /cgi with these scripts.
fn scripts(mpm: Mpm, scripts: &[(&str, &str)]) -> Httpd {
    let httpd = Httpd::new(mpm).file("cgi/.keep", "").file("cgi/sub/.keep", "").config(
        r#"
        <Directory "${HTDOCS}/cgi">
            DirectorySlash Off
            DirectoryIndex disabled
            SetHandler mod_python
            PythonHandler mod_python.cgihandler
        </Directory>
        "#,
    );
    scripts.iter().fold(httpd, |httpd, (name, text)| httpd.file(format!("cgi/{name}"), text))
}

const ECHO: &str = r#"
    import os
    import sys

    body = sys.stdin.buffer.read()
    print("Content-Type: text/plain; charset=utf-8")
    print("Set-Cookie: a=1")
    print("Set-Cookie: b=2")
    print()
    print(os.environ["REQUEST_METHOD"], os.environ["QUERY_STRING"], os.environ.get("PATH_INFO", "-"), len(body))
    sys.stdout.buffer.write(body)
    print("", os.path.basename(os.getcwd()), __name__, os.environ.get("LEFT", "clean"))
    os.environ["LEFT"] = "by the one before"
    os.chdir("/tmp")
"#;

for_each_mpm! {
    fn scripts_have_what_cgi_promises(mpm) {
        let server = scripts(mpm, &[("echo.py", ECHO), ("sub/echo.py", ECHO)]).children(2).start();
        let responses = server.parallel(16, |i| {
            let folder = if i % 2 == 0 { "cgi" } else { "cgi/sub" };
            server.request("POST", format!("/{folder}/echo.py/more?n={i}")).body(format!("\0\u{e4} {i}"))
        });
        for (i, response) in responses.iter().enumerate() {
            let folder = if i % 2 == 0 { "cgi" } else { "sub" };
            let body = format!("\0\u{e4} {i}");
            assert_eq!(response.status, 200, "{}", server.log());
            assert_eq!(response.text(), format!("POST n={i} /more {}\n{body} {folder} echo clean\n", body.len()));
            assert_eq!(response.headers.all("Set-Cookie"), ["a=1", "b=2"]);
            assert_eq!(response.header("Content-Type"), Some("text/plain; charset=utf-8"));
        }
    }

    fn what_goes_wrong_is_said_and_undone(mpm) {
        let server = scripts(mpm, &[
            ("raises.py", "import os\nos.chdir('/tmp')\nprint('Content-Type: text/plain', end='\\n\\n')\nraise KeyError('lost')\n"),
            ("late.py", "import sys\nprint('Content-Type: text/plain', end='\\n\\n')\nprint('part', flush=True)\nraise KeyError('late')\n"),
            ("nothing.py", "if __name__ == '__main__':\n    print('Content-Type: text/plain', end='\\n\\n')\n"),
            ("broken.py", "print('<html>')\n"),
            ("syntax.py", "x = (\n"),
            ("exits.py", "import sys\nprint('Content-Type: text/plain', end='\\n\\n')\nprint('done')\nsys.exit(3)\n"),
            ("stderr.py", "import sys\nprint('to the log', file=sys.stderr)\nprint('Status: 204 Nothing', end='\\n\\n')\n"),
            ("where.py", "import os\nprint('Content-Type: text/plain', end='\\n\\n')\nprint(os.getcwd().rpartition('/')[2])\n"),
        ]).children(1).start();
        for (script, status, said) in [
            ("raises.py", 500, "/cgi/raises.py"),
            ("nothing.py", 500, "/cgi/nothing.py made no response: no empty line"),
            ("broken.py", 500, "/cgi/broken.py"),
            ("syntax.py", 500, "/cgi/syntax.py"),
            ("exits.py", 200, "/cgi/exits.py has exited with status 3"),
            ("stderr.py", 204, "to the log"),
            ("none.py", 404, ""),
            ("", 404, ""),
            ("sub", 404, ""),
            ("..%2fcgi/where.py", 404, ""),
            ("where.py%00", 404, ""),
        ] {
            assert_eq!(server.get(&format!("/cgi/{script}")).status, status, "{script}\n{}", server.log());
            if !said.is_empty() {
                server.wait_for_log(said, 1);
            }
            let after = server.get("/cgi/where.py");
            assert_eq!(after.text(), "cgi\n", "after {script}");
        }
        server.wait_for_log("ScriptError", 1);
        // The client can tell that it is not complete
        assert!(server.request("GET", "/cgi/late.py").try_send().is_err());
        assert_eq!(server.get("/cgi/where").text(), "cgi\n");
    }
}

#[test]
fn a_location_of_this_server_is_redirected_to_within_it() {
    let server = scripts(
        Mpm::Event,
        &[
            ("to.py", "import os\nprint('Location: ' + os.environ['QUERY_STRING'] + '\\nX-Lost: 1\\n\\nlost')\n"),
            ("circle.py", "print('Location: /cgi/circle.py\\n')\n"),
            ("echo.py", ECHO),
        ],
    )
    .file("page.txt", "a page\n")
    .start();
    let response = server.request("POST", "/cgi/to.py?/page.txt").body("a=1").send();
    assert_eq!((response.status, response.text().as_str(), response.header("Location")), (200, "a page\n", None));
    let response = server.request("POST", "/cgi/to.py?/cgi/echo.py").body("a=1").send();
    assert_eq!((response.status, response.text().as_str()), (200, "GET  - 0\n cgi echo clean\n"), "{}", server.log());
    let response = server.get("/cgi/to.py?http://localhost/page.txt");
    assert_eq!((response.status, response.text().as_str()), (302, "lost\n"));
    assert_eq!(response.header("Location"), Some("http://localhost/page.txt"));
    assert_eq!(server.get("/cgi/to.py?/none").status, 404);
    // httpd ends a circle
    assert_eq!(server.get("/cgi/circle.py").status, 500);
    assert_eq!(server.get("/cgi/echo.py").status, 200);
}

#[test]
fn a_body_that_is_cut_and_a_client_that_goes() {
    let server = scripts(
        Mpm::Worker,
        &[
            ("echo.py", ECHO),
            ("endless.py", "import sys\nprint('Content-Type: text/plain', end='\\n\\n')\nwhile True:\n    print('x' * 100000, flush=True)\n"),
        ],
    )
    .children(1)
    .start();
    let mut connection = server.raw();
    connection
        .send("POST /cgi/echo.py HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nshort")
        .finish_sending();
    assert_eq!(connection.response().status, 400);
    server.wait_for_log("MP0406", 1);
    let mut connection = server.raw();
    connection.send("GET /cgi/endless.py HTTP/1.1\r\nHost: localhost\r\n\r\n").read_bytes(200_000);
    connection.abort();
    server.wait_for_log("MP0405", 1);
    // Neither has left anything behind
    assert_eq!(server.get("/cgi/echo.py").text(), "GET  - 0\n cgi echo clean\n", "{}", server.log());
}

#[test]
fn programs_of_a_script_have_its_environment_and_those_of_others_do_not() {
    let program = "import os, subprocess, sys\nprint('Content-Type: text/plain\\n')\nsys.stdout.flush()\n\
        for run in (lambda: subprocess.run(['printenv', 'QUERY_STRING'], capture_output=True, text=True).stdout, lambda: os.popen('echo $QUERY_STRING').read()):\n    print(run(), end='')\n";
    let server = scripts(Mpm::OneChild, &[("program.py", program)])
        .handler(
            "other",
            r#"
            import subprocess
            from mod_python import apache

            def handler(req):
                req.write(subprocess.run(["sh", "-c", "echo [$QUERY_STRING]"], capture_output=True, text=True).stdout)
                return apache.OK
            "#,
        )
        .vhost("other.test", "")
        .start();
    assert_eq!(server.get("/cgi/program.py?a=1").text(), "a=1\na=1\n", "{}", server.log());
    assert_eq!(server.get("/other").text(), "[]\n");
    assert_eq!(server.request("GET", "/other").host("other.test").send().text(), "[]\n");
}

#[test]
fn a_script_may_be_the_main_module() {
    let server = scripts(
        Mpm::Prefork,
        &[("main.py", "if __name__ == '__main__':\n    print('Content-Type: text/plain\\n\\nran')\n")],
    )
    .config("<Directory \"${HTDOCS}/cgi\">\n    PythonOption mod_python.cgihandler.name __main__\n</Directory>")
    .start();
    assert_eq!(server.get("/cgi/main.py").text(), "ran\n", "{}", server.log());
}

#[test]
fn a_request_of_the_script_handler_has_its_method_until_it_is_redirected() {
    let server = Httpd::new(Mpm::Event)
        .handler(
            "h",
            r#"
            def handler(req):
                if req.args:
                    req._redirect_to_get(req.args)
                else:
                    req.write(f"{req.method} {req.method_number} {req.read()!r} {req.prev is not None}")
                return 0
            "#,
        )
        .start();
    let response = server.request("POST", "/h?/h").body("a=1").send();
    assert_eq!(response.text(), "GET 0 b'' True", "{}", server.log());
}
