//! `stat(fname, wanted)`, and what tells that a file has changed.

use std::ffi::{CString, OsStr};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use crate::cpython::{Arguments, Object, Raised};
use crate::httpd::{FileInfo, OwnedPool};
use crate::objects::finfo::FinfoObject;
use crate::objects::module_state::ModuleState;

use super::Apache;

/// Information about a file from APR, as much as `wanted` (`APR_FINFO_*`) asks for. A file that does not exist has the type `APR_NOFILE`.
pub(super) fn stat<'i>(state: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(2, 2)?;
    let attached = arguments.attached();
    let module_state = ModuleState::of(attached, state.required(attached)?)?;
    let name = arguments.text(0)?;
    let wanted = arguments.required(1)?.to_i64()?;
    let wanted = i32::try_from(wanted).map_err(|_| {
        Raised::value_error(attached, format!("stat() argument 2 is no combination of APR_FINFO_*: {wanted}"))
    })?;
    let path = CString::new(&*name).map_err(|_| Raised::value_error(attached, "embedded null character"))?;

    let copy = attached.detach(|| {
        let pool = OwnedPool::new();
        FileInfo::of(&path, wanted, pool.pool()).map(|info| FinfoObject::copied(info.record()))
    });
    match copy {
        Ok(copy) => module_state.instance(attached, copy),
        Err(errno) => Err(Raised::errno(attached, errno.0, &name)),
    }
}

/// `_file_stamp(path)`: the time of a file's last change in nanoseconds, and its size; None if there is no such file.
pub(super) fn file_stamp<'i>(_: &Apache, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let path = arguments.text(0)?;
    match attached.detach(|| std::fs::metadata(OsStr::from_bytes(&path))) {
        Ok(found) if found.is_file() => {
            let time = found.mtime().wrapping_mul(1_000_000_000).wrapping_add(found.mtime_nsec());
            Object::tuple(attached, [Object::int(attached, time)?, Object::unsigned(attached, found.size())?])
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(Raised::errno(attached, error.raw_os_error().unwrap_or_default(), &path))
        }
        _ => Ok(Object::none(attached)),
    }
}
