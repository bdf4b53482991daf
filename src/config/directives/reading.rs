//! A directive that httpd hands over: where it stands, what it says, and the records that it goes into.

use std::ffi::{c_char, c_void};
use std::ptr;

use crate::cpython;
use crate::ffi::httpd as raw;
use crate::httpd::{Pool, Server, bytes_at};

use crate::config::generation::Generation;
use crate::config::handlers::Origin;
use crate::config::records::{DirectoryConfig, ServerConfig, Settings};

pub(super) type Parameters = *mut raw::cmd_parms;
pub(super) type Message = *const c_char;

/// A directive being read.
pub(super) struct Reading<'p> {
    pub parameters: Parameters,
    pub directory: &'p mut DirectoryConfig<'p>,
}

impl<'p> Reading<'p> {
    pub fn pool(&self) -> Pool<'p> {
        // SAFETY: the record's pool lives as long as what is configured.
        unsafe { Pool::from_raw((*self.parameters).pool) }
    }

    pub fn server(&self) -> Server<'p> {
        // SAFETY: httpd always gives the server that the directive is for.
        unsafe { Server::from_raw((*self.parameters).server).unwrap_unchecked() }
    }

    pub fn server_record(&mut self) -> &mut ServerConfig<'p> {
        // SAFETY: made by `create_server`; httpd reads its configuration in one thread.
        unsafe { &mut *crate::httpd::config_entry::<ServerConfig>(self.server().fields().module_config) }
    }

    /// What the configuration says about the process; `None` in a .htaccess file, which httpd reads per request.
    pub fn generation(&self) -> Option<&'p mut Generation> {
        // SAFETY: the record of a command function being called.
        unsafe { generation(self.parameters) }
    }

    /// Sets a value in the section's record and, outside of any section, in the server's too.
    pub fn set(&mut self, set: impl Fn(&mut Settings<'p>)) {
        set(&mut self.directory.settings);
        // SAFETY: the record of a command function being called.
        if unsafe { (*self.parameters).path }.is_null() {
            set(&mut self.server_record().settings);
        }
    }

    pub fn origin(&self) -> Origin<'p> {
        // SAFETY: the record of a command function being called.
        unsafe { origin(self.parameters) }
    }

    pub fn text(&self, argument: *const c_char) -> Result<&'p str, String> {
        // SAFETY: an argument of the directive, in the configuration's pool or copied to it.
        let bytes = unsafe { bytes_at(argument) }.unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(self.pool().text(text)),
            Err(_) => Err(format!("MP0204: {} has an argument that is not UTF-8", self.name())),
        }
    }

    pub fn name(&self) -> String {
        // SAFETY: the command's name is a literal of the table above.
        unsafe { String::from_utf8_lossy(bytes_at((*(*self.parameters).cmd).name).unwrap_or_default()).into_owned() }
    }
}

/// Runs a command function; its error, or a panic's, is what httpd prints with the file and line.
pub(super) unsafe fn read(
    parameters: Parameters,
    record: *mut c_void,
    work: impl FnOnce(&mut Reading<'_>) -> Result<(), String>,
) -> Message {
    // SAFETY: httpd calls with its command record and the record made by `create_directory`.
    let mut reading = Reading { parameters, directory: unsafe { &mut *record.cast::<DirectoryConfig>() } };
    let outcome = cpython::caught(|| work(&mut reading));
    // SAFETY: as above.
    unsafe { message(parameters, outcome) }
}

/// What httpd is told of a directive that has been read.
///
/// # Safety
/// `parameters` is the record of a command function being called.
pub(super) unsafe fn message(parameters: Parameters, outcome: Result<Result<(), String>, String>) -> Message {
    let outcome = outcome
        .unwrap_or_else(|panic| Err(format!("MP0205: mod_python has a defect in reading this directive: {panic}")));
    match outcome {
        Ok(()) => ptr::null(),
        // SAFETY: the caller's.
        Err(sentence) => unsafe { Pool::from_raw((*parameters).pool) }.c_string(sentence.as_bytes()).as_ptr(),
    }
}

/// What the configuration says about the process; `None` in a .htaccess file, which httpd reads per request.
///
/// # Safety
/// `parameters` is the record of a command function being called, with a pool that lives as long as what is configured.
pub(super) unsafe fn generation<'p>(parameters: Parameters) -> Option<&'p mut Generation> {
    // SAFETY: .htaccess files are read with the request's pool for both; else it is the configuration's.
    unsafe {
        let fields = &*parameters;
        (fields.pool != fields.temp_pool).then(|| Generation::of(Pool::from_raw(fields.pool)))
    }
}

/// Where the directive stands.
///
/// # Safety
/// As `generation`.
pub(super) unsafe fn origin<'p>(parameters: Parameters) -> Origin<'p> {
    // SAFETY: the directive, where there is one, lives as long as its configuration; the name is copied.
    unsafe {
        let Some(directive) = (*parameters).directive.as_ref() else {
            return Origin { file: "", line: 0 };
        };
        let file = String::from_utf8_lossy(bytes_at(directive.filename).unwrap_or_default());
        Origin { file: Pool::from_raw((*parameters).pool).text(&file), line: directive.line_num.max(0) as u32 }
    }
}
