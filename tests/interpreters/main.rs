//! Interpreters: how they are named, who shares one, what is theirs alone, threads in them.

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../who/mod.rs"]
mod who;

mod extensions;
mod naming;
mod nesting;
mod processes;
mod separation;
mod sharing;
mod threads;
