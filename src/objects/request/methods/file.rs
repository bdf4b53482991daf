//! Sending files.

use std::ffi::CString;

use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::python as py;
use crate::httpd::FileError;
use crate::objects::request::This;

use super::write::{with_output, write_error};

pub fn sendfile<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 3)?;
    let attached = this.attached();
    let path = path_of(&arguments.required(0)?)?;
    let offset = u64::try_from(arguments.int_or(1, 0)?)
        .map_err(|_| Raised::value_error(attached, "sendfile(): the offset must not be negative"))?;
    let length = u64::try_from(arguments.int_or(2, -1)?).ok();
    let used = this.enter(attached)?;
    let sent = with_output(attached, &used, |output, request| output.send_file(request, &path, offset, length));
    match sent {
        Ok(count) => {
            used.state().queued += count;
            Object::int(attached, count as i64)
        }
        Err(FileError::Unreadable(errno)) => Err(Raised::errno(attached, errno, path.as_bytes())),
        Err(FileError::Write(error)) => Err(write_error(this, error)),
    }
}

/// A path as `open()` takes it: text, bytes or an `os.PathLike`.
fn path_of(value: &Object<'_>) -> Result<CString, Raised> {
    let attached = value.attached();
    let mut encoded: *mut py::PyObject = std::ptr::null_mut();
    // SAFETY: attached; the converter leaves a new reference to a bytes object, without NUL, or raises.
    let path = unsafe {
        match py::PyUnicode_FSConverter(value.as_ptr(), (&raw mut encoded).cast()) {
            0 => return Err(Raised::set(attached)),
            _ => Object::owned(attached, encoded)?,
        }
    };
    CString::new(path.to_bytes()?).map_err(|_| Raised::value_error(attached, "sendfile(): embedded null character"))
}
