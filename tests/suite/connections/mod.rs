//! PythonConnectionHandler: programs for the whole of a connection.

mod below;
mod examples;

use std::net::SocketAddr;

use crate::fixture::{Httpd, Mpm, RawConnection, Server, dedent, for_each_lasting_mpm, for_each_mpm, logged_nothing};

/// The module `c` begins with this.
const COMMON: &str = r#"
import os, time
from mod_python import apache

def scratch(conn, name):
    return os.path.join(conn.base_server.get_options()["scratch"], name)

def raises(exception, call, *arguments, says=""):
    try:
        call(*arguments)
    except Exception as error:
        assert type(error) is exception and says in str(error), repr(error)
    else:
        raise AssertionError("nothing raised")

def connectionhandler(conn):
    """The echo of mod_python's manual."""
    while 1:
        line = conn.readline()
        if not line:
            break
        conn.write(line)
    return apache.OK
"#;

/// A server that speaks HTTP at its own address, and gives the connections to another one, 127.0.0.2, to this handler of `c`.
fn site(mpm: Mpm, handler: &str, programs: &str) -> Httpd {
    site_of(mpm, &[handler], programs)
}

/// The same with several handlers, each of which has an address: 127.0.0.2 and those that follow. They share an interpreter.
fn site_of(mpm: Mpm, handlers: &[&str], programs: &str) -> Httpd {
    let httpd = Httpd::new(mpm)
        .file("lib/c.py", format!("{COMMON}\n{}", dedent(programs)))
        .binary_file("doc.txt", "Hello, world!")
        .config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"\nPythonOption scratch ${SCRATCH}")
        // The server may speak first.
        .config("AcceptFilter http none");
    handlers.iter().zip(2..).fold(httpd, |httpd, (handler, last)| {
        httpd.config(format!(
            "Listen 127.0.0.{last}:${{PORT}}\n\
             <VirtualHost 127.0.0.{last}:${{PORT}}>\nServerName other.test\nPythonConnectionHandler {handler}\n</VirtualHost>"
        ))
    })
}

fn other(server: &Server) -> SocketAddr {
    address(server, 0)
}

/// Where the connections of a handler of `site_of` come in.
fn address(server: &Server, handler: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 2 + handler], server.port()))
}

/// A connection to the handler.
fn connect(server: &Server) -> RawConnection {
    server.raw_at(other(server))
}

/// Everything that comes after these bytes, which are all that is sent.
fn after(server: &Server, bytes: &str) -> String {
    after_at(server, other(server), bytes)
}

fn after_at(server: &Server, address: SocketAddr, bytes: &str) -> String {
    String::from_utf8_lossy(&server.raw_at(address).send(bytes).finish_sending().read_to_end()).into_owned()
}

/// HTTP is served at the other address, by the children that were there before.
#[track_caller]
fn still_serves(server: &Server, children: &[u32]) {
    assert_eq!(server.get("/doc.txt").text(), "Hello, world!");
    assert_eq!(server.child_pids(), children);
}

for_each_lasting_mpm! {
    fn the_echo_of_the_manual(mpm) {
        let server = site(mpm, "c", "").children(1).start();
        let children = server.child_pids();
        let mut connection = connect(&server);
        for line in ["one\n", "\n", "three and more\r\n", &format!("{}\n", "x".repeat(100_000))] {
            connection.send(line);
            assert_eq!(String::from_utf8_lossy(&connection.read_bytes(line.len())), line);
        }
        // Several lines at once, and one without an end
        connection.send("a\nb\nlast").finish_sending();
        assert_eq!(connection.read_to_end(), b"a\nb\nlast");
        // httpd closes the connection when the handler returns, and none is left to be looked after.
        assert_eq!(after(&server, ""), "");
        assert_eq!(after(&server, "x"), "x");
        server.wait_until_asleep();
        still_serves(&server, &children);
        logged_nothing(&server);
    }
}

const READS: &str = r#"
    def handler(conn):
        found = []
        conn.write("ready\n")
        for line in open(scratch(conn, "calls")):
            name, _, size = line.strip().partition(" ")
            call = getattr(conn, name)
            found.append(call(int(size)) if size else call())
        conn.write(repr(found))
        return apache.OK
"#;

#[test]
fn reading_gives_what_was_asked_for() {
    let server = site(Mpm::Event, "c::handler", READS).start();
    for (calls, sent, expected) in [
        (vec!["read"], "some bytes", "[b'some bytes']"),
        (vec!["read 0", "read 0"], "some", "[b'some', None]"),
        (vec!["read 2", "read 2", "read 9", "read 1"], "a\nbcd", r"[b'a\n', b'bc', b'd', None]"),
        (vec!["read -1", "read -1"], "some\nlines\n", r"[b'some\nlines\n', None]"),
        (vec!["readline", "readline", "readline", "readline"], "a\nb\nlast", r"[b'a\n', b'b\n', b'last', None]"),
        (vec!["readline 0", "readline 0"], "one\ntwo\n", r"[b'one\n', b'two\n']"),
        (
            vec!["readline 2", "readline 2", "readline 9", "readline 9"],
            "abc\nd\nlast",
            r"[b'ab', b'c\n', b'd\n', b'last']",
        ),
        (vec!["readline 1", "read 3", "readline -1", "read"], "abcd\ne\nf", r"[b'a', b'bcd', b'\n', b'e\nf']"),
        (vec!["read", "readline", "read 5", "read -1", "readline 5"], "", "[None, None, None, None, None]"),
    ] {
        std::fs::write(server.scratch().join("calls"), calls.join("\n")).expect("a file");
        let mut connection = connect(&server);
        assert_eq!(connection.read_bytes(6), b"ready\n");
        connection.send(sent).finish_sending();
        assert_eq!(String::from_utf8_lossy(&connection.read_to_end()), expected, "{calls:?} of {sent:?}");
    }
    let large: Vec<u8> = (0..3_000_000u32).map(|at| b'a' + (at % 23) as u8).collect();
    std::fs::write(server.scratch().join("calls"), "read -1").expect("a file");
    let mut connection = connect(&server);
    connection.read_bytes(6);
    connection.send(&large).finish_sending();
    let found = connection.read_to_end();
    assert!(found.len() == large.len() + 5 && found[3..found.len() - 2] == large, "{}", found.len());
    logged_nothing(&server);
}

const CHECKS: &str = r#"
    def handler(conn):
        import array
        assert str(type(conn)) == "<class 'mp_conn'>"
        server = conn.base_server
        assert server.server_hostname == "other.test" and server.is_virtual == 1
        assert server.get_options()["own"] == "mine" and server.get_options()["main"] == "outer"
        assert server.get_config()["PythonInterpreter"] == "connections" == apache.interpreter
        assert conn.local_addr == ("127.0.0.2", server.port or conn.local_addr[1]) and conn.local_ip == "127.0.0.2"
        assert conn.client_addr[0] == conn.client_ip and conn.client_addr[1] > 0
        assert conn.remote_addr == conn.client_addr and conn.remote_ip == conn.client_ip
        assert conn.remote_host is None and conn.remote_logname is None and conn.local_host is None
        assert (conn.aborted, conn.keepalives, conn.double_reverse) == (0, 0, 0)
        assert type(conn.id) is int and type(conn._conn_rec).__name__ == "PyCapsule"
        conn.keepalive = apache.AP_CONN_CLOSE
        assert conn.keepalive == apache.AP_CONN_CLOSE
        raises(ValueError, setattr, conn, "keepalive", 77)
        conn.notes["mine"] = "note"
        assert conn.notes["mine"] == "note" and str(type(conn.notes)) == "<class 'mp_table'>"
        hlist = conn.hlist
        assert str(type(hlist)) == "<class 'mp_hlist'>"
        assert (hlist.handler, hlist.directory) == ("c::handler", None), (hlist.handler, hlist.directory)
        for name in "id", "base_server", "notes", "hlist", "aborted":
            raises(AttributeError, setattr, conn, name, 1)
        raises(AttributeError, setattr, conn, "nothing", 1)
        raises(AttributeError, getattr, conn, "nothing")
        raises(TypeError, type(conn))
        for wrong in None, 1, 1.5, ["a"]:
            raises(TypeError, conn.write, wrong)
        raises(TypeError, conn.write)
        raises(TypeError, conn.read, "a")
        raises(TypeError, conn.readline, 1, 2)
        conn.log_error("noted", apache.APLOG_NOTICE)
        conn.write("t\u00e9xt ")
        conn.write("")
        conn.write(b"bytes ")
        conn.write(bytearray(b"bytearray "))
        conn.write(memoryview(b"xview")[1:])
        conn.write(array.array("B", b" array"))
        return apache.OK
"#;

for_each_mpm! {
    fn members_and_methods(mpm) {
        let httpd = site(mpm, "c::handler\nPythonOption own mine\nPythonInterpreter connections", CHECKS);
        let server = httpd.config("PythonOption main outer").start();
        assert_eq!(after(&server, ""), "téxt bytes bytearray view array", "{}", server.log());
        let noted = server.log_lines("noted");
        assert!(noted.len() == 1 && noted[0].contains(":notice]") && noted[0].contains("[client 127.0.0.1:"), "{noted:?}");
        // Its old names are warned of.
        assert!(server.log_count("MP0530") >= 2 && server.log_count("MP04") == 0, "{}", server.log());
    }
}

/// What a handler may return, or not.
const RESULTS: &str = r#"
    def declines(conn):
        return apache.DECLINED

    def reads_and_declines(conn):
        assert conn.notes.get("x") is None
        conn.notes["x"] = "y"
        return apache.DECLINED

    def ok(conn):
        return apache.OK

    def done(conn):
        conn.write("done")
        return apache.DONE

    def error(conn):
        return apache.HTTP_FORBIDDEN

    def returned(conn):
        conn.write("returned")
        raise apache.SERVER_RETURN(apache.OK)

    def returned_declined(conn):
        raise apache.SERVER_RETURN(apache.DECLINED)

    def none(conn):
        conn.write("none")

    def true(conn):
        return True

    def strange(conn):
        return 7777

    def text(conn):
        return "OK"

    def fails(conn):
        conn.write("begun ")
        raise ValueError("on purpose")

    def exits(conn):
        raise SystemExit("on purpose")

    def threads(conn):
        import threading
        thread = threading.Thread(target=lambda: conn.write(conn.readline()))
        thread.start()
        thread.join()
        return apache.OK

    data = 1
"#;

for_each_lasting_mpm! {
    fn what_a_result_means(mpm) {
        const GET: &str = "GET /doc.txt HTTP/1.0\r\n\r\n";
        let results = [
            ("declines", "200 OK", None),
            ("reads_and_declines", "200 OK", None),
            ("returned_declined", "200 OK", None),
            ("ok", "", None),
            ("done", "done", None),
            ("error", "", None),
            ("returned", "returned", None),
            ("threads", "GET /doc.txt HTTP/1.0\r\n", None),
            ("none", "none", Some("must return an int such as apache.OK, not NoneType")),
            ("true", "", Some("must return an int such as apache.OK, not bool")),
            ("strange", "", Some("7777")),
            ("text", "", Some("must return an int such as apache.OK, not str")),
            ("fails", "begun ", Some("ValueError: on purpose")),
            ("exits", "", Some("SystemExit: on purpose")),
            ("data", "", Some("TypeError: 'int' object is not callable")),
            ("missing", "", Some("contains no 'missing'")),
        ];
        let handlers = results.map(|(handler, ..)| format!("c::{handler}"));
        let server = site_of(mpm, &handlers.each_ref().map(String::as_str), RESULTS).children(1).start();
        let children = server.child_pids();
        for ((handler, expected, why), number) in results.into_iter().zip(0..) {
            let address = address(&server, number);
            // A connection is looked at once, however many requests come on it.
            if handler == "reads_and_declines" {
                let mut connection = server.raw_at(address);
                for _ in 0..3 {
                    let response = connection.exchange(&server.request("GET", "/doc.txt").keep_alive());
                    assert_eq!(response.text(), "Hello, world!", "{}", server.log());
                }
            }
            for _ in 0..2 {
                server.forget_log();
                let found = after_at(&server, address, GET);
                match expected {
                    "200 OK" => assert!(found.starts_with("HTTP/1.1 200 OK") && found.ends_with("Hello, world!"), "{handler}: {found}"),
                    expected => assert_eq!(found, expected, "{handler}\n{}", server.log()),
                }
                match why {
                    None => logged_nothing(&server),
                    Some(why) => {
                        let entries = server.wait_for_log("MP04", 1);
                        assert!(entries.len() == 1 && entries[0].contains("MP0401") && entries[0].contains(why), "{entries:#?}");
                        assert!(entries[0].contains("PythonConnectionHandler"), "{entries:#?}");
                    }
                }
            }
            still_serves(&server, &children);
        }
    }
}

#[test]
fn a_module_that_cannot_be_imported_is_told() {
    let server = site(Mpm::Event, "nowhere", "").start();
    assert_eq!(after(&server, "x\n"), "");
    let entries = server.wait_for_log("MP0401", 1);
    assert!(entries[0].contains("ModuleNotFoundError: No module named 'nowhere'"), "{entries:?}");
}

const KEEPS: &str = r#"
    kept = []

    def handler(conn):
        if not kept:
            kept.append((conn, conn.notes, conn.hlist))
            return apache.OK
        old, notes, hlist = kept[0]
        assert old is not conn
        for call in (old.read, old.readline, lambda: old.write("x"), lambda: old.log_error("x")):
            raises(RuntimeError, call, says="the connection is no longer valid")
        for name in "id", "client_ip", "base_server", "notes", "hlist", "aborted", "keepalive":
            raises(RuntimeError, getattr, old, name, says="no longer valid")
        raises(RuntimeError, lambda: notes["x"], says="no longer valid")
        raises(RuntimeError, lambda: hlist.handler, says="no longer valid")
        conn.write("checked")
        return apache.OK
"#;

for_each_lasting_mpm! {
    fn a_connection_is_lent_for_its_handler(mpm) {
        let server = site(mpm, "c::handler", KEEPS).children(1).start();
        assert_eq!(after(&server, ""), "");
        assert_eq!(after(&server, ""), "checked", "{}", server.log());
        logged_nothing(&server);
    }

    fn clients_that_reset(mpm) {
        let programs = r#"
            def handler(conn):
                conn.write("ready\n")
                open(scratch(conn, "begun"), "w").close()
                while conn.readline():
                    conn.write("x" * 100000)
                return apache.OK
        "#;
        let server = site(mpm, "c::handler", programs).children(1).start();
        let children = server.child_pids();
        for _ in 0..5 {
            let mut connection = connect(&server);
            connection.read_bytes(6);
            connection.send("and\n");
            connection.abort();
        }
        server.wait_until_asleep();
        // Whether it was reading or writing: no fault of the handler's.
        assert_eq!((server.log_count("MP0401"), server.log_count("Traceback")), (0, 0), "{}", server.log());
        assert!(server.log_count("MP0405") > 0, "{}", server.log());
        still_serves(&server, &children);
    }
}

for_each_mpm! {
    fn servers_are_told_apart_by_address(mpm) {
        let programs = r#"
            def tells(conn):
                conn.write(f"{conn.base_server.server_hostname} {apache.interpreter} {conn.base_server.get_options().get('who')}")
                return apache.OK
        "#;
        let server = site(mpm, "c::tells\nPythonOption who one", programs)
            .config(
                r#"
                Listen 127.0.0.3:${PORT}
                <VirtualHost 127.0.0.3:${PORT}>
                    ServerName third.test
                    PythonOption who three
                    PythonConnectionHandler c::tells
                </VirtualHost>
                Listen 127.0.0.4:${PORT}
                <VirtualHost 127.0.0.4:${PORT}>
                    ServerName fourth.test
                </VirtualHost>
                "#,
            )
            .start();
        assert_eq!(after(&server, ""), "other.test other.test one");
        let third = SocketAddr::from(([127, 0, 0, 3], server.port()));
        let told = server.raw_at(third).finish_sending().read_to_end();
        assert_eq!(String::from_utf8_lossy(&told), "third.test third.test three");
        let fourth = SocketAddr::from(([127, 0, 0, 4], server.port()));
        assert_eq!(server.request("GET", "/doc.txt").at(fourth).send().text(), "Hello, world!");
        logged_nothing(&server);
    }

    fn a_graceful_stop_lets_a_connection_finish(mpm) {
        let server = site(mpm, "c", "").children(2).start();
        let mut connection = connect(&server);
        connection.send("before\n");
        assert_eq!(connection.read_bytes(7), b"before\n");
        std::thread::scope(|scope| {
            let stop = scope.spawn(|| server.stop_with(libc::SIGWINCH));
            server.wait_for_log("shutting down gracefully", 1);
            connection.send("after\n");
            assert_eq!(connection.read_bytes(6), b"after\n");
            connection.finish_sending();
            assert_eq!(connection.read_to_end(), b"");
            stop.join().expect("httpd has stopped");
        });
        logged_nothing(&server);
    }

    fn a_graceful_restart_lets_a_connection_finish(mpm) {
        let server = site(mpm, "c", "").children(2).start();
        let mut connection = connect(&server);
        connection.send("before\n");
        assert_eq!(connection.read_bytes(7), b"before\n");
        server.graceful();
        connection.send("after\n");
        assert_eq!(connection.read_bytes(6), b"after\n");
        // A new one is served meanwhile, where another child can be.
        if mpm != Mpm::OneChild {
            assert_eq!(after(&server, "new\n"), "new\n");
        }
        connection.finish_sending();
        assert_eq!(connection.read_to_end(), b"");
        logged_nothing(&server);
    }
}

#[test]
fn one_connection_does_not_keep_another_waiting() {
    for mpm in [Mpm::Worker, Mpm::Event] {
        let server = site(mpm, "c", "").children(1).threads(4).start();
        let mut connections: Vec<_> = (0..3).map(|_| connect(&server)).collect();
        for connection in &mut connections {
            connection.send("a\n");
            assert_eq!(connection.read_bytes(2), b"a\n");
        }
        assert_eq!(server.get("/doc.txt").text(), "Hello, world!");
        for mut connection in connections {
            assert_eq!(connection.send("b").finish_sending().read_to_end(), b"b");
        }
    }
}
