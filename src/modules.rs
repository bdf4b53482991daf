//! The builtin modules, and the Python library that is part of the `.so`.

pub mod apache;
pub mod library;
pub mod psp;
pub mod store;
