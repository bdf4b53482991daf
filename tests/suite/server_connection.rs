//! `req.server` and `req.connection`: what they say, and what handlers do with them.

use crate::fixture::{Httpd, Mpm, Response, Server, for_each_lasting_mpm, for_each_mpm};

const HELPERS: &str = r#"
    import os
    import time
    from mod_python import apache

    def raises(kind, function, *arguments):
        try:
            function(*arguments)
        except kind as error:
            return str(error)
        raise AssertionError(f'{kind} was not raised')

"#;

/// A handler that answers `ok` if its body, the lines of a function of `req`, ends well.
fn checks(body: &str) -> String {
    let margin = |line: &str| line.len() - line.trim_start().len();
    let least = body.lines().filter(|line| !line.trim().is_empty()).map(margin).min().unwrap_or(0);
    let body: String =
        body.lines().map(|line| "        ".to_owned() + line.get(least..).unwrap_or("") + "\n").collect();
    format!("{HELPERS}    def handler(req):\n{body}        req.write('ok')\n        return apache.OK\n")
}

/// A server with that handler as /check.
fn checking(mpm: Mpm, body: &str) -> Httpd {
    Httpd::new(mpm).children(1).handler("check", &checks(body))
}

#[track_caller]
fn is_ok(server: &Server, response: &Response) {
    assert_eq!((response.status, response.text().as_str()), (200, "ok"), "{}", server.log());
}

#[test]
fn a_server_tells_its_configuration() {
    let server = checking(
        Mpm::Event,
        r#"
        server = req.server
        root = apache.server_root()
        assert str(type(server)) == "<class 'mp_server'>"
        assert (server.server_hostname, server.port, server.is_virtual) == ('a.test', 8443, 1)
        assert (server.server_admin, server.path, server.pathlen) == ('me@a.test', '/legacy', 7)
        assert server.names == ('b.test', 'c.test') and server.wild_names == ('*.d.test',), server.wild_names
        assert (server.timeout, server.keep_alive_timeout) == (17.0, 1.5), server.keep_alive_timeout
        assert (server.keep_alive, server.keep_alive_max) == (0, 33)
        assert (server.limit_req_line, server.limit_req_fieldsize, server.limit_req_fields) == (5000, 6000, 70)
        assert server.error_fname == root + '/a.log', server.error_fname
        assert server.loglevel == apache.APLOG_INFO, server.loglevel
        assert server.defn_name == root + '/httpd.conf' and server.defn_line_number > 10
        assert type(server.my_generation) is int and server.my_generation >= 0
        assert type(server.restart_time) is float and abs(time.time() - server.restart_time) < 60
        assert type(server._server_rec).__name__ == 'PyCapsule'

        main = apache.main_server
        assert main.is_virtual == 0 and main.server_hostname == 'localhost'
        assert main.names == main.wild_names == () and main.path is None and main.pathlen == 0
        assert main.timeout == 60.0 and main.keep_alive == 1
        seen = []
        at = main
        while at is not None:
            seen.append(at)
            at = at.next
        assert server in seen and len(seen) == 3, seen
        assert main.next is seen[1] and seen[1].next is seen[2]

        for name in ('port', 'next', 'server_hostname'):
            raises(AttributeError, setattr, server, name, 1)
            raises(AttributeError, delattr, server, name)
        raises(AttributeError, getattr, server, 'nothing')
        raises(TypeError, type(server))
        class Mine(type(server)):
            pass
        raises(TypeError, Mine)
        "#,
    )
    .vhost(
        "a.test:8443",
        "ServerAlias b.test *.d.test c.test\nServerAdmin me@a.test\nServerPath /legacy\nTimeout 17\nKeepAlive Off\n\
         KeepAliveTimeout 1500ms\nMaxKeepAliveRequests 33\nLimitRequestLine 5000\nLimitRequestFieldSize 6000\n\
         LimitRequestFields 70\nErrorLog ${ROOT}/a.log\nLogLevel info",
    )
    .start();
    is_ok(&server, &server.request("GET", "/check").host("a.test").send());
}

#[test]
fn a_server_gives_its_directives_as_a_copy_and_its_options_as_one_table() {
    let server = checking(
        Mpm::Event,
        r#"
        config = req.server.get_config()
        assert str(type(config)) == "<class 'mp_table'>"
        expected = {'PythonInterpreter': 'mine', 'PythonDebug': '1', 'PythonAutoReload': '0',
                    'PythonInterpPerDirective': '1', 'PythonPath': f"sys.path + ['{os.path.dirname(__file__)}']"}
        assert dict(config.items()) == expected, config.items()
        options = req.server.get_options()
        assert dict(options.items()) == {'Main': 'm', 'both': 'own', 'gone': '', 'spaced': 'a  b'}, options.items()
        config['x'] = options['x'] = 'y'
        del options['gone']
        assert 'x' not in req.server.get_config() and req.server.get_options() is options
        assert dict(req.server.get_options().items()) == {'Main': 'm', 'both': 'own', 'spaced': 'a  b', 'x': 'y'}, options.items()
        assert 'x' not in req.get_options() and 'x' not in apache.main_server.get_options()
        main = apache.main_server
        assert dict(main.get_config().items()) == {'PythonAutoReload': '0'}, main.get_config().items()
        assert dict(main.get_options().items()) == {'Main': 'm', 'both': 'outer'}
        main.get_options()['both'] = 'written'
        assert main.get_options() is main.get_options() and main.get_options()['both'] == 'written'
        raises(TypeError, req.server.get_config, 1)
        raises(TypeError, req.server.get_options, 1)
        "#,
    )
    .config("PythonAutoReload Off\nPythonOption Main m\nPythonOption both outer")
    .config("<Location />\nPythonOption elsewhere 1\nPythonInterpreter mine\n</Location>")
    .vhost(
        "a.test",
        "PythonInterpreter mine\nPythonDebug On\nPythonInterpPerDirective On\nPythonPath \"sys.path + ['${HTDOCS}/check']\"\n\
         PythonOption both own\nPythonOption gone\nPythonOption spaced \"a  b\"",
    )
    .start();
    is_ok(&server, &server.request("GET", "/check").host("a.test").send());
}

for_each_lasting_mpm! {
    fn what_is_set_on_a_server_stays(mpm) {
        let source = r#"
            from mod_python import apache

            def handler(req):
                assert req.server is req.server
                assert req.server is apache.main_server or req.server.is_virtual
                req.server.count = getattr(req.server, 'count', 0) + 1
                req.write(f'{req.server.server_hostname} {req.server.count} {len(req.server.__dict__)}')
                return apache.OK
        "#;
        let server = Httpd::new(mpm)
            .children(1)
            .handler("count", source)
            .vhost("a.test", "PythonInterpreter shared")
            .vhost("b.test", "PythonInterpreter shared")
            .start();
        let get = |host: &str| server.request("GET", "/count").host(host).send().text().to_owned();
        for expected in ["1", "2", "3"] {
            assert_eq!(get("a.test"), format!("a.test {expected} 1"), "{}", server.log());
        }
        assert_eq!(get("b.test"), "b.test 1 1");
        assert_eq!(get("localhost"), "localhost 1 1");
    }
}

#[test]
fn a_server_logs_to_its_own_log() {
    let server = checking(
        Mpm::Event,
        r#"
        req.server.log_error('an error')
        req.server.log_error('a warning', apache.APLOG_WARNING)
        req.server.log_error('for debuggers', apache.APLOG_DEBUG)
        req.server.log_error(None)
        apache.main_server.log_error('for the main one')
        raises(TypeError, req.server.log_error)
        raises(TypeError, req.server.log_error, 1)
        "#,
    )
    .vhost("a.test", "ErrorLog ${ROOT}/a.log\nLogLevel warn")
    .start();
    is_ok(&server, &server.request("GET", "/check").host("a.test").send());
    let own = std::fs::read_to_string(server.root().join("a.log")).expect("the host's log");
    assert!(own.contains("an error") && own.contains("[python:warn]") && !own.contains("for debuggers"), "{own}");
    assert!(!own.contains("for the main one") && server.log_count("for the main one") == 1);
}

for_each_lasting_mpm! {
    fn a_connection_tells_its_ends_and_its_state(mpm) {
        let server = checking(
            mpm,
            r#"
            conn = req.connection
            assert conn is req.connection and str(type(conn)) == "<class 'mp_conn'>"
            port = int(req.uri.rpartition('/')[2])
            assert conn.local_addr == ('127.0.0.1', port), conn.local_addr
            ip, client_port = conn.client_addr
            assert ip == conn.client_ip == '127.0.0.1' and client_port > 0
            assert conn.remote_addr == conn.client_addr and conn.remote_ip == conn.client_ip
            assert conn.remote_addr == conn.client_addr and conn.remote_ip == conn.client_ip
            assert conn.local_ip == '127.0.0.1' and conn.local_host is None
            assert conn.remote_logname is None and conn.remote_host is None
            assert (conn.aborted, conn.double_reverse, conn.keepalives) == (0, 0, 0)
            assert type(conn.id) is int and conn.hlist is None
            assert conn.base_server is apache.main_server
            assert type(conn._conn_rec).__name__ == 'PyCapsule'

            conn.notes['seen'] = 'by me'
            assert conn.notes['seen'] == 'by me'

            for value in (apache.AP_CONN_CLOSE, apache.AP_CONN_UNKNOWN, apache.AP_CONN_KEEPALIVE):
                conn.keepalive = value
                assert conn.keepalive == value
            assert '7' in raises(ValueError, setattr, conn, 'keepalive', 7)
            raises(TypeError, setattr, conn, 'keepalive', 'x')
            raises(AttributeError, delattr, conn, 'keepalive')

            for name in ('client_ip', 'aborted', 'notes'):
                raises(AttributeError, setattr, conn, name, 'x')
            raises(AttributeError, setattr, conn, 'mine', 1)
            raises(AttributeError, getattr, conn, 'mine')
            raises(TypeError, type(conn))

            conn.log_error('on the connection', apache.APLOG_WARNING)
            conn.log_error(None)
            raises(TypeError, conn.log_error, 1)
            "#,
        )
        .start();
        is_ok(&server, &server.get(&format!("/check/{}", server.port())));
        is_ok(&server, &server.get(&format!("/check/{}", server.port())));
        let old: Vec<_> = server.log_lines("MP0530");
        let warnings = old.iter().filter(|line| line.contains("[python:warn]")).count();
        assert_eq!((warnings, old.len()), (2, 8), "{old:?}");
        let [logged, _] = &server.log_lines("on the connection")[..] else { panic!("{}", server.log()) };
        assert!(logged.contains("[python:warn]") && logged.contains("[client 127.0.0.1:"), "{logged}");
    }
}

#[test]
fn notes_and_keepalives_belong_to_the_connection() {
    let source = r#"
        from mod_python import apache

        def handler(req):
            conn = req.connection
            before = conn.keepalives
            req.write(f"{before} {conn.notes.get('seen', '-')}")
            conn.notes['seen'] = str(before)
            if before == 2:
                conn.keepalive = apache.AP_CONN_CLOSE
            return apache.OK
    "#;
    let server = Httpd::new(Mpm::Event).shared();
    let path = server.add_handler(source);
    let mut connection = server.raw();
    let request = server.request("GET", &path).keep_alive();
    for expected in ["0 -", "1 0", "2 1"] {
        assert_eq!(connection.exchange(&request).text(), expected, "{}", server.log());
    }
    assert_eq!(connection.read_to_end(), b"", "the handler had it closed");
}

/// Reads what follows its own request on the connection.
const READ: &str = r#"
    from mod_python import apache

    def handler(req):
        conn = req.connection
        conn.keepalive = apache.AP_CONN_CLOSE
        got = [conn.readline(), conn.readline(3), conn.readline(100), conn.readline(2), conn.read(4), conn.read(0)]
        conn.write('go on\n')
        got += [conn.readline(), conn.read(-1), conn.read(), conn.read(5), conn.readline(), conn.readline(5), conn.read(-1)]
        shown = [len(part) if part and len(part) > 100 else part for part in got]
        conn.write(repr(shown))
        return apache.DONE
"#;

for_each_mpm! {
    fn bytes_are_read_as_they_come(mpm) {
        let server = Httpd::new(mpm).shared();
        let path = server.add_handler(READ);
        let mut connection = server.raw();
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\nfirst\r\nsecond\nab\n0123456789"));
        assert_eq!(connection.read_bytes(6), b"go on\n", "{}", server.log());
        let long = [&b"x".repeat(20_000)[..], b"\n", &b"y".repeat(30_000)].concat();
        connection.send(&long).finish_sending();
        let shown = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
        let expected = r"[b'first\r\n', b'sec', b'ond\n', b'ab', b'\n012', b'3456789', 20001, 30000, None, None, None, None, None]";
        assert!(shown.starts_with(expected), "{shown}\n{}", server.log());
    }

    fn a_handler_that_waits_for_bytes_holds_nobody_up(mpm) {
        let source = r#"
            from mod_python import apache

            def handler(req):
                if req.uri.endswith('/wait'):
                    req.connection.keepalive = apache.AP_CONN_CLOSE
                    req.write((req.connection.readline() or b'nothing').decode())
                else:
                    req.write('meanwhile')
                return apache.OK
        "#;
        let children = if mpm.is_threaded() { 1 } else { 2 };
        let server = Httpd::new(mpm).children(children).handler("wait", source).start();
        let mut waiting = server.raw();
        waiting.send("GET /wait/wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
        for _ in 0..3 {
            assert_eq!(server.get("/wait/not").text(), "meanwhile");
        }
        waiting.send("now\n");
        assert_eq!(waiting.response().text(), "now\n");
    }
}

#[test]
fn bytes_are_written_at_once() {
    let source = r#"
        import time
        from mod_python import apache

        def handler(req):
            conn = req.connection
            conn.keepalive = apache.AP_CONN_CLOSE
            assert conn.write('é') is None
            conn.write(b'\x00\xff')
            conn.write(bytearray(b'array'))
            conn.write(memoryview(b'view'))
            conn.write('')
            for wrong in (None, 1, ['x']):
                try:
                    conn.write(wrong)
                except TypeError:
                    pass
                else:
                    conn.write('no TypeError')
            assert conn.readline() == b'seen\n'
            conn.write(b'.' * 3_000_000)
            return apache.DONE
    "#;
    let server = Httpd::new(Mpm::Event).shared();
    let path = server.add_handler(source);
    let mut connection = server.raw();
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(connection.read_bytes(13), b"\xc3\xa9\x00\xffarrayview", "{}", server.log());
    connection.send("seen\n");
    let rest = connection.read_to_end();
    assert!(rest.len() >= 3_000_000 && rest[..3_000_000].iter().all(|byte| *byte == b'.'), "{}", rest.len());
}

for_each_mpm! {
    fn a_client_that_goes_away_is_told_as_an_error(mpm) {
        let source = r#"
            import _apache
            from mod_python import apache

            def handler(req):
                conn = req.connection
                conn.readline()
                try:
                    while True:
                        conn.write(b'.' * 100_000)
                except ConnectionError as error:
                    assert type(error) is _apache.ClientGone, type(error)
                    apache.log_error(f'gone while writing, aborted {conn.aborted}', apache.APLOG_NOTICE)
                try:
                    conn.read(-1)
                except OSError as error:
                    apache.log_error('gone while reading', apache.APLOG_NOTICE)
                conn.write(b'again')
        "#;
        let server = Httpd::new(mpm).children(1).handler("gone", source).start();
        let mut connection = server.raw();
        connection.send("GET /gone HTTP/1.1\r\nHost: localhost\r\n\r\ngo\n");
        connection.read_bytes(1);
        connection.abort();
        let [gone] = &server.wait_for_log("gone while writing", 1)[..] else { panic!("once") };
        assert!(gone.contains("aborted 1"), "{gone}");
        let [quiet] = &server.wait_for_log("MP0405", 1)[..] else { panic!("{}", server.log()) };
        assert!(quiet.contains("[python:info]"), "{quiet}");
        assert_eq!(server.log_count("Traceback"), 0, "{}", server.log());
        assert_eq!(server.get("/nothing").status, 404);
    }
}

for_each_lasting_mpm! {
    fn a_connection_kept_beyond_its_request_says_so(mpm) {
        let source = r#"
            from mod_python import apache
            kept = []

            def tried(function, *arguments):
                try:
                    return function(*arguments)
                except RuntimeError as error:
                    return 'no longer valid' in str(error)

            def handler(req):
                if kept:
                    conn = kept[0]
                    answers = [tried(getattr, conn, name) for name in ('client_ip', 'client_addr', 'notes', 'hlist', 'id')]
                    answers += [tried(conn.read), tried(conn.readline), tried(conn.write, 'x'), tried(conn.log_error, 'x')]
                    answers += [tried(setattr, conn, 'keepalive', 1), kept[1].server_hostname == 'localhost']
                    req.write(str(set(answers)))
                else:
                    kept.extend([req.connection, req.server])
                    req.write('kept')
                return apache.OK
        "#;
        let server = Httpd::new(mpm).children(1).handler("keep", source).start();
        assert_eq!(server.get("/keep").text(), "kept");
        assert_eq!(server.get("/keep").text(), "{True}", "{}", server.log());
    }
}

for_each_mpm! {
    fn a_thread_of_a_handler_may_use_the_connection_meanwhile(mpm) {
        let server = Httpd::new(mpm).shared();
        let path = server.add_handler(&checks(
            r#"
            import threading
            seen = []
            def look():
                seen.append((req.connection.client_ip, req.server.server_hostname))
            threads = [threading.Thread(target=look) for _ in range(5)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert seen == [('127.0.0.1', 'localhost')] * 5, seen
            "#,
        ));
        is_ok(&server, &server.get(&path));
    }
}
