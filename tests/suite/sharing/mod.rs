//! Threads that share a request: one at a time uses it, nobody waits for good, and nobody gets at one that has ended.

mod stress;
mod waiting;

use crate::common::who::site;
use crate::fixture::{Mpm, for_each_mpm};

for_each_mpm! {
    /// httpd allocates from the request's pool for its log id.
    fn an_entry_of_the_log_waits_for_a_thread_that_uses_the_request(mpm) {
        let server = site(mpm)
            .children(1)
            .config("PythonHandler racing")
            .file(
                "lib/racing.py",
                r#"
                from mod_python import apache
                import logging, threading

                def handler(req):
                    stop, bad = [], []
                    started = threading.Event()

                    def work():
                        first, count = None, 0
                        while not stop or count < 3:
                            req.subprocess_env.clear()
                            req.add_common_vars()
                            now = sorted(map(tuple, req.subprocess_env.items()))
                            first = first or now
                            if now != first:
                                bad.append([item for item in now if item not in first])
                                break
                            count += 1
                            started.set()

                    thread = threading.Thread(target=work)
                    thread.start()
                    started.wait()
                    for number in range(5):
                        print("printed")
                        req.log_error("logged", apache.APLOG_NOTICE)
                        logging.getLogger().warning("by logging")
                    stop.append(True)
                    thread.join()
                    req.content_type = "text/plain"
                    req.write("CORRUPT %r" % bad if bad else "ok")
                    return apache.OK
                "#,
            )
            .start();
        let clients = if mpm == Mpm::Prefork { 2 } else { 4 };
        for _ in 0..5 {
            for response in server.parallel(clients, |_| server.request("GET", "/x")) {
                assert_eq!(response.text(), "ok");
            }
        }
    }

    /// The filter's interpreter is another one, and its handler's thread goes on when the request has ended.
    fn threads_left_behind_write_through_a_filter_of_another_interpreter(mpm) {
        let server = site(mpm)
            .children(1)
            .config("PythonHandler leaves\nPythonInterpPerDirective On")
            .file(
                "lib/leaves.py",
                r#"
                from mod_python import apache
                import threading

                def handler(req):
                    req.content_type = "text/plain"
                    go = threading.Event()

                    def work():
                        try:
                            for number in range(100000):
                                req.write(b"x", 1)
                                req.flush()
                                go.set()
                        except (RuntimeError, OSError, ValueError):
                            pass
                        finally:
                            go.set()

                    for _ in range(3):
                        threading.Thread(target=work).start()
                    go.wait()
                    return apache.OK
                "#,
            )
            .file(
                "filters/copies.py",
                r#"
                def outputfilter(filter):
                    while piece := filter.read():
                        filter.write(piece)
                    if piece is None:
                        filter.close()
                "#,
            )
            .config("<Directory ${HTDOCS}/filters>\n    PythonOutputFilter copies COPIES\n</Directory>")
            .config("PythonOutputFilter copies COPIES\nPythonPath \"sys.path + ['${HTDOCS}/lib', '${HTDOCS}/filters']\"")
            .config("<Location /left>\n    SetOutputFilter COPIES\n</Location>")
            .start();
        let children = server.child_pids();
        for _ in 0..10 {
            for response in server.parallel(2, |_| server.request("GET", "/left")) {
                assert!(!response.body.is_empty() && response.body.iter().all(|byte| *byte == b'x'));
            }
        }
        assert_eq!(server.child_pids(), children);
        assert_eq!(server.log_count("MP0102") + server.log_count("MP0401"), 0, "{}", server.log());
    }
}
