//! Setting the entries of tables from Python.

use std::borrow::Cow;
use std::ffi::CStr;

use crate::cpython::{Object, Raised};
use crate::ffi::python as py;
use crate::objects::text;
use crate::process::memory::{self, NoMemory};

use super::entries::{self, Wanted};
use super::{This, headers};

/// A key and a value, encoded for httpd.
///
/// # Errors
/// `TypeError` and `ValueError` as `text::to_httpd`; `ValueError` if they cannot be a header of the response.
pub(super) fn pair<'v, 'i>(
    this: This<'_, 'i>,
    key: &'v Object<'i>,
    value: &'v Object<'i>,
) -> Result<(Cow<'v, CStr>, Cow<'v, CStr>), Raised> {
    let key = text::to_httpd(key, "the key of a table's entry")?;
    let value = text::value_to_httpd(value, "the value of a table's entry")?;
    check(this, &key, &value)?;
    Ok((key, value))
}

/// Whether an entry is a header that a response has only once, so that a new one replaces it.
pub(super) fn is_single(this: This<'_, '_>, key: &CStr) -> bool {
    this.is_response_headers() && key.to_bytes().eq_ignore_ascii_case(b"Content-Length")
}

fn check(this: This<'_, '_>, key: &CStr, value: &CStr) -> Result<(), Raised> {
    if !this.is_response_headers() {
        return Ok(());
    }
    let (table, key, value) = (this.name(), key.to_bytes(), value.to_bytes());
    match headers::wrong_name(table, key).or_else(|| headers::wrong_value(table, key, value)) {
        Some(sentence) => Err(Raised::value_error(this.attached(), sentence)),
        None => Ok(()),
    }
}

/// `__init__(self, items=())`: fills from a mapping or from pairs.
pub(super) fn initialise<'i>(
    this: This<'_, 'i>,
    arguments: &Object<'i>,
    keywords: Option<&Object<'i>>,
) -> Result<(), Raised> {
    let mut given = arguments.items()?;
    for name in keywords.map_or(Ok(Vec::new()), Object::items)? {
        if name.to_utf8()? != "items" {
            let message = format!("table() got an unexpected keyword argument '{}'", name.display());
            return Err(Raised::type_error(this.attached(), message));
        }
        given.extend(keywords.map(|keywords| keywords.item(&name)).transpose()?);
    }
    match &given[..] {
        [] => Ok(()),
        [items] if this.same_class(items).is_some() || has_keys(items)? => update(this, items),
        [items] => from_pairs(this, items),
        _ => Err(Raised::type_error(
            this.attached(),
            format!("table() takes at most 1 argument ({} given)", given.len()),
        )),
    }
}

/// Whether the object has a method `keys`, as mappings have.
pub(super) fn has_keys(object: &Object<'_>) -> Result<bool, Raised> {
    match object.attribute(c"keys") {
        Ok(_) => Ok(true),
        Err(raised) => {
            let exception = raised.fetch(object.attached());
            // SAFETY: a class of CPython's.
            match unsafe { exception.is_builtin(py::PyExc_AttributeError) } {
                true => Ok(false),
                false => Err(exception.restore()),
            }
        }
    }
}

/// `self[key] = other[key]` for each key of `other`; for a table, with all values of the key.
pub(super) fn update<'i>(this: This<'_, 'i>, other: &Object<'i>) -> Result<(), Raised> {
    if let Some(other) = this.same_class(other) {
        return from_table(this, &other);
    }
    for key in other.call_method(c"keys", [])?.items()? {
        let value = other.item(&key)?;
        assign(this, &key, &value)?;
    }
    Ok(())
}

fn from_table(this: This<'_, '_>, other: This<'_, '_>) -> Result<(), Raised> {
    let attached = this.attached();
    let given = other.snapshot(attached)?;
    for (index, (key, value)) in given.iter().enumerate() {
        // An entry without a value is skipped.
        let c_string = |bytes| memory::c_string(bytes).map_err(|NoMemory| Raised::memory_error(attached));
        let (Some(key), Some(value)) = (c_string(key)?, value.as_deref().map(c_string).transpose()?.flatten()) else {
            continue;
        };
        check(this, &key, &value)?;
        let wanted = Wanted::exactly(key.to_bytes());
        let is_first = !given[..index].iter().any(|(earlier, _)| wanted.is(earlier));
        this.with_memory(attached, |entries| match is_first {
            true => entries.set(&key, &value),
            false => entries.add(&key, &value),
        })?;
    }
    Ok(())
}

fn from_pairs<'i>(this: This<'_, 'i>, pairs: &Object<'i>) -> Result<(), Raised> {
    let attached = this.attached();
    for (index, pair) in pairs.items()?.iter().enumerate() {
        let items = pair.items().map_err(|raised| {
            let exception = raised.fetch(attached);
            // SAFETY: a class of CPython's.
            if !unsafe { exception.is_builtin(py::PyExc_TypeError) } {
                return exception.restore();
            }
            let message = format!("cannot convert table update sequence element #{index} to a sequence");
            Raised::type_error(attached, message)
        })?;
        let [key, value] = &items[..] else {
            let message = format!("table update sequence element #{index} has length {}; 2 is required", items.len());
            return Err(Raised::value_error(attached, message));
        };
        assign(this, key, value)?;
    }
    Ok(())
}

/// `self[key] = value` for any objects: `str()` of those that are not text.
fn assign<'i>(this: This<'_, 'i>, key: &Object<'i>, value: &Object<'i>) -> Result<(), Raised> {
    let (key, value) = (as_text(key)?, as_text(value)?);
    let wanted = Wanted::new(&key)?;
    let (key, value) = pair(this, &key, &value)?;
    this.with_memory(this.attached(), |entries| entries::replace(entries, &wanted, &key, &value))
}

fn as_text<'i>(value: &Object<'i>) -> Result<Object<'i>, Raised> {
    match value.is_str() || value.is_bytes() {
        true => Ok(value.clone()),
        false => value.to_str(),
    }
}

/// Any mapping as a `dict`.
pub(super) fn dict_of<'i>(mapping: &Object<'i>) -> Result<Object<'i>, Raised> {
    let dict = Object::dict(mapping.attached())?;
    for key in mapping.call_method(c"keys", [])?.items()? {
        dict.set_item(&key, &mapping.item(&key)?)?;
    }
    Ok(dict)
}
