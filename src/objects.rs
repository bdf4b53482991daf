//! The Python types: what handlers hold of a request, its server, its connection.

pub mod cleanup;
pub mod connection;
pub mod equipment;
pub mod filter;
pub mod finfo;
pub mod hlist;
pub mod lease;
pub mod logging;
pub mod record;
pub mod request;
pub mod server;
pub mod serving;
pub mod settings;
pub mod table;
pub mod text;

pub use equipment::{Classes, Equipment};
pub use logging::write_printed;
pub use record::{Callback, added_handlers, at_end, has_added_handlers};
pub use request::{RequestObject, RequestShared};
