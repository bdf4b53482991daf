//! `_apache` and `mod_python.apache`: the functions and constants that a handler finds.

use crate::fixture::{Httpd, Mpm, Server, for_each_lasting_mpm, for_each_mpm, has_own_gil, wait_until};

/// A handler that ends well if the body of `check(req)` does.
fn checks(body: &str) -> String {
    let body: String =
        body.lines().map(|line| "    ".to_owned() + line.strip_prefix("        ").unwrap_or(line) + "\n").collect();
    format!(
        "import _apache\nimport os\nimport threading\nfrom mod_python import apache\n\n\
         def raises(kind, function, *arguments):\n    try:\n        function(*arguments)\n    except kind as error:\n        return str(error)\n    raise AssertionError(f'{{kind}} was not raised')\n\n\
         def check(req):\n{body}\n\
         def handler(req):\n    check(req)\n    req.write('ok')\n    return apache.OK\n"
    )
}

/// Serves `/check`, that handler; `ok()` sends the request.
fn checking(mpm: Mpm, body: &str) -> Httpd {
    Httpd::new(mpm).children(1).handler("check", &checks(body))
}

/// The same by a server that is shared.
#[track_caller]
fn holds(body: &str) {
    let server = Httpd::new(Mpm::Event).shared();
    is_ok(&server, &server.add_handler(&checks(body)));
}

#[track_caller]
fn ok(server: &Server) {
    is_ok(server, "/check");
}

#[track_caller]
fn is_ok(server: &Server, path: &str) {
    let response = server.get(path);
    assert_eq!((response.status, response.text().as_str()), (200, "ok"), "{}", server.log());
}

/// The reference's constants, a line for each prefix.
const CONSTANTS: &str = "
    : OK 0, REQ_PROCEED 0, DECLINED -1, REQ_NOACTION -1, DONE -2, REQ_ABORTED 500
    HTTP_: CONTINUE 100, SWITCHING_PROTOCOLS 101, PROCESSING 102, OK 200, CREATED 201, ACCEPTED 202, NON_AUTHORITATIVE 203
    HTTP_: NO_CONTENT 204, RESET_CONTENT 205, PARTIAL_CONTENT 206, MULTI_STATUS 207, MULTIPLE_CHOICES 300
    HTTP_: MOVED_PERMANENTLY 301, MOVED_TEMPORARILY 302, SEE_OTHER 303, NOT_MODIFIED 304, USE_PROXY 305
    HTTP_: TEMPORARY_REDIRECT 307, BAD_REQUEST 400, UNAUTHORIZED 401, PAYMENT_REQUIRED 402, FORBIDDEN 403, NOT_FOUND 404
    HTTP_: METHOD_NOT_ALLOWED 405, NOT_ACCEPTABLE 406, PROXY_AUTHENTICATION_REQUIRED 407, REQUEST_TIME_OUT 408, CONFLICT 409
    HTTP_: GONE 410, LENGTH_REQUIRED 411, PRECONDITION_FAILED 412, REQUEST_ENTITY_TOO_LARGE 413, REQUEST_URI_TOO_LARGE 414
    HTTP_: UNSUPPORTED_MEDIA_TYPE 415, RANGE_NOT_SATISFIABLE 416, EXPECTATION_FAILED 417, IM_A_TEAPOT 418
    HTTP_: UNPROCESSABLE_ENTITY 422, LOCKED 423, FAILED_DEPENDENCY 424, UPGRADE_REQUIRED 426, INTERNAL_SERVER_ERROR 500
    HTTP_: NOT_IMPLEMENTED 501, BAD_GATEWAY 502, SERVICE_UNAVAILABLE 503, GATEWAY_TIME_OUT 504, VERSION_NOT_SUPPORTED 505
    HTTP_: VARIANT_ALSO_VARIES 506, INSUFFICIENT_STORAGE 507, NOT_EXTENDED 510
    APLOG_: EMERG 0, ALERT 1, CRIT 2, ERR 3, WARNING 4, NOTICE 5, INFO 6, DEBUG 7, NOERRNO 0
    REMOTE_: HOST 0, NAME 1, NOLOOKUP 2, DOUBLE_REV 3
    FINFO_: MODE 0, INO 1, DEV 2, NLINK 3, UID 4, GID 5, SIZE 6, ATIME 7, MTIME 8, CTIME 9, FNAME 10, NAME 11, FILETYPE 12
    URI_: SCHEME 0, HOSTINFO 1, USER 2, PASSWORD 3, HOSTNAME 4, PORT 5, PATH 6, QUERY 7, FRAGMENT 8
    PROXYREQ_: NONE 0, PROXY 1, REVERSE 2, RESPONSE 3
    M_: GET 0, PUT 1, POST 2, DELETE 3, CONNECT 4, OPTIONS 5, TRACE 6, PATCH 7, PROPFIND 8, PROPPATCH 9, MKCOL 10, COPY 11
    M_: MOVE 12, LOCK 13, UNLOCK 14, VERSION_CONTROL 15, CHECKOUT 16, UNCHECKOUT 17, CHECKIN 18, UPDATE 19, LABEL 20
    M_: REPORT 21, MKWORKSPACE 22, MKACTIVITY 23, BASELINE_CONTROL 24, MERGE 25, INVALID 26
    AP_REQ_: ACCEPT_PATH_INFO 0, REJECT_PATH_INFO 1, DEFAULT_PATH_INFO 2
    AP_MPMQ_: NOT_SUPPORTED 0, STATIC 1, DYNAMIC 2, MAX_DAEMON_USED 1, IS_THREADED 2, IS_FORKED 3, HARD_LIMIT_DAEMONS 4
    AP_MPMQ_: HARD_LIMIT_THREADS 5, MAX_THREADS 6, MIN_SPARE_DAEMONS 7, MIN_SPARE_THREADS 8, MAX_SPARE_DAEMONS 9
    AP_MPMQ_: MAX_SPARE_THREADS 10, MAX_REQUESTS_DAEMON 11, MAX_DAEMONS 12
    REQUEST_: NO_BODY 0, CHUNKED_ERROR 1, CHUNKED_DECHUNK 2
    AP_CONN_: UNKNOWN 0, CLOSE 1, KEEPALIVE 2
    APR_: NOFILE 0, REG 1, DIR 2, CHR 3, BLK 4, PIPE 5, LNK 6, SOCK 7, UNKFILE 127
    MODULE_MAGIC_NUMBER_: MAJOR 20120211
    APR_FINFO_: LINK 1, MTIME 16, CTIME 32, ATIME 64, SIZE 256, CSIZE 512, DEV 4096, INODE 8192, NLINK 16384, TYPE 32768
    APR_FINFO_: USER 65536, GROUP 131072, UPROT 1048576, GPROT 2097152, WPROT 4194304, ICASE 16777216, NAME 33554432
    APR_FINFO_: MIN 33136, IDENT 12288, OWNER 196608, PROT 7340032, NORM 7582064, DIRENT 33554432
";

#[test]
fn the_constants_are_the_references() {
    let mut body = String::new();
    for line in CONSTANTS.lines().filter_map(|line| line.trim().split_once(':')) {
        for (name, value) in line.1.split(", ").filter_map(|pair| pair.trim().split_once(' ')) {
            body += &format!("        assert apache.{0}{name} == {value}, '{0}{name}'\n", line.0);
        }
    }
    assert!(body.lines().count() > 150, "the table was read");
    body += "        assert apache.REQ_EXIT == 'REQ_EXIT'\n\
             \x20       assert apache.CGI_MAGIC_TYPE == 'application/x-httpd-cgi'\n\
             \x20       assert apache.INCLUDES_MAGIC_TYPE == 'text/x-server-parsed-html'\n\
             \x20       assert apache.INCLUDES_MAGIC_TYPE3 == 'text/x-server-parsed-html3'\n\
             \x20       assert apache.DIR_MAGIC_TYPE == 'httpd/unix-directory'\n\
             \x20       assert isinstance(apache.MODULE_MAGIC_NUMBER_MINOR, int)\n\
             \x20       for name in 'AP_CONN_CLOSE APR_REG MODULE_MAGIC_NUMBER_MAJOR SERVER_RETURN table'.split():\n\
             \x20           assert getattr(_apache, name) is getattr(apache, name), name\n";
    holds(&body);
}

#[test]
fn the_configuration_is_given_as_a_copy() {
    let server = checking(
        Mpm::Event,
        r#"
        tree = apache.config_tree()
        assert type(tree) is list
        assert ('ServerName', 'localhost') in tree, tree
        at = tree.index(('<VirtualHost', '*:1>'))
        assert tree[at + 1] == [
            ('ServerName', 'a.test'),
            ('<Location', '"/ä">'),
            [('PythonOption', 'one "two three"')],
            ('DocumentRoot', ''),
        ][:3], tree[at + 1]
        assert type(tree[at + 2]) is tuple
        tree.clear()
        assert ('ServerName', 'localhost') in apache.config_tree()
        raises(TypeError, apache.config_tree, 1)
        "#,
    )
    .config("<VirtualHost *:1>\nServerName a.test\n<Location \"/ä\">\nPythonOption one \"two three\"\n</Location>\n</VirtualHost>")
    .config("TraceEnable off")
    .start();
    ok(&server);
}

for_each_mpm! {
    fn the_process_model_is_told(mpm) {
        let server = checking(mpm, &format!(
            r#"
        assert apache.mpm_name() == '{module}'
        assert bool(apache.mpm_query(apache.AP_MPMQ_IS_THREADED)) is {threaded}
        assert apache.mpm_query(apache.AP_MPMQ_IS_FORKED) != apache.AP_MPMQ_NOT_SUPPORTED
        assert apache.mpm_query(apache.AP_MPMQ_MAX_DAEMONS) == 1
        assert apache.mpm_query(12345) == apache.mpm_query(-1) == apache.mpm_query(2 ** 40) == 0
        for wrong in ('2', 2.0, None):
            assert 'int' in raises(TypeError, apache.mpm_query, wrong)
        raises(TypeError, apache.mpm_query)

        info = apache.interpreter_info()
        assert info['name'] == apache.interpreter == 'localhost', info
        assert info['gil'] == 'shared' and info['main'] is False, info
        assert info['id'] > 0 and info['python'] == __import__('platform').python_version(), info
        before = info['thread_states']
        gate = threading.Event()
        thread = threading.Thread(target=gate.wait)
        thread.start()
        assert apache.interpreter_info()['thread_states'] > before >= 1
        gate.set()
        thread.join()
            "#,
            module = mpm.module(),
            threaded = if mpm.is_threaded() { "True" } else { "False" },
        ))
        .config("PythonInterpreterOptions * gil=shared")
        .start();
        ok(&server);
    }
}

#[test]
fn the_start_of_the_server_is_told() {
    let server = checking(
        Mpm::Event,
        r#"
        assert os.path.samefile(apache.server_root(), os.path.dirname(os.path.dirname(os.path.dirname(req_file))))
        assert apache.exists_config_define('SAID') is True
        assert apache.exists_config_define('FOREGROUND') is True
        assert apache.exists_config_define('UNSAID') is False
        raises(TypeError, apache.exists_config_define, 1)
        raises(ValueError, apache.exists_config_define, 'a\0b')
        "#
        .replace("req_file", "__file__")
        .as_str(),
    )
    .config("Define SAID")
    .start();
    ok(&server);
}

#[test]
fn forms_are_parsed() {
    holds(
        r#"
        qs, qsl = _apache.parse_qs, _apache.parse_qsl
        for text, pairs in [
            ('', []),
            ('x=10', [('x', '10')]),
            ('a=1&b=2;c=3', [('a', '1'), ('b', '2'), ('c', '3')]),
            ('a=1&a=2&A=3', [('a', '1'), ('a', '2'), ('A', '3')]),
            ('a+b=c%20d&%61=%c3%A9', [('a b', 'c d'), ('a', 'é')]),
            ('a==b&=c&&;d=%3D%26', [('a', '=b'), ('', 'c'), ('d', '=&')]),
            ('a=%zz&b=%4&c=%&d=100%25', [('a', '%zz'), ('b', '%4'), ('c', '%'), ('d', '100%')]),
            ('a=&b&c=1', [('c', '1')]),
            ('é=ü', [('é', 'ü')]),
            ('a=%ff&%e9=1', [('a', 'ÿ'), ('é', '1')]),
            ('a=\udcff', [('a', 'ÿ')]),
            ('a=x%00y&b=z', [('a', 'x'), ('b', 'z')]),
        ]:
            assert qsl(text) == pairs, (text, qsl(text))
            grouped = {}
            for name, value in pairs:
                grouped.setdefault(name, []).append(value)
            assert qs(text) == grouped and list(qs(text)) == list(grouped), (text, qs(text))
        assert qsl('a=&b&c=1', 1) == [('a', ''), ('b', ''), ('c', '1')]
        assert qs('a=&b&c=1', True, True) == {'a': [''], 'b': [''], 'c': ['1']}
        assert qs('%e9=1&%c3%a9=2') == {'é': ['1', '2']}
        assert qsl(b'x=10&y=%ff;%C3%A9=+') == [(b'x', b'10'), (b'y', b'\xff'), (b'\xc3\xa9', b' ')]
        assert qs(b'x=1&x=2') == {b'x': [b'1', b'2']}
        for wrong in (None, 1, ['a']):
            raises(TypeError, qs, wrong)
            raises(TypeError, qsl, wrong)
        many = '&'.join(f'k{n}=v' for n in range(50000))
        assert len(qs(many)) == len(qsl(many)) == 50000
        "#,
    );
}

#[test]
fn entries_reach_the_log_that_is_meant() {
    let server = checking(
        Mpm::Event,
        r#"
        apache.log_error('to the main one')
        apache.log_error('in danger', apache.APLOG_EMERG)
        apache.log_error('by the way', apache.APLOG_DEBUG)
        apache.log_error('to this one', apache.APLOG_WARNING, req.server)
        apache.log_error(None)
        apache.log_error('lone \ud800 surrogate and a\nline break')
        assert 'server' in raises(TypeError, apache.log_error, 'x', apache.APLOG_ERR, 'localhost')
        raises(TypeError, apache.log_error, b'bytes')
        raises(TypeError, apache.log_error, 'x', 'err')
        _apache._log(apache.APLOG_ERR, 'on the request')
        "#,
    )
    .vhost("a.test", "ErrorLog ${ROOT}/a.log")
    .start();
    let response = server.request("GET", "/check").host("a.test").send();
    assert_eq!(response.text(), "ok", "{}", server.log());

    let [main] = &server.wait_for_log("to the main one", 1)[..] else { panic!("one entry") };
    assert!(main.contains("[python:error]") && !main.contains("[client"), "{main}");
    assert!(server.log_lines("in danger")[0].contains("[python:emerg]"));
    assert!(server.log_lines("by the way")[0].contains("[python:debug]"));
    assert!(server.log_lines("lone")[0].contains(r"lone \\ud800 surrogate and a\nline break"), "{}", server.log());
    let own = std::fs::read_to_string(server.root().join("a.log")).expect("the host's log");
    assert!(own.lines().any(|line| line.contains("[python:warn]") && line.contains("to this one")), "{own}");
    assert!(own.lines().any(|line| line.contains("[client") && line.contains("on the request")), "{own}");
    assert!(!own.contains("None"));
}

for_each_mpm! {
    fn a_thread_without_a_request_logs_to_the_main_server(mpm) {
        let server = checking(
            mpm,
            r#"
        import logging
        def work():
            print('printed by a thread')
            print('and no line end', end='')
            apache.log_error('said by a thread')
            assert _apache._current_request() is None
            1 / 0
        assert _apache._current_request() is req
        thread = threading.Thread(target=work, name='worker bee')
        thread.start()
        thread.join()
        print('printed by the request')
            "#,
        )
        .vhost("a.test", "ErrorLog ${ROOT}/a.log")
        .start();
        // The connection stays open: the rest of a line is written when the thread is gone, if its process is still there.
        let mut connection = server.raw();
        let response = connection.exchange(&server.request("GET", "/check").host("a.test").keep_alive());
        assert_eq!(response.text(), "ok", "{}", server.log());

        for text in ["printed by a thread", "and no line end", "said by a thread", "worker bee", "ZeroDivisionError: division"] {
            let lines = server.wait_for_log(text, 1);
            assert!(!lines[0].contains("[client"), "{lines:?}");
        }
        let own = std::fs::read_to_string(server.root().join("a.log")).expect("the host's log");
        assert!(own.lines().any(|line| line.contains("[client") && line.contains("printed by the request")), "{own}");
        assert!(!own.contains("by a thread"), "{own}");
    }
}

#[test]
fn files_are_described() {
    let server = checking(
        Mpm::Event,
        r#"
        found = apache.stat(__file__, apache.APR_FINFO_NORM)
        here = os.stat(__file__)
        assert str(type(found)) == "<class 'mp_finfo'>"
        assert found.filetype == apache.APR_REG and found.fname == __file__
        assert (found.size, found.inode, found.mtime) == (here.st_size, here.st_ino, int(here.st_mtime))
        assert apache.stat(os.path.dirname(__file__), apache.APR_FINFO_TYPE).filetype == apache.APR_DIR
        assert apache.stat('/nowhere/at/all', apache.APR_FINFO_MIN).filetype == apache.APR_NOFILE
        try:
            apache.stat(__file__ + '/x', apache.APR_FINFO_MIN)
        except NotADirectoryError as error:
            assert error.filename == __file__ + '/x', error
        else:
            raise AssertionError
        assert _apache.stat(fname_of('é ÿ'), apache.APR_FINFO_SIZE).size == 3
        raises(TypeError, _apache.stat, __file__)
        raises(TypeError, _apache.stat, 1, 2)
        raises(ValueError, _apache.stat, 'a\0b', 2)
        raises(ValueError, _apache.stat, 'a', 2 ** 40)
        "#
        .replace("fname_of('é ÿ')", "os.path.join(os.path.dirname(__file__), 'é ÿ')")
        .as_str(),
    )
    .binary_file("check/é ÿ", b"abc")
    .start();
    ok(&server);
}

for_each_lasting_mpm! {
    /// Where Python has own GILs (3.12), each interpreter's exit functions run on a thread of their own.
    fn exit_functions_run_under_a_gil_of_their_own(mpm) {
        // A single GIL for all leaves nothing to see.
        if !has_own_gil() {
            return;
        }
        let source = r#"
            import os
            from mod_python import apache

            def note(data):
                with open(os.path.join(apache.server_root(), 'scratch', data), 'w') as file:
                    file.write(apache.interpreter_info()['gil'])

            def handler(req):
                apache.register_cleanup(note, apache.interpreter)
                req.write('ok')
                return apache.OK
        "#;
        let server = Httpd::new(mpm)
            .children(1)
            .config("PythonInterpreterOptions * gil=own")
            .handler("check", source)
            .vhost("a.test", "")
            .vhost("b.test", "")
            .start();
        for host in ["a.test", "b.test"] {
            let response = server.request("GET", "/check").host(host).send();
            assert_eq!(response.text(), "ok", "{}", server.log());
        }
        server.stop();
        for host in ["a.test", "b.test"] {
            let written = std::fs::read_to_string(server.scratch().join(host)).unwrap_or_default();
            assert_eq!(written, "own", "{host}: {}", server.log());
        }
    }
}

for_each_lasting_mpm! {
    fn exit_functions_run_when_the_child_ends(mpm) {
        let source = r#"
            import os
            from mod_python import apache

            PATH = os.path.join(apache.server_root(), 'scratch', 'exit')

            def note(text):
                with open(PATH, 'a') as file:
                    file.write(f'{apache.interpreter} {text}\n')

            def broken(data):
                print(f'printed by {data}', end='')
                raise LookupError('broken on purpose')

            def handler(req):
                apache.register_cleanup(note)
                apache.register_cleanup(note, 'first')
                req.server.register_cleanup(req, broken, 'the broken one')
                req.server.register_cleanup(req, note, 'second')
                for wrong in ((None, note), (req, 1)):
                    try:
                        req.server.register_cleanup(*wrong)
                    except ValueError:
                        pass
                    else:
                        return 500
                for wrong in (('x', None, note), ('x', req.server, 1), ('x', req, note)):
                    try:
                        apache._apache.register_cleanup(*wrong)
                    except ValueError:
                        pass
                    else:
                        return 500
                req.write('ok')
                return apache.OK
        "#;
        let server = Httpd::new(mpm)
            .children(1)
            .handler("check", source)
            .vhost("main.test", "PythonInterpreter main_interpreter\nErrorLog ${ROOT}/main.log")
            .start();
        ok(&server);
        assert_eq!(server.request("GET", "/check").host("main.test").send().text(), "ok", "{}", server.log());
        let written = || std::fs::read_to_string(server.scratch().join("exit")).unwrap_or_default();
        assert_eq!(written(), "");

        if mpm.is_threaded() {
            server.graceful();
        } else {
            server.stop();
        }
        // Interpreters that share no GIL end at the same time: each one's lines are in order.
        let lines_of = |name: &str| -> Vec<String> {
            written().lines().filter(|line| line.starts_with(name)).map(String::from).collect()
        };
        wait_until("the exit functions", || {
            ["localhost", "main_interpreter"].iter().all(|name| {
                lines_of(name) == ["second", "first", "None"].map(|data| format!("{name} {data}"))
            })
        });
        assert_eq!(written().lines().count(), 6, "{}", written());
        let failed = server.wait_for_log("MP0540", 2);
        assert!(failed[0].contains("check.broken") && failed[0].contains("LookupError: broken on purpose"), "{failed:?}");
        server.wait_for_log("printed by the broken one", 1);
        let own = std::fs::read_to_string(server.root().join("main.log")).expect("the host's log");
        assert!(own.contains("interpreter 'main_interpreter', raised LookupError"), "{own}");
        assert!(own.contains("printed by the broken one"), "{own}");
    }
}
