//! `wsgi.input`: the request's body as a file.

use std::ffi::CStr;

use crate::cpython::{
    Arguments, Attached, Class, GetSet, Instance, Iterate, Method, Object, Raised, Visitor, iterator_slots, method,
};
use crate::ffi::python as py;
use crate::objects::module_state::{ApacheClass, ClassId, ModuleState};
use crate::objects::request::reading::{line, read_bytes};

use super::RequestReference;

/// The body of a request, read when the application reads it.
pub struct InputObject {
    request: RequestReference,
}

type This<'a, 'i> = &'a Instance<'i, InputObject>;

impl InputObject {
    /// # Errors
    /// `request` is no request, or there is no memory.
    pub fn create<'i>(
        attached: Attached<'i>,
        module_state: &ModuleState,
        request: &Object<'i>,
    ) -> Result<Object<'i>, Raised> {
        let request = RequestReference::new(attached, module_state, request)?;
        module_state.instance(attached, Self { request })
    }
}

fn read<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 1)?;
    read_bytes(&this.request.get(this.attached())?, most(&arguments)?)
}

fn readline<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 1)?;
    line(&this.request.get(this.attached())?, most(&arguments)?)
}

/// Whole lines, until there are as many bytes as the hint says.
fn readlines<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(0, 1)?;
    let request = this.request.get(this.attached())?;
    let hint = match most(&arguments)? {
        0 => usize::MAX,
        hint => hint,
    };
    let lines = Object::list(this.attached(), [])?;
    let mut size = 0;
    while size < hint {
        let line = line(&request, usize::MAX)?;
        let length = line.to_bytes()?.len();
        if length == 0 {
            break;
        }
        lines.append(&line)?;
        size += length;
    }
    Ok(lines)
}

/// A number of bytes; all of them if it is negative, `None` or missing.
fn most(arguments: &Arguments<'_>) -> Result<usize, Raised> {
    match arguments.get(0).filter(|given| !given.is_none()) {
        None => Ok(usize::MAX),
        Some(given) => Ok(usize::try_from(given.to_i64()?).unwrap_or(usize::MAX)),
    }
}

static METHODS: &[Method] = &[
    method!(
        InputObject,
        c"read",
        read,
        c"read($self, size=-1, /)\n--\n\nUp to size bytes of the body, or all that is left."
    ),
    method!(
        InputObject,
        c"readline",
        readline,
        c"readline($self, size=-1, /)\n--\n\nA line of the body, at most size bytes of it."
    ),
    method!(
        InputObject,
        c"readlines",
        readlines,
        c"readlines($self, hint=-1, /)\n--\n\nThe lines of the body as a list, until there are hint bytes."
    ),
    Method::END,
];

static MEMBERS: &[GetSet] = &[GetSet::END];

impl ApacheClass for InputObject {
    const ID: ClassId = ClassId::WsgiInput;
}

impl Class for InputObject {
    const NAME: &'static CStr = c"builtins.WsgiInput";
    const DOC: &'static CStr = c"wsgi.input: the body of a request.";

    fn methods() -> &'static [Method] {
        METHODS
    }

    fn members() -> &'static [GetSet] {
        MEMBERS
    }

    fn slots() -> Vec<py::PyType_Slot> {
        iterator_slots::<Self>().to_vec()
    }

    fn traverse(&self, visitor: &mut Visitor) {
        self.request.traverse(visitor);
    }

    fn finish(&mut self, attached: Attached<'_>) {
        self.request.finish(attached);
    }
}

impl Iterate for InputObject {
    fn next<'i>(this: This<'_, 'i>) -> Result<Option<Object<'i>>, Raised> {
        let line = line(&this.request.get(this.attached())?, usize::MAX)?;
        Ok((!line.to_bytes()?.is_empty()).then_some(line))
    }
}
