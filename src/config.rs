//! Directives, records and their merging, the handler syntax, the choice of the interpreter.

mod directives;
mod generation;
mod handlers;
mod naming;
mod records;
mod section;

pub use directives::COMMANDS;
pub use generation::Generation;
pub use handlers::{HandlerEntry, Phase, Selected};
pub use naming::interpreter_name;
pub use records::{
    DirectoryConfig, Import, PathExpression, Settings, create_directory, create_server, merge_directory, merge_server,
    server_config,
};
pub use section::Section;
