//! Forks and programs: refused where CPython would abort the process, working elsewhere.

use crate::common::who::{Answer, ask, site};
use crate::fixture::{Httpd, Mpm, for_each_lasting_mpm, for_each_mpm, wait_until};

fn forks(mpm: Mpm) -> Httpd {
    site(mpm)
        .children(1)
        .file(
            "lib/forks.py",
            r#"
            import os
            import subprocess
            import sys
            from who import tell

            def outcome(work):
                try:
                    return work()
                except Exception as error:
                    return "%s: %s" % (type(error).__name__, error)

            def fork(function):
                def work():
                    pid = function()
                    pid = pid if isinstance(pid, int) else pid[0]
                    if pid == 0:
                        os._exit(7)
                    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                return outcome(work)

            def multiprocess():
                import multiprocessing
                process = multiprocessing.get_context("fork").Process(target=int)
                process.start()
                process.join()
                return process.exitcode

            def run(**more):
                return subprocess.run(["sh", "-c", "echo from a program; exit 3"], capture_output=True, text=True, **more)

            def program():
                done = run()
                return "%s %s" % (done.stdout.strip(), done.returncode)

            def handler(req):
                return tell(req, fork=fork(os.fork), forkpty=fork(os.forkpty), multiprocess=outcome(multiprocess),
                            program=outcome(program), system=os.waitstatus_to_exitcode(os.system("exit 5")),
                            preexec="preexec" in (req.args or "") and outcome(lambda: run(preexec_fn=int).returncode))
            "#,
        )
        .config("PythonHandler forks")
        .vhost("main.test", "PythonInterpreter main_interpreter")
}

for_each_mpm! {
    /// P10: the child of a fork in a sub-interpreter is always aborted by CPython.
    fn in_a_sub_interpreter_a_fork_is_refused_with_the_reason(mpm) {
        let server = forks(mpm).start();
        for _ in 0..2 {
            let answer = ask(&server, "localhost", "/x?preexec");
            for (name, function) in [("fork", "os.fork()"), ("forkpty", "os.forkpty()"), ("multiprocess", "os.fork()")] {
                let refusal = answer.fact(name);
                assert!(refusal.starts_with("RuntimeError: MP0705: "), "{refusal}");
                for part in [function, "'localhost'", "subprocess", "main_interpreter"] {
                    assert!(refusal.contains(part), "{part} in {refusal}");
                }
            }
            assert_eq!((answer.fact("program"), answer.fact("system")), ("from a program 3", "5"));
            let refusal = answer.fact("preexec");
            assert!(refusal.starts_with("RuntimeError: preexec_fn"), "CPython's own: {refusal}");
        }
    }

    fn in_the_main_interpreter_a_fork_is_left_alone(mpm) {
        let server = forks(mpm).start();
        for _ in 0..2 {
            let answer = ask(&server, "main.test", "/x?preexec");
            let facts = ["fork", "forkpty", "multiprocess", "program", "system", "preexec"].map(|name| answer.fact(name));
            assert_eq!(facts, ["7", "7", "0", "from a program 3", "5", "3"]);
        }
    }
}

/// Handlers that fork in the main interpreter, and places in others.
fn forks_and_goes_on(mpm: Mpm) -> Httpd {
    site(mpm)
        .children(1)
        .file(
            "lib/beside.py",
            r#"
            import os, time
            from mod_python import apache
            from who import tell

            SCRATCH = os.path.join(apache.server_root(), "scratch")

            def note(name, text):
                with open(os.path.join(SCRATCH, name + ".new"), "w") as file:
                    file.write(text)
                os.rename(os.path.join(SCRATCH, name + ".new"), os.path.join(SCRATCH, name))

            def code_of(pid):
                return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

            def redirects(req):
                pid = os.fork()
                if pid == 0:
                    try:
                        req.internal_redirect("/inner")
                        req.internal_redirect("/other")
                        req.internal_redirect("/new")
                    finally:
                        os._exit(7)
                return tell(req, code=code_of(pid))

            def inner(req):
                note("inner", apache.interpreter)
                return apache.OK

            def returns(req):
                pid = os.fork()
                if pid == 0:
                    while not os.path.exists(os.path.join(SCRATCH, "answered")):
                        time.sleep(0.005)
                    req.connection.keepalive = apache.AP_CONN_CLOSE
                    return apache.OK
                return tell(req, forked=pid)
            "#,
        )
        .config(
            "
            PythonHandler who
            PythonInterpreter main_interpreter
            <Location /other>
                PythonInterpreter other
            </Location>
            <Location /new>
                PythonInterpreter new
            </Location>
            <Location /redirects>
                PythonHandler beside::redirects
            </Location>
            <Location /inner>
                PythonHandler beside::inner
            </Location>
            <Location /returns>
                PythonHandler beside::returns
            </Location>
            ",
        )
}

for_each_mpm! {
    fn after_a_fork_only_the_main_interpreter_is_used(mpm) {
        let server = forks_and_goes_on(mpm).start();
        let mut connection = server.raw();
        let mut get = |path: &str| connection.exchange(&server.request("GET", path).keep_alive());
        for _ in 0..2 {
            let answer = Answer::of(&get("/redirects"));
            assert_eq!((answer.interpreter.as_str(), answer.fact("code")), ("main_interpreter", "7"), "{}", server.log());
            let inner = server.scratch().join("inner");
            assert_eq!(std::fs::read_to_string(&inner).expect("inner was there"), "main_interpreter");
            std::fs::remove_file(inner).expect("we can");
        }
        for name in ["other", "new"] {
            assert_eq!(server.log_count(&format!("MP0305: interpreter '{name}' cannot be used")), 2, "{}", server.log());
        }
        assert_eq!(Answer::of(&get("/other")).interpreter, "other", "the child goes on");
    }

    /// CPython hangs or crashes in the new process (gh-84139, gh-101437).
    fn beside_other_interpreters_a_fork_is_refused(mpm) {
        let server = forks(mpm).start();
        let mut connection = server.raw();
        let mut get = |host: &str| Answer::of(&connection.exchange(&server.request("GET", "/x").host(host).keep_alive()));
        get("localhost");
        for _ in 0..2 {
            let answer = get("main.test");
            for (name, function) in [("fork", "os.fork()"), ("forkpty", "os.forkpty()"), ("multiprocess", "os.fork()")] {
                let refusal = answer.fact(name);
                assert!(refusal.starts_with(&format!("RuntimeError: MP0705: {function}")), "{refusal}");
                assert!(refusal.contains("other interpreters") && refusal.contains("subprocess"), "{refusal}");
            }
            assert_eq!((answer.fact("program"), answer.fact("system")), ("from a program 3", "5"));
        }
    }
}

for_each_lasting_mpm! {
    /// A handler that returns in both makes the new one a process that serves, as far as the MPM lets it.
    fn a_process_that_a_handler_has_forked_can_go_on(mpm) {
        let server = forks_and_goes_on(mpm).start();
        let child = ask(&server, "localhost", "/x").pid;
        let forked: u32 = ask(&server, "localhost", "/returns").fact("forked").parse().expect("its id");
        std::fs::write(server.scratch().join("answered"), "").expect("we can write there");
        let statuses = || server.parallel(2, |i| server.request("GET", ["/x", "/other"][i])).iter().map(|it| it.status).collect::<Vec<_>>();
        if !mpm.is_threaded() {
            wait_until("both to answer", || {
                let statuses = statuses();
                assert!(statuses[0] == 200 && [200, 500].contains(&statuses[1]), "{statuses:?}: {}", server.log());
                server.log_count("MP0305") > 0
            });
            wait_until("the new one to answer", || ask(&server, "localhost", "/x").pid == forked);
        }
        assert_eq!(statuses()[0], 200);
        server.wait_until_asleep();
        assert!(server.alive(child) && server.alive(forked), "{}", server.log());
    }
}
