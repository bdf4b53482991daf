//! The integration tests: each area of the module, driven over real sockets in a real httpd.
//!
//! A test is named after its area, itself and, where it is about one, its process model: `table::it_is_made_of_nothing_mappings_or_pairs`,
//! `smoke::it_stops_soon::worker`. `cargo test --test suite AREA` runs those of an area.

mod common;
mod fixture;

mod advice;
mod apache_module;
mod applications;
mod bad_handlers;
mod coldstart;
mod comparison;
mod connections;
mod directives;
mod documents;
mod exports;
mod filters;
mod finfo;
mod frameworks;
mod framing;
mod gilstate;
mod handlers;
mod hlist;
mod includes;
mod interpreters;
#[cfg(feature = "itk-tests")]
mod itk;
mod library;
mod lifecycle;
mod logging;
mod module_names;
mod mutexes;
mod phases;
mod proofs;
mod reload;
mod request_body;
mod request_members;
mod request_methods;
mod request_tables;
mod response;
mod server_connection;
mod sharing;
mod smoke;
mod store;
mod table;
mod venv;
mod wsgi_directives;
