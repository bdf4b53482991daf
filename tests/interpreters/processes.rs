//! Forks and programs: refused where CPython would abort the process, working elsewhere.

use crate::fixture::{Httpd, Mpm, for_each_mpm};
use crate::who::{ask, site};

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
                            preexec=outcome(lambda: run(preexec_fn=int).returncode))
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
            let answer = ask(&server, "localhost", "/x");
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
            let answer = ask(&server, "main.test", "/x");
            let facts = ["fork", "forkpty", "multiprocess", "program", "system", "preexec"].map(|name| answer.fact(name));
            assert_eq!(facts, ["7", "7", "0", "from a program 3", "5", "3"]);
        }
    }
}
