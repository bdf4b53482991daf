//! Scripts that are loaded when a child starts: `WSGIImportScript`, and `WSGIScriptAlias` with both of its groups named.

use crate::config::Generation;
use crate::config::wsgi::{ScriptImport, WsgiProcess};
use crate::cpython::{Detached, Object, Raised};
use crate::phases::callback::{self, Running};
use crate::phases::report::{log_traceback, summary, traceback};

/// Loads them in the order in which they are written. One that fails is logged, and the next one is loaded.
pub fn run(detached: &mut Detached<'_>) {
    let Some(generation) = Generation::current() else { return };
    for import in &generation.wsgi.imports {
        run_one(detached, &generation.wsgi, import);
    }
}

fn run_one(detached: &mut Detached<'_>, process: &WsgiProcess, import: &ScriptImport) {
    let path = String::from_utf8_lossy(&import.path);
    let described = || format!("{} '{path}' ({})", import.directive, import.place);
    let group = String::from_utf8_lossy(&import.process_group);
    if !import.process_group.is_empty() && process.daemon(&import.process_group).is_none() {
        tracing::error!(
            "MP0470: {} is not loaded when a child starts: there is no 'WSGIDaemonProcess {group}'",
            described()
        );
        return;
    }
    let name = process.interpreter(&import.process_group, &import.application_group);
    // That nothing has run for want of an interpreter is in the log.
    let _ = callback::for_server(detached, &name, &described, |running| {
        let Err(raised) = load(running, import) else { return };
        let exception = raised.fetch(running.attached);
        tracing::error!(
            "MP0471: {} in interpreter '{}' raised {}; the child goes on, and a request for it tries again",
            described(),
            running.interpreter.display_name(),
            summary(&exception)
        );
        log_traceback(&format!("{} {path}", import.directive), &traceback(&exception));
    });
}

fn load(running: &Running<'_>, import: &ScriptImport) -> Result<(), Raised> {
    let attached = running.attached;
    Object::import(attached, c"mod_python._applications")?
        .attribute(c"load_script")?
        .call([
            &Object::file_name(attached, &import.path)?,
            &Object::bool(attached, false),
            &Object::bool(attached, false),
            &Object::str(attached, "_mod_wsgi_")?,
        ])
        .map(drop)
}
