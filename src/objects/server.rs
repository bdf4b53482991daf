//! `mp_server`.

mod members;
mod methods;

use std::ffi::CStr;

use crate::cpython::{Attached, Class, GetSet, Method, Object, Raised};
use crate::httpd::Server;
use crate::interpreter::Interpreter;

use super::module_state::{ApacheClass, ClassId, ModuleState, ServerPart};

/// The object of a server record. In a child, server records live until the process ends.
pub struct ServerObject {
    server: Server<'static>,
    interpreter: &'static Interpreter,
}

impl ServerObject {
    /// The object of a server record, always the same one in an interpreter; Python's None for `None`.
    pub fn object<'i>(
        attached: Attached<'i>,
        interpreter: &'static Interpreter,
        server: Option<Server<'static>>,
    ) -> Result<Object<'i>, Raised> {
        match server {
            Some(server) => Self::in_state(attached, ModuleState::of(attached, interpreter)?, interpreter, server),
            None => Ok(Object::none(attached)),
        }
    }

    /// The same while the interpreter is being set up.
    pub fn in_state<'i>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        interpreter: &'static Interpreter,
        server: Server<'static>,
    ) -> Result<Object<'i>, Raised> {
        module_state.of_server(attached, ServerPart::Server, server.as_ptr() as usize, || {
            module_state.instance(attached, Self { server, interpreter })
        })
    }

    pub fn server(&self) -> Server<'static> {
        self.server
    }
}

impl ApacheClass for ServerObject {
    const ID: ClassId = ClassId::Server;
}

impl Class for ServerObject {
    const NAME: &'static CStr = c"builtins.mp_server";
    const DOC: &'static CStr = c"A server: the main one or a virtual host.";
    const SUBCLASSING: bool = true;
    const ATTRIBUTES: bool = true;

    fn methods() -> &'static [Method] {
        methods::METHODS
    }

    fn members() -> &'static [GetSet] {
        members::MEMBERS
    }
}
