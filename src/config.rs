//! Directives, configuration records and their merging, the handler syntax, the choice of the interpreter.

pub mod application;
mod directives;
mod error;
mod flags;
mod generation;
mod handler;
mod misspelled;
mod naming;
mod phase;
mod records;
mod section;
mod store;
pub mod wsgi;

pub use application::{Application, Choice, Source};
pub use directives::{COMMANDS, other_user, parse_require};
pub use flags::Flag;
pub use generation::{Folder, Generation};
pub use handler::{Handler, HandlerList, Name, Origin, Selected};
pub use misspelled::misspelled;
pub use naming::{connection_interpreter_name, interpreter_name};
pub use phase::{Phase, Role};
pub use records::{
    DirectoryConfig, FilterHandler, Import, Requirement, Settings, create_directory, create_server, fingerprint,
    merge_directory, merge_server, server_config,
};
pub use section::Section;
pub use store::{DEFAULT_STORE, Store, StoreLocation, StoreOptions, StoreSync};
