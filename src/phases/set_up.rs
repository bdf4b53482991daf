//! Prepares a new interpreter for handlers.

use crate::config::{Generation, wsgi};
use crate::cpython::{Attached, Object, Raised};
use crate::httpd::Server;
use crate::interpreter::{Interpreter, SetUp, runtime};
use crate::modules::{apache, library};
use crate::objects::module_state::{Library, ModuleState, SharedState};
use crate::objects::server::ServerObject;

/// The set-up of this module's interpreters.
pub struct HandlerSetUp;

impl SetUp for HandlerSetUp {
    fn set_up(&self, attached: Attached<'_>, interpreter: &'static Interpreter) -> Result<(), Raised> {
        let module = Object::import(attached, apache::NAME)?;
        let shared = apache::Apache::adopt(attached, &module, interpreter)?;
        interpreter.data_or_insert::<SharedState>(|| shared);
        let module_state = ModuleState::of(attached, interpreter)?;
        bootstrap(attached, interpreter)?;

        let library = Object::import(attached, c"mod_python.apache")?;
        let main = Server::main().ok_or_else(|| Raised::runtime_error(attached, "httpd has no server yet"))?;
        let main_server = ServerObject::in_state(attached, module_state, interpreter, main)?;
        let name = Object::text(attached, interpreter.name())?;
        library.call_method(c"init", [&name, &main_server])?;
        module_state.set_library(Library {
            import_for_handler: library.attribute(c"_import_for_handler")?.keep(),
            use_python_path: library.attribute(c"_use_python_path")?.keep(),
        });
        match Generation::current().filter(|generation| generation.wsgi.is_used) {
            Some(generation) => set_up_for_wsgi(attached, &generation.wsgi, interpreter),
            None => Ok(()),
        }
    }

    fn after_fork(&self, attached: Attached<'_>) -> Result<(), Raised> {
        Object::import(attached, c"mod_python._process")?.call_method(c"after_fork", []).map(drop)
    }
}

/// Runs the library's first part, which imports the others.
fn bootstrap(attached: Attached<'_>, interpreter: &Interpreter) -> Result<(), Raised> {
    const NAME: &str = "mod_python._bootstrap";
    let part = library::part(NAME).ok_or_else(|| Raised::system_error(attached, "the library has no _bootstrap"))?;
    let builtins = Object::import(attached, c"builtins")?;
    let path = Object::str(attached, &part.path())?;
    let code = library::code(attached, part)?;
    let namespace = Object::dict(attached)?;
    namespace.set("__name__", &Object::str(attached, NAME)?)?;
    namespace.set("__file__", &path)?;
    builtins.call_method(c"exec", [&code, &namespace])?;

    let environment = Object::dict(attached)?;
    for (name, value) in runtime().map_or(&[] as &[_], |runtime| runtime.environment()) {
        environment.set_item(&Object::bytes(attached, name)?, &Object::bytes(attached, value)?)?;
    }
    let start = namespace.call_method(c"__getitem__", [&Object::str(attached, "start")?])?;
    let name = Object::text(attached, interpreter.name())?;
    let venv = match interpreter.venv() {
        None => Object::none(attached),
        Some(venv) => {
            let program = venv.program();
            Object::tuple(
                attached,
                [Object::str(attached, venv.folder())?, Object::str(attached, &program.to_string_lossy())?],
            )?
        }
    };
    start.call([&name, &environment, &Object::bool(attached, interpreter.is_main()), &venv])?;
    Ok(())
}

/// What mod_wsgi's directives say about an interpreter.
fn set_up_for_wsgi(
    attached: Attached<'_>,
    process: &wsgi::WsgiProcess,
    interpreter: &Interpreter,
) -> Result<(), Raised> {
    let own = process.for_interpreter(interpreter.name());
    let texts =
        |texts: &[&str]| Object::list(attached, texts.iter().map(|text| Object::file_name(attached, text.as_bytes())));
    let environment = own.environment.iter().map(|(name, value)| {
        Object::tuple(attached, [Object::str(attached, name)?, Object::file_name(attached, value.as_bytes())?])
    });
    let filters: Vec<_> = process.warnings.iter().map(String::as_str).collect();
    Object::import(attached, c"mod_python._mod_wsgi")?
        .attribute(c"set_up")?
        .call([
            &Object::text(attached, own.process_group)?,
            &Object::text(attached, own.application_group)?,
            &texts(&own.folders)?,
            &Object::list(attached, environment)?,
            &Object::float(attached, own.switch_interval.unwrap_or_default())?,
            &Object::bool(attached, !process.dont_write_bytecode),
            &texts(&filters)?,
            &Object::bool(attached, process.allow_signals),
            &Object::bool(attached, !process.restrict_stdin),
            &Object::bool(attached, !process.restrict_stdout),
        ])
        .map(drop)
}
