//! Code that takes the GIL by itself (`PyGILState_Ensure`): it means the interpreter that its thread is attached to.

mod packages;

use std::thread;
use std::time::Duration;

use crate::common::who::{Answer, ask, distinct, site};
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm, has_own_gil};
use crate::lifecycle::AtStart;

const CALLBACKS: &str = include_str!("callbacks.py");
const HOSTS: [&str; 6] = ["localhost", "a.test", "b.test", "c.test", "d.test", "main.test"];
const CLIENTS: usize = 12;

/// Six virtual hosts, each with an interpreter of its own, which serve with this handler.
fn six_hosts(mpm: Mpm, handler: &str) -> Httpd {
    let site = site(mpm)
        .children(1)
        .threads(CLIENTS)
        .file("lib/callbacks.py", CALLBACKS)
        .config(format!("PythonHandler {handler}"))
        .vhost("main.test", "PythonInterpreter main_interpreter");
    HOSTS[1..5].iter().fold(site, |site, host| site.vhost(host, ""))
}

/// Twelve clients at once where the MPM has threads, each asking the hosts in turn.
#[track_caller]
fn ask_hosts(server: &Server, hosts: &[&str], rounds: usize) -> Vec<Answer> {
    let clients = if server.mpm().is_threaded() { CLIENTS } else { 1 };
    let ask = |client: usize| {
        let turns = (client..client + rounds * hosts.len()).map(|turn| hosts[turn % hosts.len()]);
        // Imports and traced memory take a busy machine long; a hang is seen all the same.
        let request = |host: &str| server.request("GET", "/x").host(host).timeout(Duration::from_secs(60));
        turns.map(|host| Answer::of(&request(host).send())).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|client| scope.spawn(move || ask(client))).collect();
        let answers = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| panic!("{}", server.log())));
        answers.flatten().collect()
    })
}

/// The same for all hosts; each has an interpreter of its own.
#[track_caller]
fn ask_all_hosts(server: &Server, rounds: usize) {
    let answers = ask_hosts(server, &HOSTS, rounds);
    assert_eq!(distinct(&answers, |answer| answer.interpreter.clone()).len(), HOSTS.len(), "{answers:?}");
}

for_each_mpm! {
    fn callbacks_run_in_the_interpreter_of_their_caller(mpm) {
        let server = six_hosts(mpm, "callbacks").start();
        ask_all_hosts(&server, 2);
    }

    fn a_thread_can_have_more_than_sixteen_interpreters(mpm) {
        const COUNT: usize = 20;
        let server = (0..COUNT)
            .fold(site(mpm).children(1).threads(1).file("lib/callbacks.py", CALLBACKS), |site, number| {
                site.config(format!("<Location /i{number:02}>\nPythonInterpreter i{number:02}\n</Location>"))
            })
            .config("PythonHandler callbacks")
            .start();
        for round in 0..3 {
            for number in 0..COUNT {
                // In another order each time.
                let name = format!("i{:02}", (number * 7 + round) % COUNT);
                assert_eq!(ask(&server, "localhost", &format!("/{name}")).interpreter, name);
            }
        }
    }

    /// A thread that C has started runs in the main interpreter, wherever its function is from.
    fn a_thread_of_c_belongs_to_the_main_interpreter(mpm) {
        let server = six_hosts(mpm, "callbacks::tells_foreign").config("PythonInterpreterOptions * gil=shared").start();
        for answer in ask_hosts(&server, &HOSTS, 1) {
            let expected = if answer.interpreter == "main_interpreter" { "here" } else { "elsewhere" };
            assert_eq!(answer.fact("foreign"), expected, "{answer:?}");
        }
    }

    /// A filter in another interpreter runs inside a write that a callback does.
    fn it_nests(mpm) {
        let server = site(mpm)
            .children(1)
            .threads(4)
            .file("lib/callbacks.py", CALLBACKS)
            .config(
                r#"
                PythonInterpPerDirective On
                <Directory "${HTDOCS}">
                    PythonHandler callbacks::nested
                </Directory>
                <Location /nested>
                    PythonOutputFilter callbacks CALLBACKS
                    SetOutputFilter CALLBACKS
                </Location>
                "#,
            )
            .start();
        let count = if mpm.is_threaded() { 4 } else { 1 };
        let htdocs = format!("{}/htdocs/", server.root().display());
        let written = "1 2 3 ";
        for (args, written) in [("", written.into()), ("thread", written.repeat(2))] {
            for _ in 0..3 {
                for response in server.parallel(count, |_| server.request("GET", format!("/nested?{args}"))) {
                    let expected = format!("{written}end of {htdocs} through /nested");
                    assert_eq!((response.status, response.text()), (200, expected), "{}", server.log());
                }
            }
        }
    }
}

/// Traces memory, in the interpreter in which that is begun and in all others of the process.
const TRACING: &str = "
    import tracemalloc
    import callbacks
    from mod_python import apache

    def handler(req):
        if not tracemalloc.is_tracing():
            tracemalloc.start()
        kept = [bytes(1000) for _ in range(100)]
        assert tracemalloc.get_traced_memory()[0] > 50000
        if apache.interpreter == 'a.test':
            tracemalloc.take_snapshot()
        return callbacks.handler(req)
";

for_each_mpm! {
    fn memory_is_traced(mpm) {
        // With GILs of their own, the import says that it does not go.
        let site = six_hosts(mpm, "tracing").config("PythonInterpreterOptions * gil=shared");
        ask_all_hosts(&site.file("lib/tracing.py", TRACING).start(), 1);
    }

    fn memory_is_traced_from_the_start(mpm) {
        let server =
            six_hosts(mpm, "tracing").file("lib/tracing.py", TRACING).env("PYTHONTRACEMALLOC", "1").start();
        ask_all_hosts(&server, 1);
    }
}

/// Its table of memory is not made for two GILs.
#[test]
fn while_memory_is_traced_interpreters_share_the_gil() {
    if !has_own_gil() {
        return;
    }
    let server = six_hosts(Mpm::Event, "callbacks")
        .config("PythonInterpreterOptions * gil=own")
        .env("PYTHONTRACEMALLOC", "1")
        .start();
    ask_all_hosts(&server, 1);
    assert_eq!(server.log_count("MP0330: interpreter '"), HOSTS.len() - 1, "{}", server.log());
}

#[test]
fn memory_cannot_be_traced_under_a_gil_of_its_own() {
    if !has_own_gil() {
        return;
    }
    let server = six_hosts(Mpm::Event, "tracing")
        .file("lib/tracing.py", TRACING)
        .config("PythonInterpreterOptions * gil=own")
        .start();
    let responses = server.parallel(CLIENTS, |_| server.request("GET", "/x"));
    assert!(responses.iter().all(|response| response.status == 500), "{}", server.log());
    let said = server.log_lines("raised ImportError: module _tracemalloc does not support loading in subinterpreters");
    assert_eq!(said.len(), CLIENTS, "{}", server.log());
}

/// `site` runs while CPython makes the interpreter.
#[test]
fn callbacks_work_while_an_interpreter_is_made() {
    let start = AtStart::new(
        "gilstate",
        "
import ctypes

numbers = (ctypes.c_int * 2)(2, 1)
Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
ctypes.PyDLL(None).qsort(numbers, 2, 4, Compare(lambda a, b: a[0] - b[0]))
assert list(numbers) == [1, 2]
",
    );
    for mpm in [Mpm::Prefork, Mpm::Event] {
        ask_all_hosts(&six_hosts(mpm, "callbacks").env("PYTHONPATH", start.folder()).start(), 1);
    }
}
