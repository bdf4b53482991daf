//! The environ: a plain dict of an application's template and the request's variables.

use crate::cpython::{Object, Raised};
use crate::ffi::python as py;
use crate::httpd::Mpm;
use crate::httpd::variables::{Known, Name, Variables, server_software};
use crate::objects::text;

use super::names::{Names, Own};
use super::{About, Exchange, Value};

/// The variables that nearly every request has. Templates have a None for each, so that an environ has its place for it from the beginning: a
/// dict that grows is copied each time.
const EXPECTED: [Known; 18] = [
    Known::ContextDocumentRoot,
    Known::ContextPrefix,
    Known::DocumentRoot,
    Known::PathInfo,
    Known::QueryString,
    Known::RemoteAddr,
    Known::RemotePort,
    Known::RequestMethod,
    Known::RequestScheme,
    Known::RequestUri,
    Known::ScriptFilename,
    Known::ScriptName,
    Known::ServerAddr,
    Known::ServerAdmin,
    Known::ServerName,
    Known::ServerPort,
    Known::ServerProtocol,
    Known::ServerSignature,
];

const _: () = assert!(Known::NAMES.len() <= u32::BITS as usize);

/// A variable in a set of them.
const fn bit(name: Known) -> u32 {
    1 << name as u32
}

const ALL_EXPECTED: u32 = {
    let (mut all, mut index) = (0, 0);
    while index < EXPECTED.len() {
        all |= bit(EXPECTED[index]);
        index += 1;
    }
    all
};

impl<'i> Exchange<'_, 'i> {
    /// The environ, but for the objects of this request.
    pub(super) fn environ(
        &self,
        names: &Names,
        about: &About<'_>,
        variables: &Variables<'_>,
    ) -> Result<Object<'i>, Raised> {
        let attached = self.attached;
        let template = names.template(attached, about.fingerprint, |library| self.template(library, names, about))?;
        // SAFETY: attached; a dict.
        let environ = unsafe { Object::owned(attached, py::PyDict_Copy(template.as_ptr()))? };
        let mut missing = ALL_EXPECTED;
        for (name, value) in &variables.all {
            let key = names.key(attached, name)?;
            let value = match name {
                Name::Known(known) if known.is_often_the_same() => names.value(attached, *known, value)?,
                _ => Object::latin1(attached, value)?,
            };
            match name {
                Name::Known(known) => {
                    environ.set_dict_item(&key, &value)?;
                    missing &= !bit(*known);
                }
                Name::Header(header) => {
                    // Not by the values: short ones are often one object.
                    let before = environ.dict_length();
                    let known = set_default(&environ, &key, &value)?;
                    if environ.dict_length() == before {
                        environ.set_dict_item(&key, &joined(header, &known, &value)?)?;
                    }
                }
                Name::Environment(_) => {
                    if set_default(&environ, &key, &value)?.is_none() {
                        environ.set_dict_item(&key, &value)?;
                    }
                }
            }
        }
        for (name, value) in about.more {
            let key = names.key(attached, &Name::Environment(name.as_bytes()))?;
            environ.set_dict_item(&key, &value.object(attached)?)?;
        }
        names.set(&environ, Own::Scheme, &names.scheme(attached, variables.is_https))?;
        if missing != 0 {
            take_out(&environ, names, missing)?;
        }
        Ok(environ)
    }

    /// What all environs of an application have in common.
    fn template(&self, library: &Object<'i>, names: &Names, about: &About<'_>) -> Result<Object<'i>, Raised> {
        let attached = self.attached;
        let name = text::from_httpd(attached, Some(self.interpreter.name()))?;
        let object = Object::str(attached, about.object)?;
        let software = Object::latin1(attached, server_software())?;
        let (threads, processes) =
            (Object::bool(attached, Mpm::is_threaded()), Object::bool(attached, Mpm::has_several_children()));
        let pair = |(name, value): &(&str, Value<'_>)| {
            Object::tuple(attached, [Object::str(attached, name)?, value.object(attached)?])
        };
        let more = about.fixed.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let arguments = [&name, &object, &software, &threads, &processes];
        let template = library.attribute(c"template")?.call_with(arguments.into_iter().chain(&more))?;
        let none = Object::none(attached);
        for name in EXPECTED {
            set_default(&template, &names.key(attached, &Name::Known(name))?, &none)?;
        }
        // Every environ gets these.
        [Own::Scheme, Own::Errors, Own::Request].into_iter().try_for_each(|name| names.set(&template, name, &none))?;
        Ok(template)
    }
}

/// Takes variables out of an environ that have no value in it.
#[cold]
fn take_out(environ: &Object<'_>, names: &Names, missing: u32) -> Result<(), Raised> {
    let attached = environ.attached();
    for name in EXPECTED.into_iter().filter(|name| missing & bit(*name) != 0) {
        let key = names.key(attached, &Name::Known(name))?;
        if environ.dict_item(&key)?.is_some_and(|value| value.is_none()) {
            environ.delete_dict_item(&key)?;
        }
    }
    Ok(())
}

/// The value under a key, which is the given one if there was none.
fn set_default<'i>(environ: &Object<'i>, key: &Object<'i>, value: &Object<'i>) -> Result<Object<'i>, Raised> {
    let attached = environ.attached();
    // SAFETY: attached; a dict, a key and a value. The reference is borrowed from the dict.
    unsafe {
        match py::PyDict_SetDefault(environ.as_ptr(), key.as_ptr(), value.as_ptr()) {
            known if known.is_null() => Err(Raised::set(attached)),
            known => Ok(Object::borrowed(attached, known)),
        }
    }
}

/// The values of a header that a request has more than once (RFC 9110, 5.3; RFC 6265, 5.4).
fn joined<'i>(header: &[u8], first: &Object<'i>, second: &Object<'i>) -> Result<Object<'i>, Raised> {
    let attached = first.attached();
    let separator = if header.eq_ignore_ascii_case(b"Cookie") { "; " } else { ", " };
    let separator = Object::str(attached, separator)?;
    // SAFETY: attached; texts.
    unsafe {
        let first = Object::owned(attached, py::PyUnicode_Concat(first.as_ptr(), separator.as_ptr()))?;
        Object::owned(attached, py::PyUnicode_Concat(first.as_ptr(), second.as_ptr()))
    }
}
