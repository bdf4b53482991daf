//! Makes a fresh interpreter fit for handlers.

use std::any::Any;
use std::collections::HashMap;

use crate::cpython::{Attached, Object, Raised, new_instance};
use crate::interpreter::{Interpreter, Setup, runtime};
use crate::objects::equipment::{Equipment, Guarded, Servers};
use crate::objects::server::ServerObject;

use super::{apache, library};

/// The setup of this module's interpreters.
pub struct HandlerSetup;

impl Setup for HandlerSetup {
    fn set_up(
        &self,
        attached: Attached<'_>,
        interpreter: &'static Interpreter,
    ) -> Result<Box<dyn Any + Send + Sync>, Raised> {
        let module = Object::import(attached, apache::NAME)?;
        let classes = apache::State::of(&module)
            .map(|state| state.adopt(attached, interpreter))
            .ok_or_else(|| Raised::runtime_error(attached, "_apache is not initialised"))?;
        bootstrap(attached, interpreter)?;

        let library = Object::import(attached, c"mod_python.apache")?;
        let main = ServerObject::main(interpreter)
            .ok_or_else(|| Raised::runtime_error(attached, "httpd has no server yet"))?;
        let server = main.server();
        // SAFETY: the class was made from `ServerObject` in this interpreter.
        let main_server = unsafe { new_instance(attached, classes.server.as_ptr(), main)? };
        let name = Object::text(attached, interpreter.name())?;
        library.call_method(c"init", [&name, &main_server])?;
        let servers = Servers::new();
        drop(servers.get_or_keep(attached, server, main_server));
        Ok(Box::new(Equipment {
            classes,
            import_module: library.attribute(c"import_module")?.keep(),
            use_python_path: library.attribute(c"_use_python_path")?.keep(),
            servers,
            handlers: Guarded::new(HashMap::new()),
        }))
    }

    fn after_fork(&self, attached: Attached<'_>) -> Result<(), Raised> {
        Object::import(attached, c"mod_python._process")?.call_method(c"after_fork", []).map(drop)
    }
}

/// Runs the library's first part, which finds the others.
fn bootstrap(attached: Attached<'_>, interpreter: &Interpreter) -> Result<(), Raised> {
    const NAME: &str = "mod_python._bootstrap";
    let part = library::part(NAME).ok_or_else(|| Raised::system_error(attached, "the library has no _bootstrap"))?;
    let builtins = Object::import(attached, c"builtins")?;
    let path = Object::str(attached, &part.path())?;
    let code = match library::code(attached, NAME) {
        Some(code) => {
            Object::import(attached, c"marshal")?.call_method(c"loads", [&Object::bytes(attached, &code)?])?
        }
        None => {
            let source = Object::bytes(attached, part.source)?;
            builtins.call_method(c"compile", [&source, &path, &Object::str(attached, "exec")?])?
        }
    };
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
    start.call([&name, &environment, &Object::bool(attached, interpreter.is_main())])?;
    Ok(())
}
