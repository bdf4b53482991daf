//! Handlers that several areas serve.

pub mod checks;
pub mod probe;
pub mod who;
