//! Text between Python and httpd. Bytes of httpd are decoded as UTF-8, or as Latin-1 if they are not UTF-8. A str is encoded as Latin-1, or, for
//! values, as UTF-8 if it has other characters, so that what was read can be written back.

use std::borrow::Cow;
use std::ffi::{CStr, c_char};
use std::fmt::{self, Display};

use crate::cpython::{Attached, Object, Raised};
use crate::ffi::httpd as raw;
use crate::httpd::{Address, Pool, bytes_at};
use crate::process::memory::{self, NoMemory};

/// A text of httpd's in a message.
#[derive(Clone, Copy)]
pub struct Shown<'a>(pub &'a CStr);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string_lossy())
    }
}

/// A string of httpd for Python; None if it is missing.
pub fn from_httpd<'i>(attached: Attached<'i>, bytes: Option<&[u8]>) -> Result<Object<'i>, Raised> {
    match bytes {
        Some(bytes) => Object::text(attached, bytes),
        None => Ok(Object::none(attached)),
    }
}

/// Copies of an array of strings of httpd; empty if there is no array. Null strings are `None`.
///
/// # Safety
/// `array` is null, or an array of C strings that is alive and unchanged during the call.
pub unsafe fn strings(array: *const raw::apr_array_header_t) -> Vec<Option<Vec<u8>>> {
    // SAFETY: the caller's.
    let texts: &[*const c_char] = unsafe {
        match array.as_ref() {
            Some(array) if array.nelts > 0 => std::slice::from_raw_parts(array.elts.cast(), array.nelts as usize),
            _ => &[],
        }
    };
    // SAFETY: as above.
    texts.iter().map(|text| unsafe { bytes_at(*text) }.map(<[u8]>::to_vec)).collect()
}

/// Strings of httpd as a tuple.
pub fn tuple<'i>(attached: Attached<'i>, texts: &[Option<Vec<u8>>]) -> Result<Object<'i>, Raised> {
    Object::sequence(attached, texts.iter().map(|text| from_httpd(attached, text.as_deref())))
}

/// An address as `(ip, port)`; None if it is unknown.
pub fn address<'i>(attached: Attached<'i>, address: Option<Address>) -> Result<Object<'i>, Raised> {
    match address {
        Some(Address { ip, port }) => {
            Object::tuple(attached, [Object::text(attached, &ip)?, Object::int(attached, port.into())?])
        }
        None => Ok(Object::none(attached)),
    }
}

/// Encodes a text from Python for httpd: `str` as Latin-1, `bytes` unchanged.
///
/// A text whose Latin-1 bytes happen to be UTF-8 would be decoded to another text, so it is encoded as UTF-8.
///
/// # Errors
/// `TypeError` for other types and for text outside of Latin-1, `ValueError` for an embedded NUL.
pub fn to_httpd<'v>(value: &'v Object<'_>, name: impl Display) -> Result<Cow<'v, CStr>, Raised> {
    encoded(value, name, Reading::Utf8, Outside::Refused)
}

/// The same for a value, which may be any text: text outside of Latin-1 is encoded as UTF-8, with the error handler
/// `surrogateescape`.
pub fn value_to_httpd<'v>(value: &'v Object<'_>, name: impl Display) -> Result<Cow<'v, CStr>, Raised> {
    encoded(value, name, Reading::Utf8, Outside::Utf8)
}

/// The same for a text that is always decoded as Latin-1: a user's name.
pub fn latin1_to_httpd<'v>(value: &'v Object<'_>, name: impl Display) -> Result<Cow<'v, CStr>, Raised> {
    encoded(value, name, Reading::Latin1, Outside::Refused)
}

/// Encodes a part of a URL or a file's name: `str` as UTF-8, with the error handler `surrogateescape`; `bytes` unchanged.
///
/// # Errors
/// `TypeError` for other types, `ValueError` for an embedded NUL.
pub fn path_to_httpd<'v>(value: &'v Object<'_>, name: impl Display) -> Result<Cow<'v, CStr>, Raised> {
    let attached = value.attached();
    if value.is_bytes() {
        return borrowed(value, name);
    }
    if !value.is_str() {
        let message = format!("{name} must be str or bytes, not {}", value.type_name());
        return Err(Raised::type_error(attached, message));
    }
    owned(attached, value.encoded(c"surrogateescape")?.to_bytes()?, name)
}

/// Whether some bytes of httpd are decoded to this text.
pub fn reads_as(value: &Object<'_>, bytes: Option<&[u8]>) -> bool {
    let Some(bytes) = bytes.filter(|_| value.is_str()) else { return false };
    match value.to_utf8() {
        Ok(text) => match std::str::from_utf8(bytes) {
            Ok(known) => known == text,
            Err(_) => text.chars().eq(bytes.iter().map(|byte| char::from(*byte))),
        },
        Err(raised) => {
            raised.clear(value.attached());
            false
        }
    }
}

/// A copy in a pool.
///
/// # Errors
/// `MemoryError` if there is no room for it.
pub fn in_pool<'p>(attached: Attached<'_>, text: &CStr, pool: Pool<'p>) -> Result<&'p CStr, Raised> {
    room(attached, pool, text.count_bytes())?;
    Ok(pool.c_string(text.to_bytes()))
}

/// Checks that there is room for `size` bytes in a pool: httpd's functions abort the process if there is none.
///
/// # Errors
/// `MemoryError`.
pub fn room(attached: Attached<'_>, pool: Pool<'_>, size: usize) -> Result<(), Raised> {
    if pool.has_room_for(size) { Ok(()) } else { Err(Raised::memory_error(attached)) }
}

/// Refuses line breaks in a header.
pub fn one_line(attached: Attached<'_>, text: &[u8], name: impl Display) -> Result<(), Raised> {
    match text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        true => Err(Raised::value_error(attached, format!("{name}: a line break would end the header"))),
        false => Ok(()),
    }
}

/// Refuses characters that cannot be sent in a header: httpd would not send the response.
pub fn header_value(attached: Attached<'_>, text: &[u8], name: impl Display) -> Result<(), Raised> {
    let Some(byte) = control_character(text) else { return Ok(()) };
    one_line(attached, text, &name)?;
    let message = format!("{name}: the control character \\x{byte:02x} cannot be sent in a header");
    Err(Raised::value_error(attached, message))
}

/// The first control character that a header's value must not contain: CR and LF would begin another header, and for
/// the others httpd sends a 500 instead of the response.
pub fn control_character(text: &[u8]) -> Option<u8> {
    let is_wrong = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    // Eight bytes at a time: most texts have none at all, not even a tab.
    let mut chunks = text.chunks_exact(8);
    let is_any = |chunk: &[u8]| chunk.try_into().is_ok_and(|chunk| has_control(u64::from_ne_bytes(chunk)));
    let any = chunks.by_ref().any(is_any);
    let rest = chunks.remainder();
    match any {
        true => text.iter().copied().find(|byte| is_wrong(*byte)),
        false => rest.iter().copied().find(|byte| is_wrong(*byte)),
    }
}

/// Whether one of eight bytes is an ASCII control character.
fn has_control(bytes: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // Bytes below 0x20 borrow, 0x7f carries; both set the highest bit of a byte in which it was clear.
    let (below, deleted) = (bytes.wrapping_sub(ONES * 0x20), bytes.wrapping_add(ONES));
    (below | deleted) & !bytes & HIGHS != 0
}

/// Whether a text is a token (RFC 9110, 5.6.2), as the names of headers and of methods are.
pub fn is_token(text: &[u8]) -> bool {
    const MARKS: &[u8] = b"!#$%&'*+-.^_`|~";
    const IS_PART: [bool; 256] = {
        let mut parts = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            parts[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let mut mark = 0;
        while mark < MARKS.len() {
            parts[MARKS[mark] as usize] = true;
            mark += 1;
        }
        parts
    };
    !text.is_empty() && text.iter().all(|byte| IS_PART[usize::from(*byte)])
}

/// How a text is decoded when it is read back.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    Utf8,
    Latin1,
}

/// What is done with text outside of Latin-1.
#[derive(Clone, Copy, PartialEq)]
enum Outside {
    Refused,
    Utf8,
}

fn encoded<'v>(
    value: &'v Object<'_>,
    name: impl Display,
    reading: Reading,
    outside: Outside,
) -> Result<Cow<'v, CStr>, Raised> {
    let attached = value.attached();
    if value.is_bytes() {
        return borrowed(value, name);
    }
    if !value.is_str() {
        let message = format!("{name}: not an ISO-8859-1 string but {}", value.type_name());
        return Err(Raised::type_error(attached, message));
    }
    let text = value.to_utf8().map_err(|raised| raised.clear(attached)).ok();
    if text.is_some_and(str::is_ascii) {
        return borrowed(value, name);
    }
    match text.map_or(Ok(None), latin1) {
        // These bytes would be decoded as UTF-8, to another text.
        Ok(Some(bytes)) if reading == Reading::Utf8 && std::str::from_utf8(&bytes).is_ok() => borrowed(value, name),
        Ok(Some(bytes)) => owned(attached, &bytes, name),
        Ok(None) if outside == Outside::Utf8 => path_to_httpd(value, name),
        Ok(None) => Err(Raised::type_error(attached, format!("{name}: not an ISO-8859-1 string"))),
        Err(NoMemory) => Err(Raised::memory_error(attached)),
    }
}

/// The Latin-1 bytes of a text; `None` if it has other characters.
fn latin1(text: &str) -> Result<Option<Vec<u8>>, NoMemory> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(text.len())?;
    for character in text.chars() {
        let Ok(byte) = u8::try_from(u32::from(character)) else { return Ok(None) };
        bytes.push(byte);
    }
    Ok(Some(bytes))
}

/// The UTF-8 of a `str`, or the content of a `bytes`, without copying.
fn borrowed<'v>(value: &'v Object<'_>, name: impl Display) -> Result<Cow<'v, CStr>, Raised> {
    value.to_c_str()?.map(Cow::Borrowed).ok_or_else(|| embedded_nul(value.attached(), name))
}

fn owned<'v>(attached: Attached<'_>, bytes: &[u8], name: impl Display) -> Result<Cow<'v, CStr>, Raised> {
    match memory::c_string(bytes) {
        Ok(Some(text)) => Ok(Cow::Owned(text)),
        Ok(None) => Err(embedded_nul(attached, name)),
        Err(NoMemory) => Err(Raised::memory_error(attached)),
    }
}

#[cold]
fn embedded_nul(attached: Attached<'_>, name: impl Display) -> Raised {
    Raised::value_error(attached, format!("{name}: embedded null character"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_found_anywhere() {
        for length in 0..20 {
            for at in 0..length {
                for byte in 0..=255_u8 {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    let expected = (byte.is_ascii_control() && byte != b'\t').then_some(byte);
                    assert_eq!(control_character(&text), expected, "{text:?}");
                    text.fill(0xff);
                    text[at] = byte;
                    assert_eq!(control_character(&text), expected, "{text:?}");
                }
            }
        }
        assert_eq!(control_character("a\tb\nc".as_bytes()), Some(b'\n'));
    }
}
