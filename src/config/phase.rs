//! The phases of a request that Python handlers can be given for.

use crate::ffi::httpd as raw;
use crate::httpd::Direction;

/// What a handler is for: what its directive is called, and the function that is called when the handler names none.
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

/// A phase of the request that Python handlers can be given for, in the order in which httpd runs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    PostReadRequest,
    Trans,
    Init,
    HeaderParser,
    Access,
    Authen,
    Authz,
    Type,
    Fixup,
    Content,
    Log,
    Cleanup,
}

impl Phase {
    pub const COUNT: usize = Self::ALL.len();

    pub const ALL: [Self; 12] = [
        Self::PostReadRequest,
        Self::Trans,
        Self::Init,
        Self::HeaderParser,
        Self::Access,
        Self::Authen,
        Self::Authz,
        Self::Type,
        Self::Fixup,
        Self::Content,
        Self::Log,
        Self::Cleanup,
    ];

    /// The directive, and the directive without `Python` in lower case.
    pub const fn role(self) -> Role {
        match self {
            Self::PostReadRequest => Role::new("PythonPostReadRequestHandler", "postreadrequesthandler"),
            Self::Trans => Role::new("PythonTransHandler", "transhandler"),
            Self::Init => Role::new("PythonInitHandler", "inithandler"),
            Self::HeaderParser => Role::new("PythonHeaderParserHandler", "headerparserhandler"),
            Self::Access => Role::new("PythonAccessHandler", "accesshandler"),
            Self::Authen => Role::new("PythonAuthenHandler", "authenhandler"),
            Self::Authz => Role::new("PythonAuthzHandler", "authzhandler"),
            Self::Type => Role::new("PythonTypeHandler", "typehandler"),
            Self::Fixup => Role::new("PythonFixupHandler", "fixuphandler"),
            Self::Content => Role::new("PythonHandler", "handler"),
            Self::Log => Role::new("PythonLogHandler", "loghandler"),
            Self::Cleanup => Role::new("PythonCleanupHandler", "cleanuphandler"),
        }
    }

    /// The directive, which is also what `req.phase` says.
    pub const fn directive(self) -> &'static str {
        self.role().directive
    }

    /// The phase of a directive's name.
    pub fn named(directive: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.directive().as_bytes() == directive)
    }

    /// Whether it comes before httpd knows the file, so that no extension can choose the handlers.
    pub fn is_before_file(self) -> bool {
        matches!(self, Self::PostReadRequest | Self::Trans)
    }

    /// Whether it comes when the client has its response.
    pub fn is_after_response(self) -> bool {
        matches!(self, Self::Log | Self::Cleanup)
    }

    /// Whether the next handler of the list runs after this result: as httpd's own hooks have it, those that one handler
    /// decides go on after `DECLINED`, those that all take part in after `OK` too. The content phase goes on after `OK`.
    pub fn goes_on_after(self, status: i32) -> bool {
        const OK: i32 = raw::OK as i32;
        match self {
            Self::Trans | Self::Authen | Self::Authz | Self::Type => status == raw::DECLINED,
            Self::Content | Self::Cleanup => status == OK,
            _ => matches!(status, OK | raw::DECLINED),
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
