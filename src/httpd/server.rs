//! Servers: the main one and the virtual hosts.

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::ffi::httpd as raw;

use super::{bytes_at, field};

/// A server record. It lives as long as its configuration: in a child, as long as the process.
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

    /// The main server of this process; none before httpd has one.
    pub fn main() -> Option<Server<'static>> {
        // SAFETY: a plain global of httpd's, set before the children start; a child keeps its configuration for good.
        unsafe { Server::from_raw(raw::ap_server_conf) }
    }

    pub fn as_ptr(self) -> *mut raw::server_rec {
        self.0.as_ptr()
    }

    /// The name of the server, from ServerName or as httpd has resolved it.
    pub fn hostname(self) -> &'s [u8] {
        // SAFETY: a string of the configuration.
        unsafe { bytes_at(field!(self, server_hostname)) }.unwrap_or_default()
    }

    /// The file and the line where its configuration begins.
    pub fn origin(self) -> (&'s [u8], u32) {
        // SAFETY: a string of the configuration.
        let file = unsafe { bytes_at(field!(self, defn_name)) };
        (file.unwrap_or_default(), field!(self, defn_line_number))
    }

    pub fn is_virtual(self) -> bool {
        field!(self, is_virtual) != 0
    }

    /// This server and those after it; from the main server on, all of them.
    pub fn with_following(self) -> impl Iterator<Item = Server<'s>> {
        std::iter::successors(Some(self), |server| {
            // SAFETY: the list lives with its first element.
            unsafe { Server::from_raw(field!(server, next)) }
        })
    }
}
