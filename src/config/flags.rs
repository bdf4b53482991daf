//! Directives that are On or Off for a section: one row each. A new one needs a row, and the code that asks for it.

use std::ffi::{CStr, c_int};

use super::directives::ANYWHERE;

/// One such directive.
pub struct FlagRow {
    pub name: &'static CStr,
    pub contexts: c_int,
    /// Whether a server's record has it too, outside of sections.
    pub is_for_server: bool,
    /// Its value if it is not set.
    pub default: bool,
    pub help: &'static CStr,
}

macro_rules! flags {
    ($($(#[$doc:meta])* $flag:ident: $name:literal, $contexts:expr, $is_for_server:literal, $default:literal, $help:literal;)+) => {
        /// A directive that is On or Off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Flag {
            $($(#[$doc])* $flag,)+
        }

        impl Flag {
            pub const ROWS: &'static [(Self, FlagRow)] = &[$((
                Self::$flag,
                FlagRow {
                    name: $name,
                    contexts: $contexts,
                    is_for_server: $is_for_server,
                    default: $default,
                    help: $help,
                },
            ),)+];
            pub const COUNT: usize = Self::ROWS.len();
        }
    };
}

flags! {
    // flag: name, contexts, whether a server has it too, default, help
    PerDirectory: c"PythonInterpPerDirectory", ANYWHERE, false, false, c"On: an interpreter for each directory of a file";
    PerDirective: c"PythonInterpPerDirective", ANYWHERE, true, false,
        c"On: an interpreter for each section that holds a handler directive";
    AutoReload: c"PythonAutoReload", ANYWHERE, true, true, c"Off: changed modules are not imported again";
    Debug: c"PythonDebug", ANYWHERE, true, false, c"On: the client is shown the traceback of an error";
    Pdb: c"PythonEnablePdb", ANYWHERE, true, false,
        c"On: handlers run under Python's debugger when httpd is started with -DONE_PROCESS";
    PassAuthorization: c"PythonPassAuthorization", ANYWHERE, false, false, c"On: applications get the Authorization header";
}

impl Flag {
    pub fn row(self) -> &'static FlagRow {
        &Self::ROWS[self as usize].1
    }
}

/// The flags of a section or server; unset stays unset.
#[derive(Clone, Copy, Default)]
pub struct Flags([Option<bool>; Flag::COUNT]);

impl Flags {
    pub fn set(&mut self, flag: Flag, is_on: bool) {
        self.0[flag as usize] = Some(is_on);
    }

    /// Whether it is on, by its default if it is not set.
    #[inline]
    pub fn is_on(&self, flag: Flag) -> bool {
        self.0[flag as usize].unwrap_or(flag.row().default)
    }

    /// The value that was set.
    pub fn given(&self, flag: Flag) -> Option<bool> {
        self.0[flag as usize]
    }

    /// The flags of the inner section, and of the outer one where they are unset.
    pub fn merge(outer: &Self, inner: &Self) -> Self {
        let mut merged = *inner;
        for (place, outer) in merged.0.iter_mut().zip(outer.0) {
            *place = place.or(outer);
        }
        merged
    }
}
