//! A directive while httpd reads it: its place, its arguments, and the records that it changes.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use crate::ffi::httpd as raw;
use crate::httpd::{Pool, Server, bytes_at, field};
use crate::process::caught;

use super::{Outcome, Row};
use crate::config::error::ConfigError;
use crate::config::flags::Flag;
use crate::config::generation::Generation;
use crate::config::handler::Origin;
use crate::config::records::{DirectoryConfig, ServerConfig, Settings};
use crate::config::section::Section;
use crate::config::wsgi::{WsgiSettings, note_in_use};

pub(super) type Parameters = *mut raw::cmd_parms;
pub(super) type Message = *const c_char;

/// A directive that is being read.
pub(super) struct Reading<'p> {
    parameters: Parameters,
    pub directory: &'p mut DirectoryConfig<'p>,
}

/// An argument of a directive.
///
/// # Safety
/// `argument` is null or a C string that lives during `'a`.
pub(super) unsafe fn argument<'a>(argument: *const c_char) -> &'a CStr {
    // SAFETY: the caller's.
    if argument.is_null() { c"" } else { unsafe { CStr::from_ptr(argument) } }
}

impl<'p> Reading<'p> {
    /// The directive's row in the table.
    pub fn row(&self) -> &'static Row {
        // SAFETY: `cmd_data` of every command of this module's is its row.
        unsafe { &*(*self.parameters).info.cast::<Row>() }
    }

    pub fn pool(&self) -> Pool<'p> {
        // SAFETY: the pool lives as long as the configuration.
        unsafe { Pool::from_raw((*self.parameters).pool) }
    }

    pub fn server(&self) -> Server<'p> {
        // SAFETY: httpd always sets the server.
        unsafe { Server::from_raw((*self.parameters).server).unwrap_unchecked() }
    }

    pub fn server_record(&mut self) -> &mut ServerConfig<'p> {
        // SAFETY: made by `create_server`; httpd reads its configuration in one thread.
        unsafe { &mut *crate::httpd::config_entry::<ServerConfig>(field!(self.server(), module_config)) }
    }

    /// The settings for the process; `None` in a .htaccess file, which httpd reads for a request.
    pub fn generation(&self) -> Option<&'p mut Generation> {
        // SAFETY: the record of a command function being called.
        unsafe { generation(self.parameters) }
    }

    /// Notes that the configuration uses Python, so that children start it.
    pub fn uses_python(&self) {
        if let Some(generation) = self.generation() {
            generation.uses_python = true;
        }
    }

    /// Sets a value in the section's record and, outside of any section, in the server's too.
    pub fn set(&mut self, set: impl Fn(&mut Settings<'p>)) {
        set(&mut self.directory.settings);
        if self.is_outside_of_sections() {
            set(&mut self.server_record().settings);
        }
    }

    pub fn set_flag(&mut self, flag: Flag, is_on: bool) {
        self.directory.settings.flags.set(flag, is_on);
        if flag.row().is_for_server && self.is_outside_of_sections() {
            self.server_record().settings.flags.set(flag, is_on);
        }
    }

    /// Changes what the section says of mod_wsgi's.
    pub fn set_wsgi(&mut self, set: impl FnOnce(&mut WsgiSettings<'p>)) {
        let mut settings = self.directory.wsgi();
        set(&mut settings);
        self.directory.wsgi = Some(self.pool().value(settings));
    }

    /// Whether the directive stands in a virtual host.
    pub fn is_in_virtual_host(&self) -> bool {
        field!(self.server(), is_virtual) != 0
    }

    /// A path, relative to ServerRoot, as an absolute one without `.` and `..`.
    pub fn absolute(&self, path: &str) -> Result<&'p str, ConfigError> {
        let pool = self.pool();
        // SAFETY: a C string of the pool's, in which the result is made; it is null for what is no path.
        let absolute =
            unsafe { bytes_at(raw::ap_server_root_relative(pool.as_ptr(), pool.c_string(path.as_bytes()).as_ptr())) };
        let absolute = absolute
            .ok_or_else(|| ConfigError::NotAPath { directive: self.name().to_owned(), path: path.to_owned() })?;
        std::str::from_utf8(absolute).map_err(|_| ConfigError::NotUtf8(self.name().to_owned()))
    }

    /// Whether the directive stands in a section, or in a .htaccess file.
    pub fn is_in_section(&self) -> bool {
        !self.is_outside_of_sections()
    }

    fn is_outside_of_sections(&self) -> bool {
        // SAFETY: the record of a command function being called.
        unsafe { (*self.parameters).path }.is_null()
    }

    pub fn origin(&self) -> Origin<'p> {
        // SAFETY: the record of a command function being called.
        unsafe { origin(self.parameters) }
    }

    pub fn section(&self) -> Section<'p> {
        // SAFETY: the record of a command function being called.
        unsafe { Section::of(self.parameters) }
    }

    /// An argument as text, in the pool.
    pub fn text(&self, argument: &CStr) -> Result<&'p str, ConfigError> {
        match argument.to_str() {
            Ok(text) => Ok(self.pool().text(text)),
            Err(_) => Err(ConfigError::NotUtf8(self.name().to_owned())),
        }
    }

    pub fn name(&self) -> &'static str {
        self.row().name.to_str().unwrap_or_default()
    }

    /// Refuses a directive in a virtual host.
    pub fn expect_main_server(&self, directive: &'static str) -> Outcome {
        match self.is_in_virtual_host() {
            true => Err(ConfigError::NotInVirtualHost(directive)),
            false => Ok(()),
        }
    }

    /// A value that is none of those allowed.
    pub fn wrong(&self, value: &CStr, allowed: &'static str) -> ConfigError {
        ConfigError::NotAWsgiValue { directive: self.name(), value: value.to_string_lossy().into_owned(), allowed }
    }

    /// The error for a row whose command function is one for other arguments.
    pub fn misplaced(&self) -> ConfigError {
        ConfigError::Defect(format!("the row of {}", self.row().name.to_string_lossy()))
    }
}

/// Runs a command function. httpd prints its error, also that of a panic, with the file and line.
///
/// # Safety
/// Called by a command function, with the arguments of httpd's call.
pub(super) unsafe fn read(
    parameters: Parameters,
    record: *mut c_void,
    work: impl FnOnce(&mut Reading<'_>) -> Outcome,
) -> Message {
    // SAFETY: as below.
    if unsafe { super::wsgi::is_left_to_mod_wsgi(&*(*parameters).info.cast::<Row>()) } {
        // DECLINE_CMD
        return c"\x07\x08".as_ptr();
    }
    // SAFETY: httpd calls with its command record and the record made by `create_directory`.
    let mut reading = Reading { parameters, directory: unsafe { &mut *record.cast::<DirectoryConfig>() } };
    reading.directory.is_set = true;
    if super::wsgi::is_of_mod_wsgi(reading.row()) {
        note_in_use();
        if let Some(generation) = reading.generation() {
            generation.wsgi.is_used = true;
        }
    }
    let outcome = caught(|| work(&mut reading));
    // SAFETY: as above.
    unsafe { message(parameters, outcome) }
}

/// The return value of a command function: null, or the message for httpd.
///
/// # Safety
/// `parameters` is the record of a command function being called.
pub(super) unsafe fn message(parameters: Parameters, outcome: Result<Outcome, String>) -> Message {
    match outcome.unwrap_or_else(|panic| Err(ConfigError::Defect(panic))) {
        Ok(()) => ptr::null(),
        // SAFETY: the caller's.
        Err(error) => unsafe { Pool::from_raw((*parameters).pool) }.c_string(error.to_string().as_bytes()).as_ptr(),
    }
}

/// The settings for the process; `None` in a .htaccess file, which httpd reads for a request.
///
/// # Safety
/// `parameters` is the record of a command function being called, with a pool that lives as long as the configuration.
pub(super) unsafe fn generation<'p>(parameters: Parameters) -> Option<&'p mut Generation> {
    // SAFETY: .htaccess files are read with the request's pool as both pools; else the first is the configuration's.
    unsafe {
        let (pool, temporary) = ((*parameters).pool, (*parameters).temp_pool);
        (pool != temporary).then(|| Generation::of(Pool::from_raw(pool)))
    }
}

/// The place of the directive.
///
/// # Safety
/// As `generation`.
pub(super) unsafe fn origin<'p>(parameters: Parameters) -> Origin<'p> {
    // SAFETY: the directive, if there is one, lives as long as its configuration; the name is copied.
    unsafe {
        let directive = (*parameters).directive;
        if directive.is_null() {
            return Origin { file: "", line: 0 };
        }
        let file = String::from_utf8_lossy(bytes_at((*directive).filename).unwrap_or_default());
        Origin { file: Pool::from_raw((*parameters).pool).text(&file), line: (*directive).line_num.max(0) as u32 }
    }
}
