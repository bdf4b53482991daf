//! Whole applications: what calls them, and what becomes of what they return.

pub mod wsgi;
