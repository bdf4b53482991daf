//! Members of filters.

use crate::cpython::{GetSet, Object, Raised, getter, setter};
use crate::httpd::Direction;
use crate::objects::text;

use super::{FilterObject, This};

pub(super) static MEMBERS: &[GetSet] = &[
    getter!(FilterObject, c"closed", closed, c"1 if the filter is closed, else 0."),
    getter!(FilterObject, c"name", name, c"The name under which the filter was registered, in lower case."),
    setter!(FilterObject, c"req", req, set_req, c"The request."),
    getter!(FilterObject, c"is_input", is_input, c"1 for a filter of the request's body, 0 for one of the response."),
    getter!(
        FilterObject,
        c"handler",
        handler,
        c"The handler as the directive or the request's register call gives it."
    ),
    getter!(FilterObject, c"dir", dir, c"The directory of the section that holds the directive, or None."),
    setter!(FilterObject, c"softspace", softspace, set_softspace, c"For old print statements: not used."),
    GetSet::END,
];

fn closed<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let in_use = this.enter(this.attached())?;
    let is_closed = in_use.with(|context| context.stream.as_ref().is_some_and(|stream| stream.is_closed()));
    Object::int(this.attached(), is_closed.into())
}

fn name<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let in_use = this.enter(this.attached())?;
    let registered = in_use.with(|context| context.registered.map(|registered| registered.name.as_bytes()));
    text::from_httpd(this.attached(), registered.or_else(|| Some(in_use.filter().name())))
}

fn req<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let attached = this.attached();
    Ok(match &*this.request.borrow() {
        // SAFETY: made in the interpreter of this object.
        Some(kept) => unsafe { kept.get(attached) },
        None => Object::none(attached),
    })
}

fn set_req<'i>(this: This<'_, 'i>, value: Option<Object<'i>>) -> Result<(), Raised> {
    let value = assigned(this, value, "req")?;
    let old = this.request.borrow_mut().replace(value.keep());
    if let Some(kept) = old {
        // SAFETY: made in the interpreter of this object.
        unsafe { kept.release(this.attached()) };
    }
    Ok(())
}

fn is_input<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    Object::int(this.attached(), (this.direction == Direction::Input).into())
}

fn handler<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let in_use = this.enter(this.attached())?;
    let handler = in_use.with(|context| context.handler());
    text::from_httpd(this.attached(), handler.map(|handler| handler.text.as_bytes()))
}

fn dir<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    let in_use = this.enter(this.attached())?;
    let filename = in_use.filter().request().and_then(|request| request.filename());
    let handler = in_use.with(|context| context.handler());
    let directory = handler.and_then(|handler| handler.section.directory_for(filename));
    text::from_httpd(this.attached(), directory.as_deref())
}

fn softspace<'i>(this: This<'_, 'i>) -> Result<Object<'i>, Raised> {
    Object::int(this.attached(), this.softspace.get())
}

fn set_softspace<'i>(this: This<'_, 'i>, value: Option<Object<'i>>) -> Result<(), Raised> {
    this.softspace.set(assigned(this, value, "softspace")?.to_i64()?);
    Ok(())
}

/// The value of an assignment; deleting is refused.
fn assigned<'i>(this: This<'_, 'i>, value: Option<Object<'i>>, name: &str) -> Result<Object<'i>, Raised> {
    value.ok_or_else(|| Raised::attribute_error(this.attached(), format!("{name} cannot be deleted")))
}
