//! A cache of the handlers that were found in their modules, until the modules change. One for each interpreter.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::config::{Handler, Settings, fingerprint};
use crate::cpython::{Attached, Kept, Object};
use crate::interpreter::{DataSlot, Interpreter, InterpreterData};
use crate::objects::module_state::Locked;

/// How often a module's file is checked, in microseconds (as httpd's times).
const CHECK_INTERVAL: i64 = 1_000_000;

/// In the place of the time of the last check: it has failed.
const DOUBTED: i64 = i64::MIN;

/// The target of a handler.
pub enum Target<'i> {
    Callable(Object<'i>),
    /// The module: the path contains a class, which is instantiated for each request.
    PerRequest(Object<'i>),
    /// The module has no such function, which is allowed.
    Missing,
}

/// The same with kept references.
enum KeptTarget {
    Callable(Kept),
    PerRequest(Kept),
    Missing,
}

/// A handler as it was found.
struct Found {
    target: KeptTarget,
    /// When its module was last checked, in microseconds.
    checked: i64,
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
struct IsHash(u64);

impl Hasher for IsHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u64");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// The cache of one interpreter. Its key combines the fingerprints of a handler and its settings.
pub struct HandlerCache(Locked<HashMap<u64, Found, BuildHasherDefault<IsHash>>>);

impl InterpreterData for HandlerCache {
    const SLOT: DataSlot = DataSlot::Handlers;
}

/// What a handler is found by. A section that is a pattern has another directory, and so another module, for each file that it matches.
pub fn key(handler: &Handler<'_>, settings: &Settings<'_>, filename: Option<&[u8]>) -> u64 {
    let directory = match handler.section.is_pattern() {
        true => fingerprint(handler.section.directory_for(filename)),
        false => 0,
    };
    handler.fingerprint ^ settings.path.map_or(0, |path| path.fingerprint) ^ u64::from(handler.silent) ^ directory
}

impl HandlerCache {
    pub fn of(interpreter: &'static Interpreter) -> &'static Self {
        interpreter.data_or_insert(|| Self(Locked::new(HashMap::default())))
    }

    /// What is called for a handler, if that is known. With `is_reloading`, one whose module was not looked at for some time is not: this
    /// thread is to look, while others go on with what is known.
    pub fn find<'i>(&self, attached: Attached<'i>, key: u64, is_reloading: bool, now: i64) -> Option<Target<'i>> {
        self.0.with(|found| {
            let known = found.get_mut(&key)?;
            if known.checked == DOUBTED {
                return None;
            }
            if is_reloading && now - known.checked >= CHECK_INTERVAL {
                known.checked = now;
                return None;
            }
            // SAFETY: kept by this interpreter's cache.
            Some(unsafe {
                match &known.target {
                    KeptTarget::Callable(kept) => Target::Callable(kept.get(attached)),
                    KeptTarget::PerRequest(kept) => Target::PerRequest(kept.get(attached)),
                    KeptTarget::Missing => Target::Missing,
                }
            })
        })
    }

    /// Notes that looking at a handler's module has failed: until that succeeds, every request looks.
    pub fn doubt(&self, key: u64) {
        self.0.with(|found| {
            if let Some(known) = found.get_mut(&key) {
                known.checked = DOUBTED;
            }
        });
    }

    /// Keeps what was found for a handler at that time.
    pub fn keep(&self, attached: Attached<'_>, key: u64, target: &Target<'_>, now: i64) {
        let target = match target {
            Target::Callable(object) => KeptTarget::Callable(object.clone().keep()),
            Target::PerRequest(module) => KeptTarget::PerRequest(module.clone().keep()),
            Target::Missing => KeptTarget::Missing,
        };
        let fresh = Found { target, checked: now };
        let old = self.0.with(|found| found.insert(key, fresh));
        if let Some(Found { target: KeptTarget::Callable(kept) | KeptTarget::PerRequest(kept), .. }) = old {
            // SAFETY: made in this interpreter; released outside of the lock, since it may run Python code.
            unsafe { kept.release(attached) };
        }
    }
}
