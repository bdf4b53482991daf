//! What Python code says, in the error log: prompt, whole, at its level, on its request and virtual host.

use std::fs;
use std::time::Duration;

use crate::fixture::{Httpd, Mpm, Server, eventually, for_each_lasting_mpm, for_each_mpm, wait_until};

/// Serves `/say`, which runs the Python statements of the query's function.
fn says(mpm: Mpm, functions: &str) -> Httpd {
    let mut source = String::from(
        "import logging, sys, threading, warnings\nfrom mod_python import apache\n\n\
         def handler(req):\n    globals()[req.args](req)\n    req.write(\"said\")\n    return apache.OK\n\n",
    );
    // The indentation of the test around it is taken off by the fixture: it is that of the least indented line
    let indent =
        functions.lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let indent = indent.min().unwrap_or(0);
    for line in functions.lines() {
        source += line.get(indent..).unwrap_or_default();
        source.push('\n');
    }
    Httpd::new(mpm).handler("say", &source)
}

#[track_caller]
fn say(server: &Server, what: &str) {
    let response = server.get(&format!("/say?{what}"));
    assert_eq!((response.status, response.text().as_str()), (200, "said"), "{what}\n{}", server.log());
}

/// The message of an entry: what follows the parts in brackets.
fn message(line: &str) -> &str {
    let mut rest = line;
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inside| inside.split_once("] ")) {
        rest = after;
    }
    rest
}

/// The messages of the module's own entries at a level, in order.
fn messages(server: &Server, level: &str) -> Vec<String> {
    server.log_lines(&format!("[python:{level}]")).iter().map(|line| message(line).to_owned()).collect()
}

for_each_mpm! {
    fn what_is_printed_is_logged_at_once_and_whole(mpm) {
        let server = says(mpm, r#"
            def lines(req):
                print("one", 2, "three", sep=", ")
                print("first\nsecond\n\nthird")
                sys.stdout.writelines(["a", "b\n", "c\n"])
                print("complaint", file=sys.stderr)
                sys.stdout.buffer.write(b"as bytes\n")

            def partial(req):
                print("begun", end="")
                print("error begun", end="", file=sys.stderr)
                print(", ended", end="")

            def flushed(req):
                print("flushed", end="", flush=True)
                print("more", end="")
                sys.stdout.flush()
                sys.stdout.flush()
        "#)
        .children(1)
        .start();

        server.forget_log();
        say(&server, "lines");
        // Whoever has the response finds everything in the log: nothing here waits
        assert_eq!(messages(&server, "notice"), ["one, 2, three", "first", "second", "third", "ab", "c", "as bytes"]);
        assert_eq!(messages(&server, "error"), ["complaint"]);
        assert!(server.log_lines("[python:").iter().all(|line| line.contains("[client 127.0.0.1:")), "{}", server.log());

        for _ in 0..2 {
            server.forget_log();
            say(&server, "partial");
            assert_eq!(messages(&server, "notice"), ["begun, ended"]);
            assert_eq!(messages(&server, "error"), ["error begun"]);
        }
        server.forget_log();
        say(&server, "flushed");
        assert_eq!(messages(&server, "notice"), ["flushed", "more"]);
    }

    // P26: prints from any thread neither crash nor lose or mix anything
    fn p26_many_threads_print_at_once(mpm) {
        let server = says(mpm, r#"
            def many(req):
                def shout(name):
                    for n in range(50):
                        print("thread", name, "line", n, "x" * 200, "end", file=(sys.stdout, sys.stderr)[n % 2])
                threads = [threading.Thread(target=shout, args=(name,)) for name in range(4)]
                for thread in threads:
                    thread.start()
                shout("handler")
                for thread in threads:
                    thread.join()
        "#)
        .children(2)
        .start();
        let requests = 4;
        for response in server.parallel(requests, |_| server.request("GET", "/say?many")) {
            assert_eq!(response.text(), "said");
        }
        let printed: Vec<_> = server.log_lines(" line ").iter().map(|line| message(line).to_owned()).collect();
        assert_eq!(printed.len(), requests * 5 * 50);
        for name in ["0", "1", "2", "3", "handler"] {
            for n in 0..50 {
                let line = format!("thread {name} line {n} {} end", "x".repeat(200));
                assert_eq!(printed.iter().filter(|printed| **printed == line).count(), requests, "{line}");
            }
        }
        let on_request = server.log_lines("thread handler").iter().filter(|line| line.contains("[client ")).count();
        assert_eq!(on_request, requests * 50, "what the handler's own thread prints is on its request");
    }
}

for_each_lasting_mpm! {
    fn p26_a_thread_that_serves_nothing_prints_until_the_end(mpm) {
        let server = says(mpm, r#"
            def start(req):
                def tick():
                    # Never idle: the fixture does not wait for it.
                    open("/proc/thread-self/comm", "w").write("tick")
                    n = 0
                    while True:
                        n += 1
                        print("tick", n)
                        print("partial", end="", file=sys.stderr)
                threading.Thread(target=tick, daemon=True).start()

            def ends(req):
                thread = threading.Thread(target=print, args=("the thread's last",), kwargs={"end": ""})
                thread.start()
                thread.join()

            def nothing(req):
                pass
        "#)
        .vhost("a.test", "ErrorLog \"${ROOT}/a.log\"")
        .children(1)
        .start();
        say(&server, "ends");
        assert!(!server.wait_for_log("the thread's last", 1)[0].contains("[client "), "no request, no client");
        say(&server, "start");
        server.wait_for_log("tick 100", 1);
        say(&server, "nothing");
        assert!(server.stop() < Duration::from_secs(5));
    }
}

for_each_mpm! {
    fn threads_that_fail_are_told(mpm) {
        let server = says(mpm, r#"
            def run(target, **settings):
                thread = threading.Thread(target=target, **settings)
                thread.start()
                thread.join()

            def fails(req):
                def fail():
                    raise ValueError("in the thread")
                run(fail, name="mine")

            def exits(req):
                run(sys.exit)

            def low_level(req):
                import _thread
                done = threading.Event()
                class Told(ValueError):
                    def __del__(self):
                        done.set()
                def fail():
                    raise Told("low level")
                _thread.start_new_thread(fail, ())
                done.wait()

            def unraisable(req):
                class Lingers:
                    def __del__(self):
                        raise ValueError("in __del__")
                Lingers()
        "#)
        .start();
        say(&server, "fails");
        let entries = server.log_lines("MP0");
        let entries: Vec<_> = entries.iter().filter(|line| !line.contains("MP0301")).collect();
        assert_eq!(entries.len(), 1, "{entries:#?}");
        for part in ["[python:error]", "MP0701: thread 'mine' of interpreter 'localhost'", "ValueError"] {
            assert!(entries[0].contains(part), "{entries:#?}");
        }
        assert_eq!(messages(&server, "error").last().map(String::as_str), Some("ValueError: in the thread"));

        server.forget_log();
        say(&server, "exits");
        assert_eq!(messages(&server, "error"), [""; 0]);

        say(&server, "low_level");
        assert!(server.wait_for_log("low level", 1)[0].contains("[python:error]"));
        say(&server, "unraisable");
        assert!(server.log_lines("ValueError: in __del__")[0].contains("[client "));
    }
}

#[test]
fn a_line_is_logged_while_its_handler_still_runs() {
    let server = says(
        Mpm::Event,
        r#"
        go = threading.Event()

        def waits(req):
            print("before the wait")
            req.write("begun, ")
            go.wait()
            print("after the wait")

        def set(req):
            go.set()
    "#,
    )
    .children(1)
    .start();
    let mut waiting = server.raw();
    waiting.send(server.request("GET", "/say?waits").to_bytes());
    while waiting.read_bytes(1) != b"," {}
    assert_eq!(messages(&server, "notice"), ["before the wait"]);
    say(&server, "set");
    assert!(String::from_utf8_lossy(&waiting.read_to_end()).contains("said"));
    assert_eq!(messages(&server, "notice"), ["before the wait", "after the wait"]);
}

#[test]
fn p26_a_filter_that_makes_warnings_errors_stops_no_print() {
    let server = says(
        Mpm::Worker,
        r#"
        def strict(req):
            warnings.simplefilter("error")
            print("printed", "strictly")
            print("complained", file=sys.stderr, flush=True)
            sys.stdout.buffer.write(b"bytes")
            logging.getLogger("strict").error("logged")
    "#,
    )
    .start();
    say(&server, "strict");
    assert_eq!(messages(&server, "notice"), ["printed strictly", "bytes"]);
    assert_eq!(messages(&server, "error"), ["complained", "logged"]);
}

#[test]
fn warnings_are_errors_level_lines() {
    let server = says(
        Mpm::Prefork,
        r#"
        def warn(req):
            warnings.warn("careful")
    "#,
    )
    .start();
    say(&server, "warn");
    let lines = messages(&server, "error");
    assert!(lines[0].ends_with("UserWarning: careful"), "{lines:#?}");
}

const LOGGER: &str = r#"
    log = logging.getLogger("shop")
    log.addHandler(apache.LogHandler())
    log.setLevel(1)
    log.propagate = False

    def levels(req):
        log.critical("as critical")
        log.error("as error")
        log.warning("as warning")
        log.info("as info %s", 1)
        log.debug("as debug")
        log.log(1, "as less")
        log.log(25, "as between")

    def odd(req):
        try:
            1 / 0
        except ZeroDivisionError:
            log.exception("with a traceback")
        log.error("surrogate \udcff, null \0, %s", "new\nline")
        log.error("%d", "not a number")
"#;

#[test]
fn python_logging_keeps_its_levels() {
    let server = says(Mpm::Event, LOGGER).start();
    say(&server, "levels");
    for (level, expected) in [
        ("crit", &["as critical"][..]),
        ("error", &["as error"]),
        ("warn", &["as warning"]),
        // P31: INFO is no error
        ("info", &["as info 1", "as between"]),
        ("debug", &["as debug", "as less"]),
    ] {
        let of_handler: Vec<_> = messages(&server, level).into_iter().filter(|text| text.starts_with("as ")).collect();
        assert_eq!(of_handler, expected, "{level}");
    }
}

for_each_mpm! {
    fn a_record_of_several_lines_is_one_entry_a_line(mpm) {
        let server = says(mpm, LOGGER).shared();
        server.forget_log();
        say(&server, "odd");
        let errors = messages(&server, "error");
        assert_eq!(errors[..2], ["with a traceback", "Traceback (most recent call last):"], "{errors:#?}");
        let end = errors.iter().position(|line| line == "ZeroDivisionError: division by zero").expect("the exception");
        assert_eq!(errors[end + 1..end + 3], [r"surrogate \\udcff, null \\0, new", "line"], "{errors:#?}");
        assert!(errors.iter().any(|line| line.contains("--- Logging error ---")), "{errors:#?}");
        let all = server.log_lines("[python:error]");
        assert!(all.iter().all(|line| line.contains("[client 127.0.0.1:") && !line.contains(r"\n")), "{all:#?}");
    }
}

#[test]
fn p31_each_virtual_host_has_its_log_and_its_level() {
    let functions = format!(
        "{LOGGER}\n{}",
        r#"
    def half(req):
        req.write("half")
        raise ValueError("half-way")

    class Lingers:
        def __del__(self):
            print("the request goes")

    def lingers(req):
        print("here")
        req.lingers = Lingers()
"#
    );
    let server = says(Mpm::Event, &functions)
        .children(1)
        .config(
            "<Location /say/quiet>\n    LogLevel python:error\n</Location>\n\
             <Location /say/loud>\n    LogLevel python:debug\n</Location>\n\
             PythonInterpreter shared",
        )
        .vhost("quiet.test", "ErrorLog \"${ROOT}/quiet.log\"\nLogLevel python:warn")
        .vhost("loud.test", "ErrorLog \"${ROOT}/loud.log\"\nLogLevel python:info")
        .start();
    let log = |name: &str| fs::read_to_string(server.root().join(format!("{name}.log"))).unwrap_or_default();
    let get = |host: &str, path: &str| server.request("GET", path).host(&format!("{host}.test")).try_send();

    for host in ["quiet", "loud"] {
        assert_eq!(get(host, "/say?levels").expect("a response").status, 200);
        assert_eq!(get(host, "/say?lingers").expect("a response").status, 200);
        assert!(get(host, "/say?half").is_err());
    }
    for (name, shown, hidden) in [
        (
            "quiet",
            &["as error", "as warning", "MP0401", "here", "the request goes"][..],
            &["as info", "as debug", "MP0407"][..],
        ),
        ("loud", &["as error", "as info 1", "MP0401", "MP0407", "here", "the request goes"], &["as debug"]),
    ] {
        // The last part is printed when the request's pool goes, which is after its response.
        wait_until(&format!("{shown:?} in {name}.log"), || shown.iter().all(|part| log(name).contains(part)));
        let text = log(name);
        assert!(!hidden.iter().any(|part| text.contains(part)), "{hidden:?}\n{text}");
    }
    // Only what made the interpreter is not theirs alone; nothing of theirs is in the main log
    assert_eq!(server.log_count("[client "), 0, "{}", server.log());

    for (path, level, shown) in [("/say/quiet", "quiet", false), ("/say/loud", "loud", true)] {
        assert_eq!(get("quiet", &format!("{path}?levels")).expect("a response").status, 200);
        let text = log("quiet");
        assert_eq!(text.contains("as debug"), shown, "{level}\n{text}");
    }
}

#[test]
fn p31_the_log_id_is_that_of_the_request() {
    let server = says(
        Mpm::Event,
        r#"
        def line(req):
            print("with an id")
            print("partial", end="")
    "#,
    )
    .config(
        "ErrorLogFormat \"[%L] [%{c}L] [%v] [%m:%l] %M\"\n\
         LogFormat \"id %L\" ids\n\
         CustomLog \"${ROOT}/access.log\" ids",
    )
    .start();
    say(&server, "line");
    let access = eventually("the access log", || {
        fs::read_to_string(server.root().join("access.log")).ok().filter(|text| text.ends_with('\n'))
    });
    let id = access.trim().strip_prefix("id ").expect("the format").to_owned();
    assert!(id.len() > 8, "{access}");
    for text in ["with an id", "partial"] {
        let line = server.log_lines(text).remove(0);
        assert!(line.starts_with(&format!("[{id}] [")) && line.contains("[localhost] [python:notice]"), "{line}");
    }
}

#[test]
fn any_text_can_be_printed() {
    let server = says(
        Mpm::Worker,
        r#"
        def odd(req):
            print("null \0 tab \t escape \x1b return \r quote \" backslash \\ percent %s %n end")
            print("carriage return\r")
            print("b\u00fcrger \u20ac \U0001f600")
            print("surrogate \udcff")
            sys.stdout.buffer.write(b"latin \xfc\n")

        def long(req):
            print("<" + "0123456789" * 5000 + ">")
            print("{" + "\u20ac" * 5000 + "}")
            print("(" + "0123456789" * 5000, end="")
            print(")")
            print("x" * 8001, end="")
    "#,
    )
    .start();
    say(&server, "odd");
    let lines = messages(&server, "notice");
    assert_eq!(lines[0], r#"null \\0 tab \t escape \x1b return \r quote " backslash \\ percent %s %n end"#);
    assert_eq!(lines[1], "carriage return");
    // httpd writes what is not ASCII as escapes, or as it is if it was built so
    assert!(
        ["bürger € \u{1f600}", r"b\xc3\xbcrger \xe2\x82\xac \xf0\x9f\x98\x80"].contains(&lines[2].as_str()),
        "{lines:?}"
    );
    assert_eq!(lines[3], r"surrogate \\udcff");
    assert_eq!(lines[4], r"latin \\xfc");

    // httpd has room for some 8000 bytes in an entry: a longer line is several, and none of it is lost
    server.forget_log();
    say(&server, "long");
    let text = messages(&server, "notice").concat().replace(r"\xe2\x82\xac", "€");
    let digits = "0123456789".repeat(5000);
    assert_eq!(text, format!("<{digits}>{{{}}}({digits}){}", "€".repeat(5000), "x".repeat(8001)));
}

#[test]
fn a_child_says_what_it_imports_at_its_start() {
    let server = Httpd::new(Mpm::Prefork)
        .children(1)
        .file("lib/early.py", "print('imported early')\ndef start():\n    print('started', end='')\n")
        .config("PythonPath \"sys.path+['${HTDOCS}/lib']\"\nPythonImport early::start early")
        .vhost("a.test", "ErrorLog \"${ROOT}/a.log\"\nPythonImport early::start other")
        .start();
    server.wait_for_log("imported early", 1);
    server.wait_for_log("started", 1);
    let log = eventually("the virtual host's log", || {
        fs::read_to_string(server.root().join("a.log")).ok().filter(|text| text.contains("started"))
    });
    assert!(log.contains("[python:notice]") && log.contains("imported early"), "{log}");
}

for_each_mpm! {
    fn the_access_log_can_name_the_interpreter(mpm) {
        let server = Httpd::new(mpm)
            .handler("page", "def handler(req):\n    req.write('page')\n    return 0\n")
            .file("lib/site.py", "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'site']\n")
            .file("script.wsgi", "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'script']\n")
            .file("plain.txt", "plain")
            .config(
                "LogFormat \"%U %^PI\" interpreters\nCustomLog \"${SCRATCH}/access\" interpreters\n\
                 PythonApplication /site site:application path=${HTDOCS}/lib interpreter=apart\n\
                 WSGIScriptAlias /script ${HTDOCS}/script.wsgi application-group=%{GLOBAL}",
            )
            .vhost("other.test", "<Location /page>\n    PythonInterpPerDirectory On\n</Location>")
            .start();
        for (path, host) in [("/page", "localhost"), ("/page", "other.test"), ("/site/x", "localhost"), ("/script", "localhost"), ("/plain.txt", "localhost"), ("/none", "localhost")] {
            server.request("GET", path).host(host).send();
        }
        let log = server.scratch().join("access");
        let lines = || fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
        let folder = format!("/page {}/page/", server.root().join("htdocs").display());
        let mut found = eventually("six lines in the access log", || Some(lines()).filter(|lines| lines.len() == 6));
        found.sort();
        assert_eq!(found, ["/none -", &folder, "/page localhost", "/plain.txt -", "/script main_interpreter", "/site/x apart"]);
    }
}
