//! httpd's signals stay httpd's.

use std::collections::BTreeMap;
use std::fs;

use crate::common::who::{ask, site};
use crate::fixture::{Httpd, Mpm, Server, for_each_mpm};

/// What a process ignores, catches and blocks, by the kernel's masks.
/// The signals with which glibc reaches the threads of a process, in the masks of /proc: it takes them when there are threads.
const OF_GLIBC: u64 = 1 << 31 | 1 << 32;

fn dispositions(pid: u32) -> BTreeMap<String, u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let masks = status.lines().filter_map(|line| line.split_once(":\t"));
    masks
        .filter(|(name, _)| ["SigBlk", "SigIgn", "SigCgt"].contains(name))
        .map(|(name, mask)| (name.to_owned(), u64::from_str_radix(mask, 16).expect("hexadecimal") & !OF_GLIBC))
        .collect()
}

fn of_all(server: &Server) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    (dispositions(server.parent_pid()), dispositions(server.child_pids()[0]))
}

for_each_mpm! {
    /// P12: mod_python took SIGINT over, and left SIGPIPE ignored.
    fn they_are_as_without_the_module(mpm) {
        let without = Httpd::new(mpm).children(1).without_python().file("x", "").start();
        without.get("/x");
        let with = site(mpm)
            .children(1)
            .config("PythonHandler signals\nPythonImport signals main_interpreter")
            .file(
                "lib/signals.py",
                "
                import subprocess, threading, asyncio
                from who import tell
                def handler(req):
                    subprocess.run(['true'], check=True)
                    asyncio.run(asyncio.sleep(0))
                    return tell(req)
                ",
            )
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        for host in ["localhost", "main.test", "localhost", "main.test"] {
            ask(&with, host, "/x");
        }
        assert_eq!(of_all(&with), of_all(&without));
    }
}

/// httpd ignores SIGPIPE; what a handler starts does not.
#[test]
fn a_program_does_not_inherit_what_httpd_ignores() {
    let site = site(Mpm::Worker)
        .children(1)
        .config("PythonHandler programs")
        .file(
            "lib/programs.py",
            "
            import subprocess
            from who import tell
            def handler(req):
                status = subprocess.run(['cat', '/proc/self/status'], capture_output=True, text=True, check=True).stdout
                masks = dict(line.split(':\\t') for line in status.splitlines() if line.startswith('Sig'))
                return tell(req, ignored=masks['SigIgn'])
            ",
        )
        .start();
    let answer = ask(&site, "localhost", "/x");
    let ignored = u64::from_str_radix(answer.fact("ignored"), 16).expect("a mask");
    assert_eq!(ignored & (1 << (libc::SIGPIPE - 1)), 0, "{ignored:x}");
}

for_each_mpm! {
    /// Threads of worker and event block nearly all signals, and `exec` keeps that.
    fn a_program_does_not_inherit_what_a_thread_of_httpd_blocks(mpm) {
        let server = site(mpm)
            .children(1)
            .config("PythonHandler programs")
            .file(
                "lib/programs.py",
                r#"
                import asyncio, multiprocessing, os, signal, subprocess, tempfile, threading
                from who import tell

                SHOW = ["grep", "SigBlk", "/proc/self/status"]

                def by_run():
                    return subprocess.check_output(SHOW, text=True)

                def by_run_without_vfork():
                    return subprocess.check_output(SHOW, text=True, umask=0o22)

                def by_shell():
                    return subprocess.getoutput(" ".join(SHOW))

                def by_popen():
                    return os.popen(" ".join(SHOW)).read()

                def by_asyncio():
                    async def run():
                        process = await asyncio.create_subprocess_exec(*SHOW, stdout=subprocess.PIPE)
                        return (await process.communicate())[0].decode()
                    with asyncio.Runner() as runner:
                        return runner.run(run())

                def by_file(start):
                    with tempfile.NamedTemporaryFile("r") as file:
                        status = start(file.name)
                        assert status == 0, status
                        return file.read()

                def by_system():
                    os.environ["SHOWN"] = "SigBlk"
                    return by_file(lambda name: os.system(f"grep $SHOWN /proc/self/status >{name}"))

                def by_posix_spawn():
                    def start(name):
                        actions = [(os.POSIX_SPAWN_OPEN, 1, name, os.O_WRONLY, 0)]
                        return os.waitpid(os.posix_spawnp("grep", SHOW, os.environ, file_actions=actions), 0)[1]
                    return by_file(start)

                def in_a_thread_of_its_own():
                    said = []
                    thread = threading.Thread(target=lambda: said.append(by_run()))
                    thread.start()
                    thread.join()
                    return said[0]

                def handler(req):
                    ways = [by_run, by_run_without_vfork, by_shell, by_popen, by_system, by_posix_spawn, in_a_thread_of_its_own]
                    if req.interpreter == "main_interpreter" or hasattr(os, "pidfd_open"):
                        ways.append(by_asyncio)
                    blocked = {way.__name__: way().split()[-1] for way in ways}
                    wrong = {name: mask for name, mask in blocked.items() if int(mask, 16)}
                    assert not wrong, wrong

                    mine = signal.pthread_sigmask(signal.SIG_BLOCK, [])
                    sleeper = subprocess.Popen(["sleep", "30"])
                    sleeper.terminate()
                    ended = sleeper.wait(20)
                    # This thread goes on as httpd has it.
                    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mine
                    # A mask that is asked for is what the program gets.
                    asked = by_file(lambda name: os.waitpid(os.posix_spawnp("grep", SHOW, os.environ, setsigmask=[10],
                        file_actions=[(os.POSIX_SPAWN_OPEN, 1, name, os.O_WRONLY, 0)]), 0)[1])
                    assert os.system("exit 3") == 3 << 8 and os.system("kill -9 $$") == 9
                    try:
                        os.posix_spawn("/nonexistent", ["x"], os.environ)
                    except FileNotFoundError:
                        return tell(req, ended=ended, asked=int(asked.split()[-1], 16), ways=len(blocked))
                "#,
            )
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        for host in ["localhost", "main.test"] {
            let answer = ask(&server, host, "/x");
            assert_eq!((answer.fact("ended"), answer.fact("asked")), ("-15", "512"), "{host}");
            assert!(["7", "8"].contains(&answer.fact("ways")), "{host}");
        }
    }
}

for_each_mpm! {
    /// Up to 3.11 an interrupt looks into a module of the main interpreter that may never have been loaded there.
    fn an_interrupt_harms_nobody(mpm) {
        let server = site(mpm)
            .children(1)
            .config("PythonHandler interrupts")
            .file(
                "lib/interrupts.py",
                r#"
                import _thread
                from who import tell

                def handler(req):
                    if req.args == "interrupt":
                        _thread.interrupt_main()
                        import signal
                        for number in (signal.SIGINT, signal.SIGALRM, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
                            _thread.interrupt_main(number)
                        signal.raise_signal(signal.SIGCHLD)
                        try:
                            signal.set_wakeup_fd(-1)
                        except ValueError:
                            pass
                    for _ in range(10000):
                        pass
                    return tell(req)
                "#,
            )
            .vhost("a.test", "")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        let first = ask(&server, "localhost", "/x?interrupt");
        for host in ["a.test", "main.test", "localhost", "main.test"] {
            for path in ["/x?interrupt", "/x"] {
                assert!(ask(&server, host, path).is_from(&[first.pid, first.parent]), "{host} {path}");
            }
        }
        assert!(!server.log().contains("KeyboardInterrupt"), "{}", server.log());
    }

    /// What a child does at SIGINT is httpd's.
    fn a_child_takes_an_interrupt_as_without_the_module(mpm) {
        let outcome = |server: &Server| {
            let child = server.child_pids()[0];
            server.expect_child_death();
            server.signal(child, libc::SIGINT);
            std::thread::sleep(std::time::Duration::from_millis(500));
            server.alive(child)
        };
        let without = Httpd::new(mpm).children(1).without_python().file("x", "").start();
        without.get("/x");
        let with = site(mpm).children(1).config("PythonHandler who").start();
        ask(&with, "localhost", "/x");
        assert_eq!(outcome(&with), outcome(&without));
        ask(&with, "localhost", "/x");
        assert!(!with.log().contains("KeyboardInterrupt"), "{}", with.log());
    }
}
