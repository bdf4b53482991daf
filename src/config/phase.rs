//! The phases of a request that Python handlers can be given for: one row each, with its directive.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::httpd::{Direction, Status};

/// The role of a handler: its directive, and the function that is called if the handler names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    pub directive: &'static str,
    pub default_object: &'static str,
}

impl Role {
    pub const CONNECTION: Self = Self::new("PythonConnectionHandler", "connectionhandler");
    pub const BASIC_PROVIDER: Self = Self::new("PythonAuthBasicProvider", "check_password");
    pub const DIGEST_PROVIDER: Self = Self::new("PythonAuthDigestProvider", "get_realm_hash");
    pub const MODULE: Self = Self::new("PythonHandlerModule", "handler");
    pub const REQUIRE: Self = Self::new("Require python", "authorize");

    /// A filter's.
    pub const fn filter(direction: Direction) -> Self {
        match direction {
            Direction::Input => Self::new("PythonInputFilter", "inputfilter"),
            Direction::Output => Self::new("PythonOutputFilter", "outputfilter"),
        }
    }

    const fn new(directive: &'static str, default_object: &'static str) -> Self {
        Self { directive, default_object }
    }
}

/// The phases for which any directive or request has set handlers. A restart does not reset it: a bit of an earlier configuration costs little.
static IN_USE: AtomicU16 = AtomicU16::new(0);

macro_rules! phases {
    ($($phase:ident: $directive:literal, $object:literal;)+) => {
        /// A phase of the request that Python handlers can be given for, in the order in which httpd runs them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Phase {
            $($phase,)+
        }

        impl Phase {
            pub const ALL: [Self; Self::COUNT] = [$(Self::$phase,)+];
            pub const COUNT: usize = [$($directive,)+].len();

            /// The directive, and the directive without `Python` in lower case.
            pub const fn role(self) -> Role {
                match self {
                    $(Self::$phase => Role::new($directive, $object),)+
                }
            }

            /// The directive's name as httpd takes it.
            pub const fn directive_name(self) -> &'static CStr {
                let name = match self {
                    $(Self::$phase => concat!($directive, "\0"),)+
                };
                match CStr::from_bytes_with_nul(name.as_bytes()) {
                    Ok(name) => name,
                    Err(_) => panic!("a literal"),
                }
            }
        }
    };
}

phases! {
    // phase: directive, the function that is called when the handler names none
    PostReadRequest: "PythonPostReadRequestHandler", "postreadrequesthandler";
    Trans: "PythonTransHandler", "transhandler";
    Init: "PythonInitHandler", "inithandler";
    HeaderParser: "PythonHeaderParserHandler", "headerparserhandler";
    Access: "PythonAccessHandler", "accesshandler";
    Authen: "PythonAuthenHandler", "authenhandler";
    Authz: "PythonAuthzHandler", "authzhandler";
    Type: "PythonTypeHandler", "typehandler";
    Fixup: "PythonFixupHandler", "fixuphandler";
    Content: "PythonHandler", "handler";
    Log: "PythonLogHandler", "loghandler";
    Cleanup: "PythonCleanupHandler", "cleanuphandler";
}

impl Phase {
    /// The directive, which is also `req.phase`.
    pub const fn directive(self) -> &'static str {
        self.role().directive
    }

    /// A mask with the bit of this phase.
    #[inline]
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Notes that some request may have handlers for this phase.
    pub fn note_in_use(self) {
        IN_USE.fetch_or(self.bit(), Ordering::Relaxed);
    }

    /// Whether any request may have handlers for this phase: httpd calls the hooks of all phases for every request.
    #[inline]
    pub fn is_in_use(self) -> bool {
        IN_USE.load(Ordering::Relaxed) & self.bit() != 0
    }

    /// The phase of a directive's name.
    pub fn named(directive: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.directive().as_bytes() == directive)
    }

    /// Whether there is no file yet, so that an extension cannot choose the handlers.
    pub const fn is_before_file(self) -> bool {
        matches!(self, Self::PostReadRequest | Self::Trans)
    }

    /// Whether it comes after the response.
    pub fn is_after_response(self) -> bool {
        matches!(self, Self::Log | Self::Cleanup)
    }

    /// Whether the next handler of the list runs after this result. As with httpd's hooks: a phase that one handler
    /// decides goes on after `DECLINED`, a phase in which all take part after `OK` too. The content phase goes on after `OK`.
    pub fn goes_on_after(self, status: Status) -> bool {
        match self {
            Self::Trans | Self::Authen | Self::Authz | Self::Type => status == Status::DECLINED,
            Self::Content | Self::Cleanup => status == Status::OK,
            _ => [Status::OK, Status::DECLINED].contains(&status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_object_is_the_directive_without_python() {
        for phase in Phase::ALL {
            let role = phase.role();
            assert_eq!(format!("python{}", role.default_object), role.directive.to_lowercase());
            assert_eq!(Phase::named(role.directive.as_bytes()), Some(phase));
            assert_eq!(phase.directive_name().to_str(), Ok(role.directive));
        }
        assert_eq!(Phase::named(b"PythonConnectionHandler"), None);
    }

    #[test]
    fn phases_are_numbered_in_their_order() {
        for (index, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, index);
        }
    }
}
