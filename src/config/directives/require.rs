//! `Require python …`, for mod_authz_core.

use std::ffi::{c_char, c_void};

use crate::ffi::httpd as raw;
use crate::httpd::{Pool, bytes_at};
use crate::process::caught;

use super::reading;
use crate::config::error::ConfigError;
use crate::config::handler::Name;
use crate::config::phase::Role;
use crate::config::records::Requirement;
use crate::config::section::Section;

/// httpd's `parse_require_line` for `Require python module[::object] [argument …]`.
///
/// # Safety
/// Called by httpd while it reads the directive.
pub unsafe extern "C" fn parse_require(
    parameters: *mut raw::cmd_parms,
    line: *const c_char,
    parsed: *mut *const c_void,
) -> *const c_char {
    let outcome = caught(|| {
        // SAFETY: httpd's call: the record is that of the directive, the line a string.
        let (pool, section, origin, generation) = unsafe {
            (
                Pool::from_raw((*parameters).pool),
                Section::of(parameters),
                reading::origin(parameters),
                reading::generation(parameters),
            )
        };
        let mut rest = line;
        let mut words = std::iter::from_fn(|| {
            // SAFETY: `rest` stays within the NUL-terminated line; the words are made in the pool.
            unsafe {
                let word = (*rest != 0).then(|| raw::ap_getword_conf(pool.as_ptr(), &mut rest))?;
                bytes_at(word).filter(|word| !word.is_empty())
            }
        });
        let text = |word: &[u8]| match std::str::from_utf8(word) {
            Ok(text) => Ok(pool.text(text)),
            Err(_) => Err(ConfigError::NotUtf8("Require python".into())),
        };
        let Some(handler) = words.next() else { return Err(ConfigError::NoRequirement) };
        let name = Name::read(Role::REQUIRE, text(handler)?)?;
        let arguments = words.map(text).collect::<Result<Vec<_>, _>>()?;
        let handler = name.handler(section, origin, pool);
        if let Some(generation) = generation {
            generation.uses_python = true;
        }
        let requirement: *const Requirement = pool.value(Requirement { handler, arguments: pool.slice(&arguments) });
        // SAFETY: the place is for the result.
        unsafe { *parsed = requirement.cast() };
        Ok(())
    });
    // SAFETY: httpd's call.
    unsafe { reading::message(parameters, outcome) }
}
