//! `register_cleanup`.

use crate::cpython::{Arguments, Object, Raised};
use crate::objects::request::{Cleanup, This};

pub fn register_cleanup<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let attached = this.attached();
    let callable = arguments.required(0)?;
    let data = arguments.get(1).unwrap_or_else(|| Object::none(attached));
    if !callable.is_callable() {
        return Err(Raised::value_error(
            attached,
            format!("register_cleanup() argument 1 must be callable, not {}", callable.type_name()),
        ));
    }
    let in_use = this.enter(attached)?;
    in_use.state().extras().cleanups.push(Cleanup::new(this.interpreter(), callable, data));
    Ok(Object::none(attached))
}
