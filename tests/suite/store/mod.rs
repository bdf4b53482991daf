//! Stores: what all threads, interpreters and children share.

mod redis;
mod redis_server;
mod sessions;
