//! Servers: the main one and the virtual hosts.

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::ffi::httpd as raw;

use super::bytes_at;

/// A server record. It lives as long as its configuration: in a child, for good.
#[derive(Clone, Copy)]
pub struct Server<'s>(NonNull<raw::server_rec>, PhantomData<&'s ()>);

// SAFETY: httpd does not write to server records once children serve.
unsafe impl Send for Server<'_> {}

impl<'s> Server<'s> {
    /// # Safety
    /// `server` is a live server record during `'s`.
    pub unsafe fn from_raw(server: *mut raw::server_rec) -> Option<Self> {
        NonNull::new(server).map(|server| Self(server, PhantomData))
    }

    pub fn as_ptr(self) -> *mut raw::server_rec {
        self.0.as_ptr()
    }

    /// The record's fields.
    pub fn fields(self) -> &'s raw::server_rec {
        // SAFETY: alive during 's; httpd does not write to it once children serve.
        unsafe { self.0.as_ref() }
    }

    /// The name of the server, as ServerName gave it or httpd resolved it.
    pub fn hostname(self) -> &'s [u8] {
        // SAFETY: a string of the configuration.
        unsafe { bytes_at(self.fields().server_hostname) }.unwrap_or_default()
    }

    pub fn is_virtual(self) -> bool {
        self.fields().is_virtual != 0
    }

    /// This and the servers after it: from the main server, all of them.
    pub fn with_following(self) -> impl Iterator<Item = Server<'s>> {
        std::iter::successors(Some(self), |server| {
            // SAFETY: the list lives with its first element.
            unsafe { Server::from_raw(server.fields().next) }
        })
    }
}
