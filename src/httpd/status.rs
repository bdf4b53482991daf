//! Status codes: a type for each kind, so that they are not mixed up.

use std::ffi::{CStr, c_int};
use std::fmt;

use crate::ffi::httpd as raw;

/// What a hook returns to httpd: `OK`, `DECLINED`, `DONE` and the like, or an HTTP status (`httpd.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Status(pub c_int);

impl Status {
    pub const OK: Self = Self(raw::OK as c_int);
    pub const DECLINED: Self = Self(raw::DECLINED);
    /// The response is complete: httpd does nothing more.
    pub const DONE: Self = Self(raw::DONE);
    /// A filter has sent the response already (`AP_FILTER_ERROR`).
    pub const ANSWERED: Self = Self(raw::AP_FILTER_ERROR);
    pub const SERVER_ERROR: Self = Self(raw::HTTP_INTERNAL_SERVER_ERROR as c_int);
    pub const UNAVAILABLE: Self = Self(raw::HTTP_SERVICE_UNAVAILABLE as c_int);
    pub const UNAUTHORIZED: Self = Self(raw::HTTP_UNAUTHORIZED as c_int);

    pub const fn http(status: HttpStatus) -> Self {
        Self(status.0)
    }

    /// What a program may return: the codes above and HTTP statuses. For `SUSPENDED` (-3) httpd would wait for ever, and for most other
    /// numbers it sends a 500.
    pub fn from_number(number: i64) -> Option<Self> {
        let status = Self(c_int::try_from(number).ok()?);
        let is_code = [Self::OK, Self::DECLINED, Self::DONE, Self::ANSWERED].contains(&status);
        (is_code || status.is_http()).then_some(status)
    }

    /// Whether it is an HTTP status.
    pub fn is_http(self) -> bool {
        (100..600).contains(&self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// An HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct HttpStatus(pub c_int);

impl HttpStatus {
    pub const OK: Self = Self(raw::HTTP_OK as c_int);
    pub const BAD_REQUEST: Self = Self(raw::HTTP_BAD_REQUEST as c_int);
    pub const REQUEST_TIME_OUT: Self = Self(raw::HTTP_REQUEST_TIME_OUT as c_int);
    pub const ENTITY_TOO_LARGE: Self = Self(raw::HTTP_REQUEST_ENTITY_TOO_LARGE as c_int);
    pub const SERVER_ERROR: Self = Self(raw::HTTP_INTERNAL_SERVER_ERROR as c_int);
    pub const BAD_GATEWAY: Self = Self(raw::HTTP_BAD_GATEWAY as c_int);

    /// Whether it is a client or server error.
    pub fn is_error(self) -> bool {
        (400..600).contains(&self.0)
    }

    /// Whether a response with it can have a body (RFC 9110, 6.4.1).
    pub fn has_body(self) -> bool {
        !matches!(self.0, 100..200 | 204 | 304)
    }

    /// Whether httpd has a status line for it: for other numbers it uses that of 500.
    pub fn is_known_to_httpd(self) -> bool {
        // SAFETY: returns a static string for any number.
        let line = unsafe { CStr::from_ptr(raw::ap_get_status_line(self.0)) };
        line.to_bytes().starts_with(self.0.to_string().as_bytes())
    }

    /// The reason phrase for a status that httpd has no status line for.
    pub fn reason(self) -> &'static str {
        match self.0 {
            103 => "Early Hints",
            418 => "I'm a teapot",
            425 => "Too Early",
            _ => "Status",
        }
    }
}

impl fmt::Display for HttpStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// What APR and filters return (`apr_errno.h`): an errno, a code of APR, or a negative one of httpd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct AprStatus(pub c_int);

impl AprStatus {
    pub const SUCCESS: Self = Self(raw::APR_SUCCESS as c_int);
    pub const EOF: Self = Self(raw::APR_EOF as c_int);
    pub const INCOMPLETE: Self = Self(raw::APR_INCOMPLETE as c_int);
    pub const NOT_IMPLEMENTED: Self = Self(raw::APR_ENOTIMPL as c_int);
    pub const GENERAL: Self = Self(raw::APR_EGENERAL as c_int);
    pub const BUSY: Self = Self(raw::APR_EBUSY as c_int);
    pub const NO_ENTRY: Self = Self(raw::APR_ENOENT as c_int);
    pub const AGAIN: Self = Self(libc::EAGAIN);
    pub const NO_MEMORY: Self = Self(libc::ENOMEM);
    /// A filter has sent the response itself.
    pub const ANSWERED: Self = Self(raw::AP_FILTER_ERROR);

    /// # Errors
    /// The status, unless it is `SUCCESS`.
    pub fn checked(self) -> Result<(), Self> {
        if self == Self::SUCCESS { Ok(()) } else { Err(self) }
    }

    /// The errno; EIO for codes of APR.
    pub fn errno(self) -> Errno {
        match self.0 {
            number if (1..raw::APR_OS_START_ERROR as c_int).contains(&number) => Errno(number),
            _ => Errno(libc::EIO),
        }
    }

    /// Whether the other end of a connection has closed it.
    pub fn says_gone(self) -> bool {
        [libc::ECONNRESET, libc::EPIPE, libc::ECONNABORTED, libc::ENOTCONN].contains(&self.0)
    }
}

impl fmt::Display for AprStatus {
    /// APR's text for it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; 160];
        // SAFETY: the buffer is of that size; APR terminates it.
        let text = unsafe {
            raw::apr_strerror(self.0, buffer.as_mut_ptr(), buffer.len());
            CStr::from_ptr(buffer.as_ptr())
        };
        out.write_str(&text.to_string_lossy())
    }
}

/// An error number of the system (`errno.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub c_int);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_may_return_httpds_words_and_http_statuses() {
        for number in [0, -1, -2, -102, 100, 418, 599] {
            assert_eq!(Status::from_number(number), Some(Status(number as c_int)), "{number}");
        }
        for number in [1, -3, -4, 99, 600, i64::MAX, i64::MIN, 1 << 32] {
            assert_eq!(Status::from_number(number), None, "{number}");
        }
    }

    #[test]
    fn an_apr_status_below_aprs_own_is_an_errno() {
        assert_eq!(AprStatus(libc::ENOENT).errno(), Errno(libc::ENOENT));
        assert_eq!(AprStatus::INCOMPLETE.errno(), Errno(libc::EIO));
        assert_eq!(AprStatus::ANSWERED.errno(), Errno(libc::EIO));
    }
}
