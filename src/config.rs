//! Directives, records and their merging, the handler syntax, the choice of the interpreter.

mod directives;
mod generation;
mod handlers;
mod naming;
mod phase;
mod records;
mod section;

pub use directives::{COMMANDS, parse_require};
pub use generation::Generation;
pub use handlers::{HandlerEntry, HandlerList, Name, Origin, Selected};
pub use naming::{connection_interpreter_name, interpreter_name};
pub use phase::{Phase, Role};
pub use records::{
    DirectoryConfig, FilterEntry, Import, PathExpression, Requirement, Settings, create_directory, create_server,
    merge_directory, merge_server, server_config,
};
pub use section::Section;
