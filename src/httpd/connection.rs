//! Connections.

mod io;

use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use crate::ffi::httpd as raw;

use super::{AprStatus, Server, bytes_at, config_entry, field, set_config_entry, set_field};

pub use io::{Amount, StreamError};

/// A connection during a callback.
#[derive(Clone, Copy)]
pub struct Connection<'c>(NonNull<raw::conn_rec>, PhantomData<&'c ()>);

/// This module's entry in the configuration vector of a connection that is marked.
struct Mark;

/// One end of a connection.
pub struct Address {
    /// The IP address as text.
    pub ip: Vec<u8>,
    pub port: u16,
}

impl<'c> Connection<'c> {
    /// # Safety
    /// `connection` is a live connection during `'c`, used by this thread only.
    pub unsafe fn from_raw(connection: *mut raw::conn_rec) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { NonNull::new_unchecked(connection) }, PhantomData)
    }

    pub fn as_ptr(self) -> *mut raw::conn_rec {
        self.0.as_ptr()
    }

    /// The server that the connection's address leads to.
    pub fn base_server(self) -> Option<Server<'static>> {
        // SAFETY: a child keeps its configuration for good.
        unsafe { Server::from_raw(field!(self, base_server)) }
    }

    pub fn local_address(self) -> Option<Address> {
        // SAFETY: an address of the connection's, or null.
        unsafe { address(field!(self, local_addr)) }
    }

    pub fn client_address(self) -> Option<Address> {
        // SAFETY: an address of the connection's, or null.
        unsafe { address(field!(self, client_addr)) }
    }

    /// Whether httpd has noticed that the client has closed the connection.
    pub fn is_aborted(self) -> bool {
        // SAFETY: alive.
        unsafe { raw::mp_shim_conn_aborted(self.as_ptr()) != 0 }
    }

    /// Whether the client has closed the connection, by the status of a read or write or as httpd has noticed.
    pub fn is_gone(self, status: AprStatus) -> bool {
        status.says_gone() || self.is_aborted()
    }

    /// The result of the double reverse look-up of the client's name, as in httpd: -1, 0 or 1.
    pub fn double_reverse(self) -> i32 {
        // SAFETY: alive.
        unsafe { raw::mp_shim_conn_double_reverse(self.as_ptr()) }
    }

    /// Whether `mark` was called for it.
    pub fn is_marked(self) -> bool {
        // SAFETY: the vector lives with the connection.
        !unsafe { config_entry::<Mark>(field!(self, conn_config)) }.is_null()
    }

    /// Notes that its handler has declined it.
    pub fn mark(self) {
        static MARK: Mark = Mark;
        // SAFETY: the vector lives with the connection; the entry is never written to.
        unsafe { set_config_entry(field!(self, conn_config), ptr::from_ref(&MARK).cast_mut()) }
    }

    /// Makes httpd close the connection when its handler has returned: the event MPM may keep it otherwise.
    pub fn end(self) {
        self.set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        let state = field!(self, cs);
        if !state.is_null() {
            // SAFETY: the state lives with the connection, which is this thread's.
            unsafe { (*state).state = raw::conn_state_e_CONN_STATE_LINGER };
        }
    }

    /// Sets whether the connection is kept for further requests: one of `ap_conn_keepalive_e`.
    pub fn set_keepalive(self, keepalive: raw::ap_conn_keepalive_e) {
        set_field!(self, keepalive, keepalive);
    }
}

pub(super) unsafe fn address(address: *mut raw::apr_sockaddr_t) -> Option<Address> {
    if address.is_null() {
        return None;
    }
    let mut buffer = [0; 256];
    // SAFETY: the caller's; APR writes a terminated string into the buffer of that size.
    unsafe {
        let status = raw::apr_sockaddr_ip_getbuf(buffer.as_mut_ptr(), buffer.len() as _, address);
        let ip = if status == 0 { bytes_at(buffer.as_ptr()) } else { None };
        Some(Address { ip: ip.unwrap_or_default().to_vec(), port: (*address).port })
    }
}
