//! The directives: where they may stand, how they merge, what is said about wrong ones, what each does.

mod contexts;
mod errors;
mod handlers;
mod imports;
mod merging;
mod options;
mod path;
