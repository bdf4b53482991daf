//! `start_response`, and the `write` that it returns.

use std::cell::Cell;
use std::ffi::CStr;
use std::panic::RefUnwindSafe;

use crate::cpython::{
    Arguments, Attached, Call, Class, GetSet, Instance, Method, Object, Raised, Visitor, call_slot, method,
};
use crate::ffi::python as py;
use crate::objects::module_state::{ApacheClass, ClassId, ModuleState};
use crate::objects::request::responding::{HopByHop, send, start_response};

use super::RequestReference;

/// The callable that an application begins its response with.
pub struct StartResponseObject {
    request: RequestReference,
    is_called: Cell<bool>,
    hop_by_hop: HopByHop,
}

impl RefUnwindSafe for StartResponseObject {}

type This<'a, 'i> = &'a Instance<'i, StartResponseObject>;

impl StartResponseObject {
    /// # Errors
    /// `request` is no request, or there is no memory.
    pub fn create<'i>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        request: &Object<'i>,
        hop_by_hop: HopByHop,
    ) -> Result<Object<'i>, Raised> {
        let request = RequestReference::new(attached, module_state, request)?;
        module_state.instance(attached, Self { request, is_called: false.into(), hop_by_hop })
    }

    /// Whether the application has called it.
    pub fn is_called(&self) -> bool {
        self.is_called.get()
    }
}

impl Call for StartResponseObject {
    /// `start_response(status, headers[, exc_info])`
    fn call<'i>(
        this: This<'_, 'i>,
        arguments: &Object<'i>,
        keywords: Option<&Object<'i>>,
    ) -> Result<Object<'i>, Raised> {
        let attached = this.attached();
        let given = arguments.items()?;
        let named = |name: &str| match keywords {
            Some(keywords) => keywords.dict_item(&Object::str(attached, name)?),
            None => Ok(None),
        };
        let wrong = || {
            let message = "start_response() takes the status, the headers and optionally exc_info";
            Raised::type_error(attached, message)
        };
        let information = match given.len() {
            2 => named("exc_info")?,
            3 => Some(given[2].clone()),
            _ => return Err(wrong()),
        };
        let information = information.filter(|information| !information.is_none());
        if this.is_called.get() && information.is_none() {
            let message = "start_response() was called before: a second call replaces the first only with exc_info";
            return Err(Raised::assertion_error(attached, message));
        }
        let request = this.request.get(attached)?;
        start_response(&request, &given[0], &given[1], information.as_ref(), this.hop_by_hop)?;
        this.is_called.set(true);
        if this.hop_by_hop == HopByHop::Refused && given[0].to_utf8()?.len() == 3 {
            tracing::warn!(
                "MP0426: the application's status '{}' has no reason phrase: write it as in '200 OK' (PEP 3333)",
                given[0].display()
            );
        }
        this.object().attribute(c"write")
    }
}

fn write<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = this.attached();
    let data = arguments.required(0)?;
    if !data.is_bytes() {
        return Err(Raised::type_error(attached, format!("write() takes bytes, not {}", data.type_name())));
    }
    if !this.is_called.get() {
        return Err(Raised::assertion_error(attached, "write() was called before start_response()"));
    }
    let bytes = data.to_bytes()?;
    match bytes.is_empty() {
        true => Ok(Object::none(attached)),
        false => send(&this.request.get(attached)?, bytes, true),
    }
}

static METHODS: &[Method] = &[
    method!(
        StartResponseObject,
        c"write",
        write,
        c"write($self, data, /)\n--\n\nSend bytes, as what start_response() returns does."
    ),
    Method::END,
];

static MEMBERS: &[GetSet] = &[GetSet::END];

impl ApacheClass for StartResponseObject {
    const ID: ClassId = ClassId::WsgiStartResponse;
}

impl Class for StartResponseObject {
    const NAME: &'static CStr = c"builtins.WsgiStartResponse";
    const DOC: &'static CStr = c"start_response(status, headers, exc_info=None): begin a response.";

    fn methods() -> &'static [Method] {
        METHODS
    }

    fn members() -> &'static [GetSet] {
        MEMBERS
    }

    fn slots() -> Vec<py::PyType_Slot> {
        vec![call_slot::<Self>()]
    }

    fn traverse(&self, visitor: &mut Visitor) {
        self.request.traverse(visitor);
    }

    fn finish(&mut self, attached: Attached<'_>) {
        self.request.finish(attached);
    }
}
