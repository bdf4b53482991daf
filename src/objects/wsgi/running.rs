//! How a handler has an application called: what calls applications stands below this room, and says here what it is.

use std::sync::OnceLock;

use crate::cpython::{Instance, Object, Raised};
use crate::objects::request::RequestObject;

/// Calls an application for a request, whose URL's path is split as said, and writes its response.
pub type Run =
    for<'i> fn(request: &Instance<'i, RequestObject>, application: &Object<'i>, split: Split) -> Result<(), Raised>;

/// The URL's path as SCRIPT_NAME and PATH_INFO.
pub struct Split {
    pub script_name: Vec<u8>,
    pub path_info: Vec<u8>,
}

static RUN: OnceLock<Run> = OnceLock::new();

/// Says what calls applications. Once is enough.
pub fn set_run(run: Run) {
    let _ = RUN.set(run);
}

/// What calls applications.
pub fn run() -> Option<Run> {
    RUN.get().copied()
}
