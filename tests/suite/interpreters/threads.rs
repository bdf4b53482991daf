//! Threads: httpd's, which serve in interpreters, and an application's own.

use std::collections::BTreeMap;

use crate::common::who::{ask, site};
use crate::fixture::{Httpd, Mpm, for_each_lasting_mpm, for_each_mpm, wait_until};

for_each_lasting_mpm! {
    /// P2: thread states that went from thread to thread took thread-locals and context variables with them.
    fn what_a_thread_keeps_it_finds_again(mpm) {
        let server = site(mpm)
            .children(1)
            .threads(3)
            .file(
                "lib/kept.py",
                "
                import contextvars
                import threading
                from who import tell

                local = threading.local()
                variable = contextvars.ContextVar('variable', default=0)

                def handler(req):
                    local.count = getattr(local, 'count', 0) + 1
                    variable.set(variable.get() + 1)
                    local.name = getattr(local, 'name', threading.current_thread().name)
                    return tell(req, local=local.count, variable=variable.get(),
                                same=local.name == threading.current_thread().name)
                ",
            )
            .config("PythonHandler kept")
            .vhost("a.test", "")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();

        // One after the other, in turns: each thread goes from interpreter to interpreter.
        let mut seen: BTreeMap<(String, u64), u64> = BTreeMap::new();
        for host in ["localhost", "a.test", "main.test"].into_iter().cycle().take(90) {
            let answer = ask(&server, host, "/x");
            let count = seen.entry((answer.interpreter.clone(), answer.thread)).or_default();
            *count += 1;
            let found: [u64; 2] = [answer.fact("local"), answer.fact("variable")].map(|n| n.parse().expect("a number"));
            assert_eq!(found, [*count, *count], "{answer:?}");
            assert_eq!(answer.fact("same"), "True");
        }
        assert_eq!(seen.values().sum::<u64>(), 90);
    }
}

for_each_mpm! {
    fn an_application_can_have_threads(mpm) {
        let server = site(mpm)
            .children(1)
            .file(
                "lib/threads.py",
                "
                import concurrent.futures
                import queue
                import threading
                from who import tell

                def handler(req):
                    results = queue.Queue()
                    plain = threading.Thread(target=results.put, args=('plain',))
                    plain.start()
                    plain.join(5)
                    daemon = threading.Thread(target=results.put, args=('daemon',), daemon=True)
                    daemon.start()
                    daemon.join(5)
                    fired = threading.Event()
                    threading.Timer(0.01, fired.set).start()
                    with concurrent.futures.ThreadPoolExecutor(3) as pool:
                        squares = list(pool.map(lambda n: n * n, range(5)))
                    return tell(req, plain=plain.is_alive(), daemon=daemon.is_alive(), timer=fired.wait(5),
                                results=results.get() + ' ' + results.get(), pool=sum(squares))
                ",
            )
            .config("PythonHandler threads")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        for host in ["localhost", "main.test", "localhost"] {
            let answer = ask(&server, host, "/x");
            let facts = ["plain", "daemon", "timer", "results", "pool"].map(|name| answer.fact(name));
            assert_eq!(facts, ["False", "False", "True", "plain daemon", "30"], "{host}");
        }
    }
}

for_each_lasting_mpm! {
    fn a_thread_works_on_when_its_request_is_over(mpm) {
        let server = site(mpm)
            .children(1)
            .file(
                "lib/background.py",
                "
                import threading
                import time
                from who import tell

                ticks = 0

                def tick():
                    global ticks
                    while True:
                        ticks += 1
                        time.sleep(0.001)

                threading.Thread(target=tick, daemon=True).start()

                def handler(req):
                    return tell(req, ticks=ticks)
                ",
            )
            .config("PythonHandler background")
            .start();
        let ticks = || ask(&server, "localhost", "/x").fact("ticks").parse::<u64>().expect("a number");
        let first = ticks();
        wait_until("the thread to go on", || ticks() > first + 20);
    }
}

for_each_mpm! {
    fn threads_of_different_interpreters_do_not_meet(mpm) {
        let server = site(mpm)
            .children(1)
            .file(
                "lib/counting.py",
                "
                import threading
                from who import tell

                stop = threading.Event()
                for _ in range(3):
                    threading.Thread(target=stop.wait, daemon=True).start()

                def handler(req):
                    waiting = [thread for thread in threading.enumerate() if thread.daemon and thread.name.startswith('Thread-')]
                    return tell(req, waiting=len(waiting))
                ",
            )
            .config("PythonHandler counting")
            .vhost("a.test", "")
            .start();
        for host in ["localhost", "a.test", "localhost"] {
            assert_eq!(ask(&server, host, "/x").fact("waiting"), "3", "{host}");
        }
    }
}

/// Libraries have their threads end when it is dead. Up to 3.12 threading takes its importer for it, which may be one that ends.
#[test]
fn the_main_thread_is_alive_whoever_imports_threading_first() {
    let server = Httpd::new(Mpm::Event)
        .handler(
            "first",
            "
            import _thread
            import os
            import time

            importer = []

            def imports():
                import threading
                importer.append(f'/proc/self/task/{_thread.get_native_id()}')

            def handler(req):
                _thread.start_new_thread(imports, ())
                while not importer or os.path.exists(importer[0]):
                    time.sleep(0.001)
                import threading
                req.write(str(threading.main_thread().is_alive()))
                return 0
            ",
        )
        .config("AliasMatch ^/main ${HTDOCS}/first\n<Location /main>\nPythonInterpreter main_interpreter\n</Location>")
        .start();
    for path in ["/first", "/main"] {
        assert_eq!(server.get(path).text(), "True", "{path}: {}", server.log());
    }
}

for_each_mpm! {
    /// asyncio in C, up to Python 3.11, has one memory for all interpreters of which thread's loop runs.
    fn a_loop_is_of_its_own_interpreter(mpm) {
        let server = site(mpm)
            .threads(4)
            .file(
                "lib/loops.py",
                "
                import asyncio, time
                from mod_python import apache

                async def turn():
                    end = time.monotonic() + 0.5
                    count = 0
                    while time.monotonic() < end:
                        await asyncio.sleep(0)
                        asyncio.get_running_loop()
                        count += 1
                    return count

                async def once():
                    return 1

                def runs(req):
                    req.write(str(asyncio.run(turn()) > 0))
                    return apache.OK

                def begins(req):
                    end = time.monotonic() + 0.5
                    while time.monotonic() < end:
                        asyncio.run(once())
                    req.write('True')
                    return apache.OK
                ",
            )
            .children(1)
            .vhost("runs.test", "PythonHandler loops::runs")
            .vhost("begins.test", "PythonHandler loops::begins")
            .start();

        // Where each child has one thread, they come one after the other.
        let both: Vec<_> = std::thread::scope(|scope| {
            let asked = ["runs.test", "begins.test", "runs.test", "begins.test"];
            let threads = asked.map(|host| scope.spawn(|| server.request("GET", "/x").host(host).send().text()));
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        });
        assert_eq!(both, ["True"; 4], "{}", server.log());
    }
}
