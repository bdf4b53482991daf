//! `mp_hlist`: the handlers of the running phase.

use std::ffi::CStr;
use std::sync::Arc;

use crate::config::Handler;
use crate::cpython::{
    Arguments, Attached, Class, GetSet, Instance, Method, Object, Raised, Repr, getter, method, repr_slot,
};
use crate::ffi::python as py;
use crate::httpd::Request;

use super::connection::ConnectionRecord;
use super::module_state::{ApacheClass, ClassId, ModuleState};
use super::request::RequestRecord;

/// The list of handlers that are running, from the current one on.
pub enum HlistObject {
    OfRequest(Arc<RequestRecord>),
    OfConnection(Arc<ConnectionRecord>),
}

/// A copy of the current handler's properties.
struct Current {
    handler: String,
    directory: Option<Vec<u8>>,
    is_location: bool,
    silent: bool,
}

type This<'a, 'i> = &'a Instance<'i, HlistObject>;

impl HlistObject {
    /// The list of a request.
    pub fn of_request<'i>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        record: Arc<RequestRecord>,
    ) -> Result<Object<'i>, Raised> {
        module_state.instance(attached, Self::OfRequest(record))
    }

    /// The list of a connection, which has one handler.
    pub fn of_connection<'i>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        record: Arc<ConnectionRecord>,
    ) -> Result<Object<'i>, Raised> {
        module_state.instance(attached, Self::OfConnection(record))
    }

    /// The current handler; `None` past the end.
    fn current(&self, attached: Attached<'_>) -> Result<Option<Current>, Raised> {
        let describe = |handler: &Handler<'_>, filename| Current {
            handler: handler.text.to_owned(),
            directory: handler.section.directory_for(filename),
            is_location: handler.section.is_location(),
            silent: handler.silent,
        };
        match self {
            Self::OfRequest(record) => {
                let in_use = record.handle.enter(attached)?;
                // SAFETY: the request is valid, and this thread is the one that uses it.
                let request = unsafe { Request::from_raw(in_use.as_ptr()) };
                let state = record.state();
                let handler = state.running.handlers.get(state.running.current);
                Ok(handler.map(|handler| describe(handler, request.filename())))
            }
            Self::OfConnection(record) => {
                let _in_use = record.handle.enter(attached)?;
                Ok(record.handler().map(|handler| describe(&handler, None)))
            }
        }
    }
}

/// A part of the current handler, or None past the end.
fn part<'i>(this: This<'_, 'i>, of: impl FnOnce(Current) -> Result<Object<'i>, Raised>) -> Result<Object<'i>, Raised> {
    this.current(this.attached())?.map_or_else(|| Ok(Object::none(this.attached())), of)
}

fn handler<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    part(this, |current| Object::str(this.attached(), &current.handler))
}

fn directory<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    part(this, |current| super::text::from_httpd(this.attached(), current.directory.as_deref()))
}

fn silent<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    part(this, |current| Object::int(this.attached(), current.silent.into()))
}

fn is_location<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    part(this, |current| Object::int(this.attached(), current.is_location.into()))
}

fn next<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 0)?;
    let attached = this.attached();
    match &**this {
        HlistObject::OfRequest(record) => {
            let _in_use = record.handle.enter(attached)?;
            let running = &mut record.state().running;
            running.current = running.handlers.len().min(running.current + 1);
        }
        HlistObject::OfConnection(record) => {
            let _in_use = record.handle.enter(attached)?;
            record.pass();
        }
    }
    Ok(Object::none(attached))
}

static METHODS: &[Method] = &[
    method!(HlistObject, c"next", next, c"next($self, /)\n--\n\nGo on to the next handler of the list."),
    Method::END,
];

static MEMBERS: &[GetSet] = &[
    getter!(HlistObject, c"handler", handler, c"The handler as the configuration gives it."),
    getter!(HlistObject, c"directory", directory, c"The directory of the section that holds the directive, or None."),
    getter!(HlistObject, c"silent", silent, c"1 if the handler may be missing from its module, else 0."),
    getter!(HlistObject, c"is_location", is_location, c"1 if the directory is the argument of a <Location>, else 0."),
    GetSet::END,
];

impl ApacheClass for HlistObject {
    const ID: ClassId = ClassId::Hlist;
}

impl Class for HlistObject {
    const NAME: &'static CStr = c"builtins.mp_hlist";
    const DOC: &'static CStr = c"The handlers of the running phase. Past the end of the list every attribute is None.";

    fn methods() -> &'static [Method] {
        METHODS
    }

    fn members() -> &'static [GetSet] {
        MEMBERS
    }

    fn slots() -> Vec<py::PyType_Slot> {
        vec![repr_slot::<Self>()]
    }
}

impl Repr for HlistObject {
    fn repr<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
        let attached = this.attached();
        let Some(current) = this.current(attached)? else {
            return Object::str(attached, "{}");
        };
        let quoted = |text: Object<'i>| text.to_repr()?.lossy();
        let mut shown = format!("{{'handler':{}", quoted(Object::str(attached, &current.handler)?)?);
        if let Some(directory) = &current.directory {
            shown += &format!(",'directory':{}", quoted(Object::text(attached, directory)?)?);
        }
        let is_location = if current.is_location { "True" } else { "False" };
        Object::str(attached, &format!("{shown},'is_location':{is_location},'silent':{}}}", i64::from(current.silent)))
    }
}
