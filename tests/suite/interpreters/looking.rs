//! What looks into the threads of a process sees those of its own interpreter.

use crate::fixture::{Httpd, for_each_mpm, python_version};

/// `/look` answers with what this interpreter sees, while threads come and go in it.
const LOOK: &str = r#"
    import os, sys, tempfile, threading, time, traceback
    from mod_python import apache

    resting, rested = threading.Event(), threading.Event()

    def rests():
        try:
            raise LookupError(apache.interpreter)
        except LookupError:
            resting.set()
            rested.wait()

    rester = threading.Thread(target=rests, daemon=True)
    rester.start()
    resting.wait()

    def handled(found):
        # Python 3.11 gives what sys.exc_info() does
        return found[1] if isinstance(found, tuple) else found

    def churn(until):
        while time.monotonic() < until:
            threads = [threading.Thread(target=sum, args=(range(100),)) for _ in range(3)]
            for thread in threads:
                thread.start()
            [[] for _ in range(1000)]
            for thread in threads:
                thread.join()

    def handler(req):
        me = threading.get_ident()
        until = time.monotonic() + 0.5
        churner = threading.Thread(target=churn, args=(until,))
        churner.start()
        looks = 0
        while time.monotonic() < until or not looks:
            frames, exceptions = sys._current_frames(), sys._current_exceptions()
            assert frames[me].f_code is handler.__code__, frames
            stack = "".join(traceback.format_stack(frames[rester.ident]))
            assert "in rests" in stack and "rested.wait()" in stack, stack
            assert handled(exceptions[me]) is None and me in exceptions, exceptions
            assert str(handled(exceptions[rester.ident])) == apache.interpreter, exceptions
            # Of other interpreters, whose threads rest as well, there is nothing
            names = [frame.f_globals.get("__name__") for frame in frames.values()]
            resters = [1 for frame in frames.values() for part in traceback.extract_stack(frame) if part.name == "rests"]
            assert len(resters) == 1, names
            assert isinstance(sys.getallocatedblocks(), int)
            looks += 1
        churner.join()
        try:
            1 / 0
        except ZeroDivisionError as error:
            assert handled(sys._current_exceptions()[me]) is error
        with tempfile.TemporaryFile("w+") as file:
            try:
                import faulthandler
            except ImportError as error:
                # Python refuses it to interpreters with GILs of their own
                assert "subinterpreters" in str(error), error
            else:
                # It takes no lock. Python 3.15 ends the dump at a thread that is just being made or freed by somebody else, who may
                # be waiting for a processor
                end = time.monotonic() + 10
                while time.monotonic() < end:
                    file.seek(0)
                    file.truncate()
                    faulthandler.dump_traceback(file, all_threads=True)
                    file.seek(0)
                    dumped = file.read()
                    if "<freed thread state>" not in dumped:
                        break
                    time.sleep(0.01)
                assert dumped.count("in rests") == 1, dumped
        req.write(apache.interpreter)
        return apache.OK
"#;

for_each_mpm! {
    fn each_sees_its_own_threads(mpm) {
        let hosts = ["localhost", "a.test", "b.test", "main.test"];
        let mut site = Httpd::new(mpm)
            .children(1)
            .threads(8)
            .handler("look", LOOK)
            .vhost("a.test", "")
            .vhost("b.test", "")
            .vhost("main.test", "PythonInterpreter main_interpreter");
        if python_version() >= (3, 12) {
            site = site.config("PythonInterpreterOptions a.test gil=own\nPythonInterpreterOptions b.test gil=own");
        }
        let server = site.start();
        let children = server.child_pids();
        for round in 0..2 {
            let answers = server.parallel(8, |index| server.request("GET", "/look").host(hosts[index % 4]));
            for (index, answer) in answers.iter().enumerate() {
                let name = if index % 4 == 3 { "main_interpreter" } else { hosts[index % 4] };
                assert_eq!((answer.status, answer.text().as_str()), (200, name), "{round}\n{}", server.log());
            }
        }
        assert_eq!(server.child_pids(), children);
    }
}
