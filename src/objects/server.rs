//! `mp_server`.

mod members;
mod methods;

use std::ffi::CStr;

use crate::cpython::{Attached, Class, GetSet, Instance, Method, Object, Raised, new_instance, state_of};
use crate::ffi::httpd as raw;
use crate::httpd::Server;
use crate::interpreter::Interpreter;

use super::equipment::Equipment;

/// A server record's object. In a child, server records live for good.
pub struct ServerObject {
    server: Server<'static>,
    interpreter: &'static Interpreter,
}

impl ServerObject {
    /// The main server of this process; none before httpd has one.
    pub fn main(interpreter: &'static Interpreter) -> Option<Self> {
        // SAFETY: a plain global of httpd's, set before the children start.
        let server = unsafe { Server::from_raw(raw::ap_server_conf) }?;
        Some(Self { server, interpreter })
    }

    /// The object of a server record, always the same one in an interpreter; `None` for null.
    ///
    /// # Safety
    /// `server` is null or a server record of this child's configuration.
    pub unsafe fn object<'i>(
        attached: Attached<'i>,
        equipment: &Equipment,
        interpreter: &'static Interpreter,
        server: *mut raw::server_rec,
    ) -> Result<Object<'i>, Raised> {
        // SAFETY: the caller's; a child keeps its configuration for good.
        let Some(server) = (unsafe { Server::from_raw(server) }) else {
            return Ok(Object::none(attached));
        };
        if let Some(known) = equipment.servers.get(attached, server) {
            return Ok(known);
        }
        // SAFETY: the class was made from `ServerObject` in this interpreter.
        let made = unsafe { new_instance(attached, equipment.classes.server.as_ptr(), Self { server, interpreter })? };
        Ok(equipment.servers.get_or_keep(attached, server, made))
    }

    /// An object as a server, if it is one.
    pub fn from_object<'a, 'i>(
        equipment: &Equipment,
        object: &'a Object<'i>,
    ) -> Result<Option<Instance<'a, Self>>, Raised> {
        let attached = object.attached();
        // SAFETY: the class is this interpreter's.
        let class = unsafe { equipment.classes.server.get(attached) };
        // SAFETY: an instance of the class, as just asked.
        Ok(object.is_instance(&class).then(|| unsafe { state_of(attached, object.as_ptr()) }))
    }

    pub fn server(&self) -> Server<'static> {
        self.server
    }
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
