//! The builtin modules that Python code imports, and the library that travels in this file.

pub mod apache;
pub mod library;
pub mod setup;
