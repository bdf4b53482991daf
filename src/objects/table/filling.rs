//! What Python puts into tables.

use std::ffi::{CStr, CString};

use crate::cpython::{Object, Raised};
use crate::ffi::python as py;
use crate::objects::text;

use super::entries::{self, Wanted};
use super::{This, headers};

/// A key and a value for httpd, as a table takes them.
///
/// # Errors
/// `TypeError` and `ValueError` as `text::to_httpd`; `ValueError` for what must not get into a response's headers.
pub(super) fn pair<'i>(this: This<'_, 'i>, key: &Object<'i>, value: &Object<'i>) -> Result<(CString, CString), Raised> {
    let key = text::to_httpd(key, "the key of a table's entry")?;
    let value = text::to_httpd(value, "the value of a table's entry")?;
    check(this, &key, &value)?;
    Ok((key, value))
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

/// Whether it is a mapping, as far as filling from it goes.
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

/// `self[key] = other[key]` for each key of `other`; from a table with all the values that it has under the key.
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
        // A missing value is nothing to put anywhere.
        let (Ok(key), Some(Ok(value))) = (CString::new(&**key), value.as_deref().map(CString::new)) else {
            continue;
        };
        check(this, &key, &value)?;
        let wanted = Wanted::exactly(key.to_bytes());
        let is_first = !given[..index].iter().any(|(earlier, _)| wanted.is(earlier));
        this.with(attached, |entries| match is_first {
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

/// `self[key] = value` for any objects: those that are not text are put in as `str()` of them.
fn assign<'i>(this: This<'_, 'i>, key: &Object<'i>, value: &Object<'i>) -> Result<(), Raised> {
    let (key, value) = (as_text(key)?, as_text(value)?);
    let wanted = Wanted::new(&key)?;
    let (key, value) = pair(this, &key, &value)?;
    this.with(this.attached(), |entries| entries::replace(entries, &wanted, &key, &value))
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
