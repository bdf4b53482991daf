//! The stores that this process has opened. They stay open: see `lmdb`.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use parking_lot::Mutex;

use crate::config::{StoreOptions, StoreSync};
use crate::process::fork;

use super::engine::Engine;
use super::error::StoreError;
use super::folder::{Entered, Identity, Unusable, enter};
use super::lmdb::{Code, Environment, Options};
use super::presence::Presence;
use super::wakeups::Wakeups;

/// What all stores of one folder share in this process, by whatever path they have found it. It stays when a store cannot be opened: LMDB
/// forbids a second environment, and locks on files would end with the first file that is closed.
pub struct Parts {
    pub presence: &'static Presence,
    pub wakeups: &'static Wakeups,
    /// Whether changes are made in the map.
    writes_map: bool,
    environment: OnceLock<&'static Environment>,
}

impl Parts {
    fn open(within: &Path, writes_map: bool) -> io::Result<Self> {
        // What is asked of all processes before LMDB's files are touched.
        let wakeups = Wakeups::open(&within.join("wakeups"))?;
        let presence = Presence::open(&within.join("processes"))?;
        Ok(Self {
            presence: Box::leak(Box::new(presence)),
            wakeups: Box::leak(Box::new(wakeups)),
            writes_map,
            environment: OnceLock::new(),
        })
    }

    /// The environment, opened by the first call. One thread at a time calls this.
    pub fn environment(
        &self,
        within: &Path,
        readers: u32,
        options: &StoreOptions,
    ) -> Result<&'static Environment, Code> {
        if let Some(environment) = self.environment.get() {
            return Ok(environment);
        }
        let options = Options {
            size: options.size as usize,
            readers,
            syncs: options.sync == StoreSync::Always,
            writes_map: self.writes_map,
        };
        let environment = Environment::open(within, &options)?;
        Ok(self.environment.get_or_init(|| Box::leak(Box::new(environment))))
    }
}

#[derive(Default)]
struct Known {
    engines: HashMap<PathBuf, &'static Engine>,
    parts: HashMap<Identity, Parts>,
}

struct Opened {
    /// `fork::generation()` of the process.
    generation: usize,
    known: Mutex<Known>,
}

static OPENED: AtomicPtr<Opened> = AtomicPtr::new(ptr::null_mut());

/// What this process has opened. A process that was forked begins anew: what it has inherited is its parent's.
fn opened() -> &'static Opened {
    let known = OPENED.load(Ordering::Acquire);
    let generation = fork::generation();
    // SAFETY: null, or leaked below.
    if let Some(opened) = unsafe { known.as_ref() }.filter(|opened| opened.generation == generation) {
        return opened;
    }
    let made = Box::into_raw(Box::new(Opened { generation, known: Mutex::default() }));
    match OPENED.compare_exchange(known, made, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: leaked on purpose.
        Ok(_) => unsafe { &*made },
        Err(faster) => {
            // SAFETY: made above and not published; the other one is leaked.
            unsafe {
                drop(Box::from_raw(made));
                &*faster
            }
        }
    }
}

/// The engine of a store in this process, opened by the first call. Blocks.
///
/// # Errors
/// Why it cannot be used.
pub fn engine(name: &str, folder: &Path, options: &StoreOptions, readers: u32) -> Result<&'static Engine, StoreError> {
    let mut known = opened().known.lock();
    let Known { engines, parts } = &mut *known;
    if let Some(engine) = engines.get(folder).filter(|engine| engine.is_of_this_user()) {
        return Ok(engine);
    }
    let unusable =
        |why: Unusable| StoreError::Unusable { name: name.to_owned(), folder: folder.to_owned(), why: why.to_string() };
    let Entered { path: within, identity, user, writes_map } = enter(folder, options).map_err(unusable)?;
    let parts = match parts.entry(identity) {
        std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::hash_map::Entry::Vacant(entry) => {
            entry.insert(Parts::open(&within, writes_map).map_err(|error| unusable(Unusable::Files(error)))?)
        }
    };
    let engine: &'static Engine = Box::leak(Box::new(Engine::open(name, within, user, options, readers, parts)?));
    engines.insert(folder.to_owned(), engine);
    Ok(engine)
}
