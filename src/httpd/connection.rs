//! Connections.

use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use crate::ffi::httpd as raw;

use super::{Server, bytes_at, config_entry, set_config_entry};

/// A connection during a callback.
#[derive(Clone, Copy)]
pub struct Connection<'c>(NonNull<raw::conn_rec>, PhantomData<&'c ()>);

/// What this module keeps of a connection: that it is there.
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

    /// The record's fields, as they are now.
    pub fn fields(self) -> &'c raw::conn_rec {
        // SAFETY: alive during 'c; shared references are not held across calls that change it.
        unsafe { self.0.as_ref() }
    }

    /// The server that the connection's address leads to.
    pub fn base_server(self) -> Option<Server<'c>> {
        // SAFETY: server records outlive connections.
        unsafe { Server::from_raw(self.fields().base_server) }
    }

    pub fn local_address(self) -> Option<Address> {
        // SAFETY: an address of the connection's, or null.
        unsafe { address(self.fields().local_addr) }
    }

    pub fn client_address(self) -> Option<Address> {
        // SAFETY: an address of the connection's, or null.
        unsafe { address(self.fields().client_addr) }
    }

    /// Whether the client is gone, as far as httpd has noticed.
    pub fn is_aborted(self) -> bool {
        // SAFETY: alive.
        unsafe { raw::mp_shim_conn_aborted(self.as_ptr()) != 0 }
    }

    /// Whether the client is gone, by what reading or writing has given or as far as httpd has noticed.
    pub fn is_gone(self, status: i32) -> bool {
        [libc::ECONNRESET, libc::EPIPE, libc::ECONNABORTED, libc::ENOTCONN].contains(&status) || self.is_aborted()
    }

    /// What the double reverse look-up of the client's name has given, as httpd counts it: -1, 0 or 1.
    pub fn double_reverse(self) -> i32 {
        // SAFETY: alive.
        unsafe { raw::mp_shim_conn_double_reverse(self.as_ptr()) }
    }

    /// Whether `mark` was called for it.
    pub fn is_marked(self) -> bool {
        // SAFETY: the vector lives with the connection.
        !unsafe { config_entry::<Mark>(self.fields().conn_config) }.is_null()
    }

    /// Notes that its own handler has no more to do with it.
    pub fn mark(self) {
        static MARK: Mark = Mark;
        // SAFETY: the vector lives with the connection; the entry is never written to.
        unsafe { set_config_entry(self.fields().conn_config, ptr::from_ref(&MARK).cast_mut()) }
    }

    /// Has httpd close the connection when its handler has returned: the event MPM may keep it otherwise.
    pub fn end(self) {
        self.set_keepalive(raw::ap_conn_keepalive_e_AP_CONN_CLOSE);
        // SAFETY: alive, and this thread's; the state is null or lives with it.
        unsafe {
            if let Some(state) = (*self.as_ptr()).cs.as_mut() {
                state.state = raw::conn_state_e_CONN_STATE_LINGER;
            }
        }
    }

    /// Says whether the connection is to be kept: one of `ap_conn_keepalive_e`.
    pub fn set_keepalive(self, keepalive: raw::ap_conn_keepalive_e) {
        // SAFETY: alive, and this thread's.
        unsafe { (*self.as_ptr()).keepalive = keepalive }
    }
}

pub(super) unsafe fn address(address: *mut raw::apr_sockaddr_t) -> Option<Address> {
    if address.is_null() {
        return None;
    }
    let mut buffer = [0; 256];
    // SAFETY: the caller's; APR terminates what it writes into the buffer of that size.
    unsafe {
        let status = raw::apr_sockaddr_ip_getbuf(buffer.as_mut_ptr(), buffer.len() as _, address);
        let ip = if status == 0 { bytes_at(buffer.as_ptr()) } else { None };
        Some(Address { ip: ip.unwrap_or_default().to_vec(), port: (*address).port })
    }
}
