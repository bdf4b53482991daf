//! What is written about the module is true: the manual's examples and lists, the messages, the type stubs.
//!
//! These tests read the repository, and are left out where there is only the program: `--skip documents::`.

mod coverage;
mod examples;
mod messages;
mod rooms;
mod stubs;
