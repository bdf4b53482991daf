//! Under every process model, httpd with the module comes up, answers and goes.

use std::time::Duration;

use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};

fn hello(mpm: Mpm) -> Server {
    Httpd::new(mpm)
        .children(2)
        .handler(
            "hello",
            r#"
            from mod_python import apache

            def handler(req):
                req.content_type = "text/plain"
                req.write("Hello, world!")
                return apache.OK
            "#,
        )
        .start()
}

for_each_mpm! {
    fn a_handler_answers_and_its_child_lives_on(mpm) {
        let server = hello(mpm);
        let children = server.child_pids();

        let response = server.get("/hello");

        assert_eq!((response.status, response.text().as_str()), (200, "Hello, world!"));
        assert_eq!(response.header("Content-Type"), Some("text/plain"));
        assert_eq!(server.child_pids(), children);
        assert_eq!(server.log_count("exit signal"), 0);
    }

    fn requests_at_the_same_moment_are_all_answered(mpm) {
        let server = hello(mpm);
        for response in server.parallel(8, |i| server.request("GET", format!("/hello/{i}"))) {
            assert_eq!((response.status, response.text().as_str()), (200, "Hello, world!"));
        }
    }

    fn it_stops_soon(mpm) {
        let server = hello(mpm);
        server.get("/hello");
        let children = server.child_pids();

        let took = server.stop();

        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(!children.iter().any(|pid| server.alive(*pid)));
    }

    fn restarts_fail_no_request(mpm) {
        let server = hello(mpm);
        let before = server.child_pids();

        let tally = server.load(2, "/hello").while_running(|| {
            server.graceful();
            server.graceful();
        });

        assert!(tally.failed.is_empty(), "{tally:?}");
        assert!(tally.ok > 0);
        server.wait_for_exit(&before);
    }
}

#[test]
#[should_panic(expected = "exit signal")]
fn a_child_that_crashes_fails_its_test() {
    let server = hello(Mpm::Event);
    server.signal(server.child_pids()[0], libc::SIGSEGV);
}
