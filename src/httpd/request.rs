//! Requests, during a callback of httpd.

mod body;
mod body_reader;
pub mod caught_error;
mod output;

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::ffi::httpd as raw;
#[cfg(debug_assertions)]
use crate::process::turn::owed;

use super::{
    Address, Brigade, Connection, HttpStatus, Pool, Server, Status, Table, bytes_at, config_entry, field,
    set_config_entry, set_field,
};

pub use body::{Body, BodyError};
pub use body_reader::BodyReader;
pub use output::{FileError, OpenFile, Output, WriteError};

/// A request that httpd has handed to a callback: alive during `'r`, and only this thread uses it.
#[derive(Clone, Copy)]
pub struct Request<'r>(NonNull<raw::request_rec>, PhantomData<&'r ()>);

/// Methods for strings of the record, which are null or live at least as long as the request.
macro_rules! strings {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(self) -> Option<&'r [u8]> {
            // SAFETY: null, or a string of the request or of the configuration.
            unsafe { bytes_at(field!(self, $name)) }
        }
    )*};
}

/// Methods for tables of the record.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(self) -> Table<'r> {
            self.assert_turn();
            // SAFETY: httpd makes all tables of a request with it (protocol.c, ap_create_request); it lives with the request.
            unsafe { Table::from_raw(field!(self, $name)).unwrap_unchecked() }
        }
    )*};
}

impl<'r> Request<'r> {
    /// # Safety
    /// `request` is a live request during `'r`, and no other thread uses it meanwhile.
    #[inline]
    pub unsafe fn from_raw(request: *mut raw::request_rec) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { NonNull::new_unchecked(request) }, PhantomData)
    }

    #[inline]
    pub fn as_ptr(self) -> *mut raw::request_rec {
        self.0.as_ptr()
    }

    /// In a debug build: asserts that this thread has the request's turn, or that no other thread can use the request.
    #[inline]
    #[track_caller]
    fn assert_turn(self) {
        #[cfg(debug_assertions)]
        owed::check(self.as_ptr().cast_const().cast());
    }

    #[inline]
    #[track_caller]
    pub fn pool(self) -> Pool<'r> {
        self.assert_turn();
        // SAFETY: the request's pool lives as long as the request.
        unsafe { Pool::from_raw(field!(self, pool)) }
    }

    #[inline]
    pub fn connection(self) -> Connection<'r> {
        // SAFETY: the connection outlives its requests.
        unsafe { Connection::from_raw(field!(self, connection)) }
    }

    /// The server of the request: it outlives the child's requests.
    #[inline]
    pub fn server(self) -> Server<'static> {
        // SAFETY: every request has a server, and a child keeps its configuration for good.
        unsafe { Server::from_raw(field!(self, server)).unwrap_unchecked() }
    }

    strings! {
        /// The handler that SetHandler or AddHandler names.
        handler,
        /// The file that the URL was mapped to.
        filename,
        /// The path of the URL, decoded.
        uri,
        /// What follows the file in the URL.
        path_info,
        /// The authenticated user.
        user,
    }

    tables! {
        /// The headers of the request.
        headers_in,
        /// The headers of the response.
        headers_out,
        /// Headers of the response that are sent with an error page too.
        err_headers_out,
        /// The environment of CGI scripts.
        subprocess_env,
    }

    /// The client's address, as mod_remoteip sees it.
    pub fn useragent_address(self) -> Option<Address> {
        // SAFETY: an address of the request's, or null.
        unsafe { super::connection::address(field!(self, useragent_addr)) }
    }

    /// Whether `filename` is known to be an existing directory.
    pub fn is_directory(self) -> bool {
        field!(self, finfo.filetype) == raw::apr_filetype_e_APR_DIR
    }

    /// Whether it is a subrequest.
    #[inline]
    pub fn is_subrequest(self) -> bool {
        !field!(self, main).is_null()
    }

    /// This module's configuration for the request.
    #[inline]
    pub fn directory_config<T>(self) -> Option<&'r T> {
        // SAFETY: httpd keeps the vector for the request; the entry was made by this module as a `T`.
        unsafe { config_entry::<T>(field!(self, per_dir_config)).as_ref() }
    }

    /// This module's configuration for all of the request's server, outside of any section.
    pub fn server_directory_config<T>(self) -> Option<&'r T> {
        // SAFETY: the vector lives with the configuration; the entry was made by this module as a `T`.
        unsafe { config_entry::<T>(field!(self.server(), lookup_defaults)).as_ref() }
    }

    /// Whether the response has the header that asks the client to authenticate.
    pub fn asks_for_authentication(self) -> bool {
        self.err_headers_out().get(self.challenge_header().to_bytes()).is_some()
    }

    /// Asks the client to authenticate, as AuthType says.
    pub fn ask_for_authentication(self) {
        // SAFETY: the request is live; httpd's function copies what it keeps.
        unsafe { raw::ap_note_auth_failure(self.as_ptr()) };
        // mod_auth_basic would do this for Basic, but it need not be loaded.
        if let (Some(realm), false) = (self.auth_name(), self.asks_for_authentication()) {
            if self.is_basic() {
                let challenge = [b"Basic realm=\"", realm, b"\""].concat();
                self.err_headers_out().set(self.challenge_header(), self.pool().c_string(&challenge));
            }
        }
    }

    /// The name of that header.
    fn challenge_header(self) -> &'static CStr {
        match field!(self, proxyreq) as u32 {
            raw::PROXYREQ_PROXY => c"Proxy-Authenticate",
            _ => c"WWW-Authenticate",
        }
    }

    /// Whether AuthType is Basic.
    pub fn is_basic(self) -> bool {
        self.auth_type().is_some_and(|kind| kind.eq_ignore_ascii_case(b"basic"))
    }

    /// AuthType, if it is set.
    pub fn auth_type(self) -> Option<&'r [u8]> {
        // SAFETY: the request is live; the text is of its configuration or its pool.
        unsafe { bytes_at(raw::ap_auth_type(self.as_ptr())) }
    }

    /// AuthName, if it is set.
    pub fn auth_name(self) -> Option<&'r [u8]> {
        // SAFETY: as above.
        unsafe { bytes_at(raw::ap_auth_name(self.as_ptr())) }
    }

    /// This module's record of the request; null if there is none.
    #[inline]
    pub fn record<T>(self) -> *mut T {
        // SAFETY: the vector lives with the request.
        unsafe { config_entry::<T>(field!(self, request_config)) }
    }

    #[inline]
    pub(crate) fn set_record<T>(self, record: *mut T) {
        // SAFETY: the vector lives with the request.
        unsafe { set_config_entry(field!(self, request_config), record) }
    }

    pub fn set_content_type(self, content_type: &CStr) {
        let copy = self.pool().c_string(content_type.to_bytes());
        // SAFETY: the request is live, and the copy lives in its pool.
        unsafe { raw::ap_set_content_type(self.as_ptr(), copy.as_ptr()) }
    }

    pub fn set_status(self, status: HttpStatus) {
        set_field!(self, status, status.0);
        self.name_status(status);
    }

    /// The status of the response.
    pub fn status(self) -> HttpStatus {
        HttpStatus(field!(self, status))
    }

    /// Whether the response is one that has a body.
    pub fn has_response_body(self) -> bool {
        field!(self, header_only) == 0 && self.status().has_body()
    }

    /// Sets the Content-Length of the response.
    pub fn set_content_length(self, length: u64) {
        // SAFETY: the request is live.
        unsafe { raw::ap_set_content_length(self.as_ptr(), length as raw::apr_off_t) };
    }

    /// Sets the status line if httpd knows none for the status: it would send 500 instead.
    pub fn name_status(self, status: HttpStatus) {
        if status.is_known_to_httpd() || !Status::http(status).is_http() {
            return;
        }
        let line = format!("{status} {}", status.reason());
        let line = self.pool().c_string(line.as_bytes());
        set_field!(self, status_line, line.as_ptr().cast::<c_char>());
    }

    /// Whether the status line and headers were sent.
    pub fn is_response_started(self) -> bool {
        // httpd sets it when it makes the headers (http_filters.c, ap_http_header_filter).
        self.with_redirects().any(|request| field!(request, sent_bodyct) != 0 || field!(request, eos_sent) != 0)
    }

    /// Whether the end of the response was sent.
    #[inline]
    pub fn is_response_complete(self) -> bool {
        self.with_redirects().any(|request| field!(request, eos_sent) != 0)
    }

    /// Notes that a filter holds the end of the response. httpd notes the end as sent when it passes it to
    /// the first filter (util_filter.c, ap_pass_brigade), and again when a filter passes it on.
    pub fn hold_end(self) {
        let mut each = Some(self);
        while let Some(request) = each {
            set_field!(request, eos_sent, 0);
            let before = field!(request, prev);
            // SAFETY: null, or the request that was redirected to it, in a pool that outlives its own; all this thread's.
            each = unsafe { (!before.is_null()).then(|| Self::from_raw(before)) };
        }
    }

    /// This request and those that it was redirected to, one of which may have sent the response.
    #[inline]
    fn with_redirects(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |request| {
            let next = field!(request, next);
            // SAFETY: null, or a request in the same pool.
            unsafe { (!next.is_null()).then(|| Self::from_raw(next)) }
        })
    }

    /// Whether the response has a Content-Length.
    pub fn has_length(self) -> bool {
        self.headers_out().get(b"Content-Length").is_some()
    }

    /// Removes headers that describe a body which is not sent.
    pub fn forget_body_headers(self) {
        let names = [c"Content-Length", c"Content-Encoding", c"Content-Range", c"ETag", c"Last-Modified"];
        names.iter().for_each(|name| self.headers_out().unset(name));
    }

    /// Drops data of other modules that httpd has buffered, so that an error page does not follow a part of a response.
    pub fn discard_unsent(self) {
        // SAFETY: the filters live with the request; `old_write` holds what ap_rwrite has not passed on yet.
        unsafe {
            let mut filter = field!(self, output_filters);
            while let Some(current) = filter.as_ref() {
                let next = current.next;
                if bytes_at((*current.frec).name) == Some(b"old_write") {
                    raw::ap_remove_output_filter(filter);
                }
                filter = next;
            }
        }
    }

    /// Ends a response that cannot be completed so that the client notices: without the final chunk, and with the connection closed.
    pub fn abort_response(self) {
        self.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        let brigade = Brigade::new(self);
        // As mod_proxy does when its backend closes the connection.
        brigade.append_error(HttpStatus::BAD_GATEWAY, self);
        // SAFETY: the filters live with the request.
        unsafe { raw::ap_pass_brigade(field!(self, output_filters), brigade.as_ptr()) };
    }
}
