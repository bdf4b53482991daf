//! The Python library, `mod_python.NAME`: one file for each of its modules.

mod apache;
mod cache;
mod cgihandler;
mod cookie;
mod httpdconf;
mod psp;
mod publisher;
mod session;
mod testhandler;
mod testing;
mod util;
