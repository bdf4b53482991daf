//! Interpreters: how they are named, who shares one, what is theirs alone, threads in them.

mod extensions;
mod looking;
mod naming;
mod nesting;
mod processes;
mod separation;
mod sharing;
mod threads;
