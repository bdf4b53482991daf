//! Python in this process: whether it may run, and its start.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::Generation;
use crate::cpython::Home;
use crate::interpreter::{self, Runtime, RuntimeOptions};
use crate::modules::{apache, psp, store};
use crate::objects::request::resting_flushers;
use crate::process::{caught, exit};

use super::set_up::HandlerSetUp;

/// How long `shutdown` may take.
const EXIT_BOUND: Duration = Duration::from_secs(3);

/// Whether this process serves requests: it is a child, or the single process of `httpd -X`.
static SERVES: AtomicBool = AtomicBool::new(false);

/// Notes that this process serves requests.
pub fn serve() {
    SERVES.store(true, Ordering::Relaxed);
}

/// Whether this process serves requests, and so may run Python: the parent does not.
pub fn is_child() -> bool {
    SERVES.load(Ordering::Relaxed)
}

/// Python in this process. Started now if it was not needed before (a .htaccess file can be the first to use it).
///
/// # Errors
/// Why it cannot be used, which was logged too.
pub fn python() -> Result<&'static Runtime, &'static str> {
    let runtime = interpreter::start(|| {
        let generation = Generation::current();
        let home = generation.and_then(|generation| generation.home.as_deref());
        RuntimeOptions {
            interpreters: generation.map(|generation| generation.interpreters.clone()).unwrap_or_default(),
            home: Home::choose(home),
            executable: program(home),
            optimization: generation.map_or(0, |generation| generation.optimization),
            modules: &[(apache::NAME, apache::init), (psp::NAME, psp::init), (store::NAME, store::init)],
            set_up: Box::new(HandlerSetUp),
            resting_threads: resting_flushers,
        }
    })?;
    interpreter::use_after_fork(runtime, end_of_forked_process).map(|()| runtime)
}

/// `sys.executable`: that of the home, if it has one.
fn program(home: Option<&str>) -> String {
    const VERSION: &str = env!("MOD_PYTHON_PY_VERSION");
    let in_home = |home: &str| {
        let programs = [format!("{home}/bin/python{VERSION}"), format!("{home}/bin/python3")];
        programs.into_iter().find(|program| Path::new(program).is_file())
    };
    home.and_then(in_home).unwrap_or_else(|| env!("MOD_PYTHON_PY_EXECUTABLE").to_owned())
}

/// Runs the functions registered for the exit, and stops Python.
pub fn shutdown() {
    interpreter::shutdown(EXIT_BOUND);
}

/// Called by `exit` in a process that was forked from the child, whose pools are not destroyed.
extern "C" fn end_of_forked_process() {
    exit::ignore_stops();
    if let Err(panic) = caught(shutdown) {
        tracing::error!("MP0102: mod_python has a defect: {panic}. Please report this.");
    }
}
