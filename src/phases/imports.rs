//! `PythonImport`: modules that a child imports before it serves.

use crate::config::{Import, Settings, server_config};
use crate::cpython::{Attached, Object, Raised};
use crate::httpd::{LogScope, Place, Server};
use crate::interpreter::{self, Interpreter, Runtime};
use crate::objects::equipment::equipment_of;
use crate::objects::write_printed;

use super::report::{log_traceback, summary};
use super::resolve;

/// Runs the imports of all servers in the order in which the configuration was read. One that fails is logged, and the
/// next one runs.
pub fn run(runtime: &'static Runtime, main: Server<'_>) {
    let Some(of_main) = server_config(main) else { return };
    // httpd keeps its virtual hosts in another order than the file's, and gives those without a directive of this module the
    // main server's own record.
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
        run_one(runtime, settings, import);
    }
}

fn run_one(runtime: &'static Runtime, settings: &Settings<'_>, import: &Import<'_>) {
    let described = || {
        let function = import.function.map_or(String::new(), |function| format!("::{function}"));
        format!("PythonImport '{}{function}' ({}:{})", import.module, import.origin.file, import.origin.line)
    };
    let Ok(interpreter) = interpreter::get(runtime, import.interpreter) else {
        tracing::error!("MP0408: {}: not imported, since its interpreter could not be made", described());
        return;
    };
    let Some(guard) = interpreter.attach() else { return };
    let attached = guard.attached();
    if let Err(raised) = import_and_call(attached, interpreter, settings, import) {
        let exception = raised.fetch(attached);
        tracing::error!(
            "MP0408: {} in interpreter '{}' raised {}; the child goes on without it",
            described(),
            interpreter.display_name(),
            summary(&exception)
        );
        log_traceback(&format!("PythonImport {}", import.module), &exception.traceback());
    }
    write_printed(attached);
}

fn import_and_call(
    attached: Attached<'_>,
    interpreter: &'static Interpreter,
    settings: &Settings<'_>,
    import: &Import<'_>,
) -> Result<(), Raised> {
    let equipment = equipment_of(attached, interpreter)?;
    if let Some(path) = settings.path {
        resolve::use_path(attached, equipment, path.text)?;
    }
    let module = resolve::import(attached, equipment, import.module, settings)?;
    let Some(function) = import.function else { return Ok(()) };
    let mut object: Object<'_> = module;
    for part in function.split('.') {
        object = object.attribute_named(part)?;
    }
    object.call([]).map(drop)
}
