//! start_response, what an application returns, and wsgi.errors.

use std::time::Duration;

use super::{applications, lines, respond};
use crate::common::probe::with_code;
use crate::fixture::{Framing, HttpError, Mpm, for_each_lasting_mpm, for_each_mpm, wait_until};

for_each_mpm! {
    fn a_response_is_sent_as_it_is_given(mpm) {
        let server = applications(mpm).shared();
        for (code, status, body) in [
            ("start_response('200 OK', []); response = [b'a', b'', b'bc']", 200, "abc"),
            ("start_response('404 Not Here', []); response = (b'a',)", 404, "a"),
            ("start_response('200 OK', []); response = iter([b'a', b'', b'b'])", 200, "ab"),
            ("start_response('200 OK', []); response = (item for item in [b'a'])", 200, "a"),
            ("w = start_response('200 OK', []); w(b'a'); w(b'b'); response = [b'c']", 200, "abc"),
            ("start_response('200 OK', [], None); response = []", 200, ""),
            ("start_response('200 OK', [], exc_info=None); response = [b'x' * 100000]", 200, &"x".repeat(100_000)),
            ("start_response('500 Own', []); response = [b'an own page']", 500, "an own page"),
            // Called by the iterable itself, as PEP 3333 allows.
            ("def g():\n    start_response('202 Later', [])\n    yield b'later'\nresponse = g()", 202, "later"),
            ("start_response('200 OK', [('X-A', '1')])\ntry:\n    raise ValueError\nexcept ValueError:\n    start_response('503 No', [('X-B', '2')], sys.exc_info())\nresponse = [b'no']", 503, "no"),
        ] {
            let response = respond(&server, code);
            assert_eq!((response.status, response.text().as_str()), (status, body), "{code}\n{}", server.log());
            // Each of them is told its length: all of it was there in one piece.
            assert_eq!(response.framing, Framing::Length(body.len() as u64), "{code}");
        }
        let response = respond(&server, "start_response('200 Fine', [('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2'), ('Content-Type', 'text/x')]); response = [b'']");
        assert_eq!((response.reason.as_str(), response.headers.all("Set-Cookie")), ("Fine", vec!["a=1", "b=2"]));
        assert_eq!(response.header("Content-Type"), Some("text/x"));
        assert_eq!(respond(&server, "try:\n    start_response('200 OK', [('X-A', '1')])\n    raise ValueError\nexcept ValueError:\n    start_response('503 No', [], sys.exc_info())\nresponse = [b'']").header("X-A"), None);
        let code = "try:\n    start_response('200 OK', [('Content-Type', 'text/first')])\n    raise ValueError\nexcept ValueError:\n    start_response('503 No', [], sys.exc_info())\nresponse = [b'']";
        assert_eq!(respond(&server, code).header("Content-Type"), None);
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }

    fn responses_without_bodies_have_none(mpm) {
        let server = applications(mpm).shared();
        let mut connection = server.raw();
        for (method, status) in [("HEAD", "200 OK"), ("GET", "204 No"), ("GET", "304 No")] {
            for body in ["[b'x' * 20000]", "iter([b'x', b'y'])"] {
                let code = format!("start_response({status:?}, []); response = {body}");
                let response = connection.exchange(&with_code(server.request(method, "/app").keep_alive(), &code));
                assert_eq!(response.text(), "", "{code}");
            }
        }
        let head = with_code(server.request("HEAD", "/app").keep_alive(), "start_response('200 OK', []); response = [b'x' * 20000]");
        assert_eq!(connection.exchange(&head).header("Content-Length"), Some("20000"));
        assert_eq!(connection.exchange(&with_code(server.request("GET", "/app").keep_alive(), "out(1)")).text(), "1");
    }

    fn a_stream_leaves_as_it_comes(mpm) {
        let server = applications(mpm).shared();
        let code = "import threading\ngo = threading.Event()\nglobals()['sys'].modules['probe'].go = go\n\
            def g():\n    yield b'first'\n    go.wait(15)\n    yield b'second'\nstart_response('200 OK', []); response = g()";
        if mpm == Mpm::Prefork {
            return;
        }
        let mut connection = server.raw();
        connection.send(with_code(server.request("GET", "/app"), code).to_bytes());
        let mut seen = Vec::new();
        while !seen.ends_with(b"first\r\n") {
            seen.extend(connection.read_bytes(1));
        }
        assert_eq!(lines(&server, "sys.modules['probe'].go.set(); out(1)"), ["1"]);
        assert!(String::from_utf8_lossy(&connection.read_to_end()).contains("second"));
    }

    fn files_are_sent_with_their_length_and_from_their_position(mpm) {
        let server = applications(mpm).binary_file("large.bin", "0123456789".repeat(20_000)).shared();
        let path = server.root().join("htdocs/large.bin");
        let path = path.to_str().unwrap();
        let packed = server.scratch().join("packed.gz");
        let packed = packed.to_str().unwrap();
        let large = "0123456789".repeat(20_000);
        for (code, body) in [
            (format!("f = open({path:?}, 'rb'); start_response('200 OK', []); response = environ['wsgi.file_wrapper'](f)"), &large[..]),
            (format!("f = open({path:?}, 'rb'); f.seek(199990); start_response('200 OK', []); response = environ['wsgi.file_wrapper'](f, 4096)"), "0123456789"),
            (format!("f = open({path:?}, 'rb'); f.seek(5); start_response('200 OK', [('Content-Length', '3')]); response = environ['wsgi.file_wrapper'](f)"), "567"),
            // What is no file on disk is read.
            ("import io; start_response('200 OK', []); response = environ['wsgi.file_wrapper'](io.BytesIO(b'abc' * 10), 4)".to_owned(), "abcabcabcabcabcabcabcabcabcabc"),
            ("import tempfile; f = tempfile.TemporaryFile(); f.write(b'temporary'); f.seek(0); start_response('200 OK', []); response = environ['wsgi.file_wrapper'](f)".to_owned(), "temporary"),
            // Its descriptor has other bytes than what it reads.
            (format!("import gzip; f = gzip.open({packed:?}, 'wb'); f.write(b'unpacked'); f.close(); start_response('200 OK', []); response = environ['wsgi.file_wrapper'](gzip.open({packed:?}))"), "unpacked"),
        ] {
            let response = respond(&server, &code);
            assert_eq!((response.status, response.text() == body), (200, true), "{code}: {}", server.log());
            assert_eq!(response.framing, Framing::Length(body.len() as u64), "{code}");
        }
        // It is closed.
        let code = format!("f = open({path:?}, 'rb'); sys.modules['probe'].f = f; start_response('200 OK', []); response = environ['wsgi.file_wrapper'](f)");
        assert_eq!(respond(&server, &code).status, 200);
    }

    fn a_length_that_is_wrong_is_noticed(mpm) {
        let server = applications(mpm).shared();
        let mut connection = server.raw();
        let more = with_code(server.request("GET", "/app").keep_alive(), "start_response('200 OK', [('Content-Length', '2')]); response = [b'abcd']");
        assert_eq!(connection.exchange(&more).text(), "ab");
        assert_eq!(connection.exchange(&with_code(server.request("GET", "/app").keep_alive(), "out(1)")).text(), "1");
        let fewer = with_code(server.request("GET", "/app"), "start_response('200 OK', [('Content-Length', '9')]); response = [b'abcd']").try_send();
        assert!(matches!(fewer, Err(HttpError::Truncated(_))), "{fewer:?}");
        assert_eq!((server.log_count("MP0421"), server.log_count("MP0424")), (1, 1), "{}", server.log());
    }

    fn errors_are_entries_of_the_request(mpm) {
        let server = applications(mpm).shared();
        server.forget_log();
        let code = "e = environ['wsgi.errors']\ne.write('one\\ntwo'); e.write(' more\\n'); e.writelines(['three\\n', 'rest'])\n\
            t = threading.Thread(target=lambda: (e.flush(), e.write('from a thread\\n'))); t.start(); t.join()\nout(e.write('é€'), error(e.write, b'x'))";
        assert_eq!(lines(&server, code), ["2 'TypeError: wsgi.errors takes str, not bytes'"]);
        for text in ["one", "two more", "three", "rest", "from a thread"] {
            let entries = server.log_lines(&format!("] {text}"));
            assert!(entries.len() == 1 && entries[0].contains("[client 127.0.0.1:"), "{text}: {}", server.log());
        }
        // Kept beyond the request: the server's log.
        lines(&server, "sys.modules['probe'].kept = environ['wsgi.errors']; out(1)");
        lines(&server, "kept = getattr(sys.modules['probe'], 'kept', None)\nkept and kept.write('too late\\n'); out(1)");
    }
}

for_each_mpm! {
    fn what_was_written_before_counts_and_is_not_lost(mpm) {
        let server = applications(mpm).binary_file("large.bin", vec![b'f'; 100_000]).shared();
        let path = server.root().join("htdocs/large.bin");
        for (rest, length) in [
            ("[b'x' * 9000]".to_owned(), 9000),
            ("[b'x' * 100000]".to_owned(), 100_000),
            (format!("environ['wsgi.file_wrapper'](open({path:?}, 'rb'))"), 100_000),
        ] {
            for wait in ["", "time.sleep(0.1)"] {
                let code = format!("w = start_response('200 OK', []); w(b'head')\n{wait}\nresponse = {rest}");
                let response = respond(&server, &code);
                assert!(response.text().starts_with("head"), "{code}");
                assert_eq!(response.text().len(), 4 + length, "{code}: {}", server.log());
            }
        }
        assert_eq!(server.log_count("MP0421"), 0, "{}", server.log());
    }

    fn what_a_file_object_reads_is_sent(mpm) {
        let server = applications(mpm).shared();
        for file in ["gzip.open(name)", "io.BufferedReader(gzip.open(name))", "Passing(gzip.open(name))"] {
            let code = format!(
                "import gzip, io, tempfile\nclass Passing:\n    def __init__(self, file):\n        self.file = file\n    def __getattr__(self, name):\n        return getattr(self.file, name)\nwith tempfile.NamedTemporaryFile(delete=False) as f:\n    name = f.name\nwith gzip.open(name, 'wb') as f:\n    f.write(b'the text ' * 5000)\nstart_response('200 OK', []); response = environ['wsgi.file_wrapper']({file})"
            );
            assert_eq!(respond(&server, &code).text(), "the text ".repeat(5000), "{file}");
        }
    }
}

#[test]
fn many_small_pieces_are_not_slow() {
    let server = applications(Mpm::Event).start();
    let code = "start_response('200 OK', []); response = (b'0123456789' for turn in range(20000))";
    let response = with_code(server.request("GET", "/app").timeout(Duration::from_secs(20)), code).send();
    assert_eq!(response.text().len(), 200_000);
}

for_each_lasting_mpm! {
    fn close_is_called_once_whatever_happens(mpm) {
        let server = applications(mpm).children(1).shared();
        let closed = || lines(&server, "out(len(sys.modules['probe'].closed)); sys.modules['probe'].closed.clear()");
        closed();
        for (code, status) in [
            ("start_response('200 OK', []); response = Closing(b'a', b'b')", 200),
            ("start_response('200 OK', []); response = Closing()", 200),
            ("start_response('200 OK', []); response = Closing(ValueError('first'))", 500),
            ("start_response('200 OK', []); response = Closing('text')", 500),
            ("response = Closing(b'no start')", 500),
        ] {
            assert_eq!(respond(&server, code).status, status, "{code}");
            assert_eq!(closed(), ["1"], "{code}");
        }
        // In the middle: the client is not told that it was all.
        let broken = with_code(server.request("GET", "/app"), "start_response('200 OK', []); response = Closing(b'a', ValueError('late'))").try_send();
        assert!(matches!(broken, Err(HttpError::Truncated(_))), "{broken:?}");
        assert_eq!(closed(), ["1"]);
        // A close that fails: the response is complete, the log has it.
        server.forget_log();
        let code = "class C(Closing):\n    def close(self):\n        raise ValueError('not closed')\nstart_response('200 OK', []); response = C(b'a')";
        assert_eq!((respond(&server, code).status, server.log_count("MP0401"), server.log_count("not closed")), (200, 1, 2));
    }

    fn nobody_asks_for_more_than_is_sent(mpm) {
        let server = applications(mpm).shared();
        let endless = "import itertools\nclass C(Closing):\n    pass\nc = C(); c.items = itertools.repeat(b'x' * 100)\n";
        for (method, start, framing) in [
            ("GET", "start_response('200 OK', [('Content-Length', '10')])", Some("10")),
            ("HEAD", "start_response('200 OK', [('Content-Length', '7')])", Some("7")),
            ("HEAD", "start_response('200 OK', [])", None),
            ("GET", "start_response('304 Not Modified', [])", None),
        ] {
            lines(&server, "sys.modules['probe'].closed.clear(); out(1)");
            let code = format!("{endless}{start}; response = c");
            let response = with_code(server.request(method, "/app"), &code).send();
            assert_eq!(response.header("Content-Length"), framing, "{code}");
            if mpm != Mpm::Prefork {
                // The client has all of the response before it is closed.
                wait_until("the end of the iterable", || {
                    lines(&server, "out(len(sys.modules['probe'].closed))") == ["1"]
                });
            }
        }
    }
}
