//! The Python types: the objects of requests, servers, connections, filters, tables and files.

pub mod child_exit;
pub mod connection;
pub mod filter;
pub mod finfo;
pub mod handle;
pub mod hlist;
pub mod logging;
pub mod module_state;
pub mod request;
pub mod server;
pub mod settings;
pub mod table;
pub mod text;
pub mod wsgi;
