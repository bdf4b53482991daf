//! Sending files.

use std::ffi::CString;

use crate::cpython::{Arguments, Object, Raised};
use crate::ffi::python as py;
use crate::httpd::{FileError, OpenFile};
use crate::objects::request::This;

use super::write::{with_output, write_error};

pub fn sendfile<'i>(this: This<'_, 'i>, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 3)?;
    let attached = this.attached();
    let path = path_of(&arguments.required(0)?)?;
    let offset = u64::try_from(arguments.int_or(1, 0)?)
        .map_err(|_| Raised::value_error(attached, "sendfile(): the offset must not be negative"))?;
    let length = u64::try_from(arguments.int_or(2, -1)?).ok();
    let wanted = &path;
    let sent = with_output(this, attached, move |output, request, record| {
        let sent = output.send_file(request, wanted, offset, length);
        match &sent {
            Ok(count) => record.state().queued += count,
            Err(error @ FileError::CutShort { .. }) => tracing::error!(
                "MP0422: req.sendfile('{}'): {error}. To replace a file that is served, rename a new one to its name",
                wanted.to_string_lossy()
            ),
            Err(_) => {}
        }
        sent
    })?;
    match sent {
        Ok(count) => Object::int(attached, count as i64),
        Err(FileError::Unreadable(errno)) => Err(Raised::errno(attached, errno.0, path.as_bytes())),
        Err(error @ FileError::CutShort { .. }) => Err(Raised::os_error(attached, error.to_string())),
        Err(FileError::Write(error)) => Err(write_error(this, error)),
    }
}

/// What has become of a file object's file.
pub enum SentFile {
    Sent,
    /// It is no file on disk, or cannot be found by its name: its bytes are to be read.
    NoFile,
}

/// Sends the file of a file object from its position on; so many bytes of it as the response's Content-Length says, which is set if it is
/// not.
pub fn send_open_file<'i>(this: This<'_, 'i>, file: &Object<'i>) -> Result<SentFile, Raised> {
    let attached = this.attached();
    let Some((path, descriptor, offset)) = open_file(file) else { return Ok(SentFile::NoFile) };
    let wanted = &path;
    let sent = with_output(this, attached, move |output, request, record| {
        let opened = OpenFile { path: wanted, descriptor };
        let sent = output.send_open_file(request, &opened, offset)?;
        if let Some(count) = sent {
            record.state().queued += count;
        }
        Ok(sent)
    })?;
    match sent {
        Ok(Some(_)) => Ok(SentFile::Sent),
        Ok(None) => Ok(SentFile::NoFile),
        Err(error @ (FileError::Unreadable(_) | FileError::CutShort { .. })) => {
            Err(Raised::os_error(attached, format!("{}: {error}", path.to_string_lossy())))
        }
        Err(FileError::Write(error)) => Err(write_error(this, error)),
    }
}

/// The name, the descriptor and the position of a file object; none for what is not like one.
fn open_file(file: &Object<'_>) -> Option<(CString, i32, u64)> {
    let attached = file.attached();
    let ask = || -> Result<Option<(CString, i32, u64)>, Raised> {
        let name = file.attribute(c"name")?;
        if !name.is_str() && !name.is_bytes() {
            return Ok(None);
        }
        let descriptor = i32::try_from(file.call_method(c"fileno", [])?.to_i64()?);
        let position = u64::try_from(file.call_method(c"tell", [])?.to_i64()?);
        let (Ok(descriptor), Ok(position)) = (descriptor, position) else { return Ok(None) };
        Ok(Some((path_of(&name)?, descriptor, position)))
    };
    ask().unwrap_or_else(|raised| {
        // What is like a file in part only is read.
        raised.clear(attached);
        None
    })
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
