//! Shared data and locks, for all threads, interpreters and processes of one machine: entries with times to live, changes that are made at
//! one moment, locks that end with their process, rates. The Python half (`python/mod_python/store.py`) has what is built on these, and
//! the engine for a server on the network.

mod allocation;
mod encoding;
mod engine;
mod entries;
mod error;
mod folder;
mod lmdb;
mod locks;
mod opened;
mod presence;
mod rates;
mod shared;
mod wakeups;
mod write_lock;

pub use encoding::{Encoding, decode, encode};
pub use engine::{Check, Engine, Waiting, Write};
pub use entries::{LONGEST_NAME, Namespace};
pub use error::StoreError;
pub use folder::{Base, prepare};
pub use opened::engine;
pub use presence::token;
pub use rates::LARGEST_LIMIT;
