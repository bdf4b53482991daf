//! The life of httpd with the module: start, restarts, stop; children that come and go; a parent without Python.

mod children;
mod memory;
mod parent;
mod restarts;
mod signals;
mod starting;
mod stopping;

pub use starting::AtStart;

use crate::common::who;
use crate::fixture::{Httpd, Mpm, Server, wait_until};

/// Handlers that take their time: `/sleep`, `/spin`, `/stuck`, `/prints`, and `/wait`, which ends when the file `release` is there.
/// Each makes a file of its name in the scratch folder when it has begun.
const BUSY: &str = r#"
    import os
    import time
    from mod_python import apache

    SCRATCH = os.path.join(apache.server_root(), "scratch")

    def begun(what):
        open(os.path.join(SCRATCH, what), "w").close()

    def sleep(req):
        begun("sleep")
        time.sleep(120)
        return 0

    def prints(req):
        print("half a line", end="")
        begun("prints")
        time.sleep(120)
        return 0

    def spin(req):
        # Busy with bytecode and a computation that keeps the GIL, without heating the machine for the tests beside this one.
        import ctypes
        compute = ctypes.PyDLL(None).usleep
        begun("spin")
        start = time.monotonic()
        while time.monotonic() < start + 120:
            compute(1000)
        return 0

    def stuck(req):
        # A call that keeps the interpreter's lock, as a badly written extension does.
        import ctypes
        function = ctypes.PyDLL(None).sleep
        begun("stuck")
        # What is left of the time when a signal has interrupted it.
        seconds = 120
        while seconds:
            seconds = function(seconds)
        return 0

    def wait(req):
        from who import tell
        begun("wait")
        deadline = time.monotonic() + 60
        while not os.path.exists(os.path.join(SCRATCH, "release")):
            if time.monotonic() > deadline:
                return 503
            time.sleep(0.005)
        return tell(req)
"#;

fn busy(mpm: Mpm) -> Httpd {
    ["sleep", "spin", "stuck", "prints", "wait"]
        .iter()
        .fold(who::site(mpm).file("lib/busy.py", BUSY).config("PythonHandler who"), |site, name| {
            site.config(format!("<Location /{name}>\n    PythonHandler busy::{name}\n</Location>"))
        })
}

/// Waits until a handler of `BUSY` has begun.
#[track_caller]
fn wait_for_begin(server: &Server, name: &str) {
    wait_until(&format!("/{name} to begin"), || server.scratch().join(name).exists());
}

/// Lets `/wait` end.
fn release(server: &Server) {
    std::fs::write(server.scratch().join("release"), "").expect("we can write there");
}
