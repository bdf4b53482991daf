//! `PythonImport`: modules that a child imports before it serves.

use crate::config::{Import, Settings, server_config};
use crate::cpython::{Detached, Object, Raised};
use crate::httpd::{LogScope, Place, Server};

use super::callback::{self, Running};
use super::report::{log_traceback, summary, traceback};
use super::resolve;

/// Runs the imports of all servers in the order in which the configuration was read. One that fails is logged, and the
/// next one runs.
pub fn run(detached: &mut Detached<'_>, main: Server<'_>) {
    let Some(of_main) = server_config(main) else { return };
    // httpd's list of virtual hosts is not in the order of the file, and those without a directive of this module have the
    // main server's record.
    let mut all: Vec<_> = main
        .with_following()
        .filter_map(|server| Some((server, server_config(server)?)))
        .filter(|(server, config)| !server.is_virtual() || !std::ptr::eq(*config, of_main))
        .flat_map(|(server, config)| config.imports.iter().map(move |import| (server, &config.settings, import)))
        .collect();
    all.sort_by_key(|(_, _, import)| import.order);
    for (server, settings, import) in all {
        // SAFETY: server records outlive the child.
        let _scope = unsafe { LogScope::enter(Place::Server(server.as_ptr())) };
        run_one(detached, settings, import);
    }
}

fn run_one(detached: &mut Detached<'_>, settings: &Settings<'_>, import: &Import<'_>) {
    let described = || {
        let function = import.function.map_or(String::new(), |function| format!("::{function}"));
        format!("PythonImport '{}{function}' ({}:{})", import.module, import.origin.file, import.origin.line)
    };
    // If there is no interpreter, that was logged.
    let _ = callback::for_server(detached, import.interpreter, &described, |running| {
        let Err(raised) = import_and_call(running, settings, import) else { return };
        let exception = raised.fetch(running.attached);
        tracing::error!(
            "MP0408: {} in interpreter '{}' raised {}; the child goes on without it",
            described(),
            running.interpreter.display_name(),
            summary(&exception)
        );
        log_traceback(&format!("PythonImport {}", import.module), &traceback(&exception));
    });
}

fn import_and_call(running: &Running<'_>, settings: &Settings<'_>, import: &Import<'_>) -> Result<(), Raised> {
    if let Some(path) = settings.path {
        resolve::use_path(running.attached, running.module_state, path.text)?;
    }
    let module = resolve::import(running.attached, running.module_state, import.module, settings, None)?;
    let Some(function) = import.function else { return Ok(()) };
    let mut object: Object<'_> = module;
    for part in function.split('.') {
        object = object.attribute_named(part)?;
    }
    object.call([]).map(drop)
}
