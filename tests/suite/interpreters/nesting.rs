//! One request that is in several interpreters at once: attaching nests and comes back.

use crate::common::who::site;
use crate::fixture::{for_each_mpm, is_itk_run};

for_each_mpm! {
    /// mod_include asks for the inner documents while the outer handler is in `req.write`.
    fn a_write_can_run_handlers_of_other_interpreters(mpm) {
        let server = site(mpm)
            .children(1)
            .file(
                "lib/outer.py",
                r#"
                import threading
                from mod_python import apache

                local = threading.local()

                def handler(req):
                    req.content_type = "text/html"
                    path = req.uri.strip("/").split("/")
                    local.depth = getattr(local, "depth", 0) + 1
                    req.write("(%s" % apache.interpreter)
                    if path[1:]:
                        req.write('<!--#include virtual="/%s" -->' % "/".join(path[1:]))
                    # mod_include runs the tag when it sees what follows.
                    req.write(" ")
                    req.flush()
                    # The same interpreter, thread and thread state as before.
                    req.write("%s %d)" % (apache.interpreter, local.depth))
                    local.depth -= 1
                    return apache.OK
                "#,
            )
            .config(
                r#"
                PythonHandler outer
                SetOutputFilter INCLUDES
                <Location /a>
                    PythonInterpreter a
                </Location>
                <Location /b>
                    PythonInterpreter b
                </Location>
                <Location /main>
                    PythonInterpreter main_interpreter
                </Location>
                "#,
            )
            .start();
        for _ in 0..3 {
            for (path, text) in [
                ("/a", "(a a 1)"),
                ("/a/a", "(a(a a 2) a 1)"),
                ("/a/b", "(a(b b 1) a 1)"),
                ("/main/a/main", "(main_interpreter(a(main_interpreter main_interpreter 2) a 1) main_interpreter 1)"),
                ("/a/b/main/b/a", "(a(b(main_interpreter(b(a a 2) b 2) main_interpreter 1) b 1) a 1)"),
                // The first touch of an interpreter, from within another one.
                ("/b/localhost", "(b(localhost localhost 1) b 1)"),
            ] {
                assert_eq!(server.get(path).text(), text, "{path}");
            }
        }
        // Many at once: each thread has its own nest.
        let responses = server.parallel(if mpm.is_threaded() { 4 } else { 1 }, |i| {
            server.request("GET", ["/a/b/a", "/b/a/b"][i % 2])
        });
        for (i, response) in responses.iter().enumerate() {
            assert_eq!(response.text(), ["(a(b(a a 2) b 1) a 1)", "(b(a(b b 2) a 1) b 1)"][i % 2]);
        }
        // Each connection makes them anew where it has a process of its own.
        assert!(is_itk_run() || server.log_count("MP0301") == 4, "a, b, localhost and the main one");
    }
}
