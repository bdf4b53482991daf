//! Requests, during a callback of httpd's.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::ffi::httpd as raw;

use super::{Address, Brigade, Connection, Pool, Server, Table, bytes_at, config_entry, set_config_entry};

/// A request that httpd has handed to a callback: alive during `'r`, and only this thread uses it.
#[derive(Clone, Copy)]
pub struct Request<'r>(NonNull<raw::request_rec>, PhantomData<&'r ()>);

impl<'r> Request<'r> {
    /// # Safety
    /// `request` is a live request during `'r`, and no other thread uses it meanwhile.
    pub unsafe fn from_raw(request: *mut raw::request_rec) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { NonNull::new_unchecked(request) }, PhantomData)
    }

    pub fn as_ptr(self) -> *mut raw::request_rec {
        self.0.as_ptr()
    }

    /// The record's fields, as they are now.
    pub fn fields(self) -> &'r raw::request_rec {
        // SAFETY: alive during 'r; shared references are not held across calls that change it.
        unsafe { self.0.as_ref() }
    }

    pub fn pool(self) -> Pool<'r> {
        // SAFETY: the request's pool lives as long as the request.
        unsafe { Pool::from_raw(self.fields().pool) }
    }

    pub fn connection(self) -> Connection<'r> {
        // SAFETY: the connection outlives its requests.
        unsafe { Connection::from_raw(self.fields().connection) }
    }

    pub fn server(self) -> Server<'r> {
        // SAFETY: every request has a server.
        unsafe { Server::from_raw(self.fields().server).unwrap_unchecked() }
    }

    /// The client's address, as mod_remoteip sees it.
    pub fn useragent_address(self) -> Option<Address> {
        // SAFETY: an address of the request's, or null.
        unsafe { super::connection::address(self.fields().useragent_addr) }
    }

    /// What SetHandler or AddHandler has chosen.
    pub fn handler(self) -> Option<&'r [u8]> {
        // SAFETY: a string of the request or of the configuration.
        unsafe { bytes_at(self.fields().handler) }
    }

    pub fn filename(self) -> Option<&'r [u8]> {
        // SAFETY: a string in the request's pool.
        unsafe { bytes_at(self.fields().filename) }
    }

    /// Whether `filename` is known to be an existing directory.
    pub fn is_directory(self) -> bool {
        self.fields().finfo.filetype == raw::apr_filetype_e_APR_DIR
    }

    /// This module's configuration for the request.
    pub fn directory_config<T>(self) -> Option<&'r T> {
        // SAFETY: httpd keeps the vector for the request; the entry was made by this module as a `T`.
        unsafe { config_entry::<T>(self.fields().per_dir_config).as_ref() }
    }

    /// This module's configuration for all of the request's server, outside of any section.
    pub fn server_directory_config<T>(self) -> Option<&'r T> {
        // SAFETY: the vector lives with the configuration; the entry was made by this module as a `T`.
        unsafe { config_entry::<T>(self.server().fields().lookup_defaults).as_ref() }
    }

    /// Whether the response to an unknown user says how to authenticate.
    pub fn asks_for_authentication(self) -> bool {
        let name = self.question().to_bytes();
        // SAFETY: the table lives with the request.
        let headers = unsafe { Table::from_raw(self.fields().err_headers_out) };
        headers.is_some_and(|headers| headers.get(name).is_some())
    }

    /// Asks the client for its name and password as AuthType has it.
    pub fn ask_for_authentication(self) {
        // SAFETY: the request is live; httpd's function copies what it keeps. The table lives with the request.
        let headers = unsafe {
            raw::ap_note_auth_failure(self.as_ptr());
            Table::from_raw(self.fields().err_headers_out)
        };
        // Basic is asked for by mod_auth_basic, which need not be loaded where Python does the rest.
        if let (Some(headers), Some(realm), false) = (headers, self.auth_name(), self.asks_for_authentication()) {
            if self.is_basic() {
                let question = [b"Basic realm=\"", realm, b"\""].concat();
                headers.set(self.question(), self.pool().c_string(&question));
            }
        }
    }

    /// The header that asks.
    fn question(self) -> &'static CStr {
        match self.fields().proxyreq as u32 {
            raw::PROXYREQ_PROXY => c"Proxy-Authenticate",
            _ => c"WWW-Authenticate",
        }
    }

    /// Whether AuthType is Basic.
    pub fn is_basic(self) -> bool {
        self.auth_type().is_some_and(|kind| kind.eq_ignore_ascii_case(b"Basic"))
    }

    /// What AuthType says, if it says anything.
    pub fn auth_type(self) -> Option<&'r [u8]> {
        // SAFETY: the request is live; the text is of its configuration or its pool.
        unsafe { bytes_at(raw::ap_auth_type(self.as_ptr())) }
    }

    /// What AuthName says, if it says anything.
    pub fn auth_name(self) -> Option<&'r [u8]> {
        // SAFETY: as above.
        unsafe { bytes_at(raw::ap_auth_name(self.as_ptr())) }
    }

    /// This module's own record of the request, if it has made one.
    pub fn record<T>(self) -> *mut T {
        // SAFETY: the vector lives with the request.
        unsafe { config_entry::<T>(self.fields().request_config) }
    }

    pub fn set_record<T>(self, record: *mut T) {
        // SAFETY: the vector lives with the request.
        unsafe { set_config_entry(self.fields().request_config, record) }
    }

    pub fn set_content_type(self, content_type: &CStr) {
        // SAFETY: the string is copied into the pool.
        unsafe { raw::ap_set_content_type(self.as_ptr(), raw::apr_pstrdup(self.fields().pool, content_type.as_ptr())) }
    }

    pub fn set_status(self, status: i32) {
        // SAFETY: alive, and this thread's.
        unsafe { (*self.as_ptr()).status = status }
    }

    /// Whether the status line and headers have gone to the client.
    pub fn is_response_started(self) -> bool {
        // httpd sets it when it makes the headers (http_filters.c, ap_http_header_filter).
        self.with_redirects().any(|fields| fields.sent_bodyct != 0 || fields.eos_sent != 0)
    }

    /// Whether the end of the response has gone to the client.
    pub fn is_response_complete(self) -> bool {
        self.with_redirects().any(|fields| fields.eos_sent != 0)
    }

    /// Notes that the end of the response has come no further than to one of its filters. httpd notes it as sent when it comes to
    /// the first (util_filter.c, ap_pass_brigade), and again when it is passed on.
    pub fn hold_end(self) {
        let mut request = self.as_ptr();
        while !request.is_null() {
            // SAFETY: this request, then those that were redirected to it, in pools that outlive its own; all this thread's.
            unsafe {
                (*request).eos_sent = 0;
                request = (*request).prev;
            }
        }
    }

    /// This request and those that it was redirected to, one of which may have answered.
    fn with_redirects(self) -> impl Iterator<Item = &'r raw::request_rec> {
        std::iter::successors(Some(self.fields()), |fields| {
            // SAFETY: null, or a request in the same pool.
            unsafe { fields.next.as_ref() }
        })
    }

    /// Whether the response has a length that was told the client.
    pub fn has_length(self) -> bool {
        // SAFETY: the table lives with the request.
        let headers = unsafe { Table::from_raw(self.fields().headers_out) };
        headers.is_some_and(|headers| headers.get(b"Content-Length").is_some())
    }

    /// Takes back what was said of a body that is not the one to be sent.
    pub fn forget_body_headers(self) {
        // SAFETY: the table lives with the request.
        if let Some(headers) = unsafe { Table::from_raw(self.fields().headers_out) } {
            let names = [c"Content-Length", c"Content-Encoding", c"Content-Range", c"ETag", c"Last-Modified"];
            names.iter().for_each(|name| headers.unset(name));
        }
    }

    /// Drops what has been written but not flushed, so that an error page does not follow half a response.
    pub fn discard_unsent(self) {
        // SAFETY: the filters live with the request; `old_write` holds what ap_rwrite has not passed on yet.
        unsafe {
            let mut filter = self.fields().output_filters;
            while let Some(current) = filter.as_ref() {
                let next = current.next;
                if bytes_at((*current.frec).name) == Some(b"old_write") {
                    raw::ap_remove_output_filter(filter);
                }
                filter = next;
            }
        }
    }

    /// Ends a response that cannot be completed so that the client can tell: no final chunk, connection closed.
    pub fn abort_response(self) {
        self.connection().set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        let brigade = Brigade::new(self);
        // As httpd's proxy does when its backend breaks off.
        brigade.append_error(raw::HTTP_BAD_GATEWAY as i32, self);
        // SAFETY: the filters live with the request.
        unsafe { raw::ap_pass_brigade(self.fields().output_filters, brigade.as_ptr()) };
    }
}
