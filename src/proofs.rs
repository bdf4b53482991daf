//! What `tests/suite/proofs` shows to hold at compile time: the types that prove something, seen from outside. In debug builds only.

pub use crate::cpython::{AttachGuard, Attached, Detached, Kept, Object, Raised, attach};
pub use crate::ffi::python::PyInterpreterState;
pub use crate::httpd::{Brigade, Connection, Filter, LogScope, Pool, Request, Server, Table};
pub use crate::interpreter::{ExitWork, Interpreter, Runtime};
pub use crate::objects::handle::{Handle, InUse};
pub use crate::objects::request::RequestRecord;
pub use crate::phases::request_callback;
pub use crate::process::turn::{GivenUp, Taken, TakenAttached, Turn};
