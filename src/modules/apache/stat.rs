//! `stat(fname, wanted)`.

use std::ffi::CString;

use crate::cpython::{Arguments, Object, Raised};
use crate::httpd::{FileInfo, OwnedPool};
use crate::objects::equipment::equipment_of;
use crate::objects::finfo::FinfoObject;

use super::State;

/// What APR says of a file, as far as `wanted` (`APR_FINFO_*`) asks; one that does not exist has the type `APR_NOFILE`.
pub(super) fn stat<'i>(state: &State, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let attached = arguments.attached();
    let equipment = equipment_of(attached, state.required(attached)?)?;
    let name = arguments.text(0)?;
    let wanted = arguments.required(1)?.to_i64()?;
    let wanted = i32::try_from(wanted).map_err(|_| {
        Raised::value_error(attached, format!("stat() argument 2 is no combination of APR_FINFO_*: {wanted}"))
    })?;
    let path = CString::new(&*name).map_err(|_| Raised::value_error(attached, "embedded null character"))?;

    let pool = OwnedPool::new();
    match attached.detach(|| FileInfo::of(&path, wanted, pool.pool())) {
        Ok(info) => FinfoObject::from_apr(attached, equipment, info.fields()),
        Err(status) => Err(Raised::errno(attached, status, &name)),
    }
}
