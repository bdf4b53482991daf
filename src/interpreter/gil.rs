//! GIL modes: `PythonInterpreterOptions … gil=shared|own`.

use std::fmt;

/// Which GIL an interpreter uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gil {
    /// That of the main interpreter: one of the interpreters that share it runs Python at a time.
    Shared,
    /// One of its own (PEP 684, CPython 3.12): interpreters run in parallel.
    Own,
}

impl fmt::Display for Gil {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Shared => "shared",
            Self::Own => "own",
        })
    }
}

impl Gil {
    /// Whether the Python that the module was built for can give an interpreter a GIL of its own.
    pub const OWN_SUPPORTED: bool = cfg!(Py_3_12);
}
