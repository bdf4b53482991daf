//! The examples of docs/filters.md, as they stand there.
