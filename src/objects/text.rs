//! Text between Python and httpd: what is read is UTF-8 or else Latin-1, what is written is Latin-1 or bytes.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

use crate::cpython::{Attached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Address, Pool, bytes_at};

/// A string of httpd's for Python; `None` for a missing one.
pub fn from_httpd<'i>(attached: Attached<'i>, bytes: Option<&[u8]>) -> Result<Object<'i>, Raised> {
    match bytes {
        Some(bytes) => Object::text(attached, bytes),
        None => Ok(Object::none(attached)),
    }
}

/// An array of strings of httpd's as a tuple, empty where there is no array.
///
/// # Safety
/// `array` is null, or an array of C strings that is alive and unchanged during the call.
pub unsafe fn strings<'i>(attached: Attached<'i>, array: *const raw::apr_array_header_t) -> Result<Object<'i>, Raised> {
    // SAFETY: the caller's.
    let texts: &[*const c_char] = unsafe {
        match array.as_ref() {
            Some(array) if array.nelts > 0 => std::slice::from_raw_parts(array.elts.cast(), array.nelts as usize),
            _ => &[],
        }
    };
    // SAFETY: as above.
    Object::sequence(attached, texts.iter().map(|text| from_httpd(attached, unsafe { bytes_at(*text) })))
}

/// One end of a connection as `(ip, port)`; `None` for an unknown one.
pub fn address<'i>(attached: Attached<'i>, address: Option<Address>) -> Result<Object<'i>, Raised> {
    match address {
        Some(Address { ip, port }) => {
            Object::tuple(attached, [Object::text(attached, &ip)?, Object::int(attached, port.into())?])
        }
        None => Ok(Object::none(attached)),
    }
}

/// A value that Python assigns, for httpd: `str` within Latin-1 as its bytes, `bytes` as they are.
///
/// A text that would read back as another one, because its Latin-1 bytes happen to be UTF-8, is stored as UTF-8.
///
/// # Errors
/// `TypeError` for other types and for text outside of Latin-1, `ValueError` for an embedded NUL.
pub fn to_httpd(value: &Object<'_>, name: &str) -> Result<CString, Raised> {
    CString::new(encoded(value, name, Reading::Utf8)?).map_err(|_| embedded_nul(value.attached(), name))
}

/// The same, copied to where it is to live.
pub fn to_pool<'p>(value: &Object<'_>, name: &str, pool: Pool<'p>) -> Result<&'p CStr, Raised> {
    copied(&encoded(value, name, Reading::Utf8)?, value.attached(), name, pool)
}

/// The same for what is read back as Latin-1 in any case: a user's name.
pub fn latin1_to_pool<'p>(value: &Object<'_>, name: &str, pool: Pool<'p>) -> Result<&'p CStr, Raised> {
    copied(&encoded(value, name, Reading::Latin1)?, value.attached(), name, pool)
}

/// Refuses what would end a line in a header.
pub fn one_line(attached: Attached<'_>, text: &[u8], name: &str) -> Result<(), Raised> {
    match text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        true => Err(Raised::value_error(attached, format!("{name}: a line break would end the header"))),
        false => Ok(()),
    }
}

/// Refuses what cannot be sent in a header: httpd would give up the whole response.
pub fn header_value(attached: Attached<'_>, text: &[u8], name: &str) -> Result<(), Raised> {
    let Some(byte) = control_character(text) else { return Ok(()) };
    one_line(attached, text, name)?;
    let message = format!("{name}: the control character \\x{byte:02x} cannot be sent in a header");
    Err(Raised::value_error(attached, message))
}

/// The first control character of a text that a header's value must not contain: CR and LF would begin another header, with
/// the others httpd answers 500 instead of the response.
pub fn control_character(text: &[u8]) -> Option<u8> {
    let is_wrong = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    // Without a way out in the middle the compiler looks at many bytes at once.
    let any = text.iter().fold(false, |wrong, byte| wrong | is_wrong(*byte));
    any.then(|| text.iter().copied().find(|byte| is_wrong(*byte))).flatten()
}

/// Whether a text is a token (RFC 9110, 5.6.2), as the names of headers and of methods are.
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// How a text is decoded when it is read.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    Utf8,
    Latin1,
}

fn encoded<'v>(value: &'v Object<'_>, name: &str, reading: Reading) -> Result<Cow<'v, [u8]>, Raised> {
    let attached = value.attached();
    if value.is_bytes() {
        Ok(Cow::Borrowed(value.to_bytes()?))
    } else if value.is_str() {
        latin1(value, reading).ok_or_else(|| Raised::type_error(attached, format!("{name}: not an ISO-8859-1 string")))
    } else {
        Err(Raised::type_error(attached, format!("{name}: not an ISO-8859-1 string but {}", value.type_name())))
    }
}

/// The Latin-1 bytes of a text, `None` if it has other characters.
fn latin1<'v>(value: &'v Object<'_>, reading: Reading) -> Option<Cow<'v, [u8]>> {
    let text = value.to_utf8().map_err(|raised| raised.clear(value.attached())).ok()?;
    if text.is_ascii() {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let bytes: Vec<u8> =
        text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect::<Option<_>>()?;
    match reading == Reading::Utf8 && std::str::from_utf8(&bytes).is_ok() {
        // Read back, these bytes would be taken for UTF-8 and give another text.
        true => Some(Cow::Borrowed(text.as_bytes())),
        false => Some(Cow::Owned(bytes)),
    }
}

fn copied<'p>(bytes: &[u8], attached: Attached<'_>, name: &str, pool: Pool<'p>) -> Result<&'p CStr, Raised> {
    match bytes.contains(&0) {
        true => Err(embedded_nul(attached, name)),
        false => Ok(pool.c_string(bytes)),
    }
}

#[cold]
fn embedded_nul(attached: Attached<'_>, name: &str) -> Raised {
    Raised::value_error(attached, format!("{name}: embedded null character"))
}
