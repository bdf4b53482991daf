//! The examples of docs/connections.md, as they stand there.

use std::net::SocketAddr;

use super::{after, logged_nothing};
use crate::fixture::{HttpError, Httpd, example, for_each_mpm};

const PAGE: &str = include_str!("../../../docs/connections.md");

for_each_mpm! {
    fn the_examples_work(mpm) {
        let httpd = ["echo", "gate", "greet"].iter().fold(Httpd::new(mpm), |httpd, name| {
            httpd.file(format!("lib/{name}.py"), example(PAGE, &format!("{name}.py")).replace("192.0.2.1", "127.0.0.9"))
        });
        let httpd = httpd
            .binary_file("doc.txt", "Hello, world!")
            .config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"")
            .config(example(PAGE, "echo.conf").replace("127.0.0.1:7000", "127.0.0.2:${PORT}"))
            .file("lib/closed.py", example(PAGE, "gate.py").replace("192.0.2.1", "127.0.0.1"));
        let server = [("3", "greet", "greet"), ("4", "http", "gate"), ("5", "http", "closed")]
            .iter()
            .fold(httpd, |httpd, (address, protocol, module)| {
                httpd.config(format!(
                    "Listen 127.0.0.{address}:${{PORT}} {protocol}\n<VirtualHost 127.0.0.{address}:${{PORT}}>\n\
                     ServerName {module}.test\nPythonConnectionHandler {module}\n</VirtualHost>"
                ))
            })
            .start();
        assert_eq!(after(&server, "one\ntwo"), "one\ntwo");
        let mut connection = server.raw_at(SocketAddr::from(([127, 0, 0, 3], server.port())));
        assert_eq!(connection.read_bytes(13), b"Who are you?\n");
        assert_eq!(connection.send("me\n").finish_sending().read_to_end(), b"Hello, me\n");
        let gated = SocketAddr::from(([127, 0, 0, 4], server.port()));
        assert_eq!(server.request("GET", "/doc.txt").at(gated).send().text(), "Hello, world!");
        let closed = SocketAddr::from(([127, 0, 0, 5], server.port()));
        let outcome = server.request("GET", "/doc.txt").at(closed).try_send();
        assert!(matches!(outcome, Err(HttpError::NoResponse | HttpError::Io(_))), "{outcome:?}");
        logged_nothing(&server);
    }
}
