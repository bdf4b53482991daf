//! `PythonStore`: the stores that a server's programs can open by name.

use super::handler::Origin;

/// The name of the store that is there without a directive.
pub const DEFAULT_STORE: &str = "default";

/// The size of an embedded store where none is given: that of its map, of which only what is used takes memory.
const SIZE: u64 = 256 << 20;

/// Where a store is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StoreLocation<'p> {
    /// In httpd's runtime directory, under its name.
    Runtime,
    /// A folder.
    Folder(&'p str),
    /// A server of Redis's protocol.
    Server(&'p str),
    /// A cache of httpd's.
    Cache(&'p str),
}

impl<'p> StoreLocation<'p> {
    /// The beginnings of the locations of servers.
    pub const SCHEMES: [&'static str; 3] = ["redis://", "rediss://", "unix://"];

    /// The beginning of the location of a cache of httpd's.
    pub const CACHE: &'static str = "socache:";

    /// The provider of a cache of httpd's, and what it is told.
    pub fn cache(self) -> Option<(&'p str, Option<&'p str>)> {
        let Self::Cache(text) = self else { return None };
        let text = text.strip_prefix(Self::CACHE)?;
        Some(text.split_once(':').map_or((text, None), |(provider, argument)| (provider, Some(argument))))
    }

    /// As it was written; none for the runtime directory.
    pub fn text(self) -> Option<&'p str> {
        match self {
            Self::Runtime => None,
            Self::Folder(text) | Self::Server(text) | Self::Cache(text) => Some(text),
        }
    }
}

/// When an embedded store writes to the disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StoreSync {
    /// Before a change is done.
    Always,
    /// When the system does.
    Never,
    /// At a change, when the last time is so many seconds ago.
    Every(f64),
}

/// How an embedded store is opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoreOptions {
    /// In bytes.
    pub size: u64,
    pub sync: StoreSync,
    pub readers: Option<u32>,
    /// Whether changes are made in the map itself: LMDB's MDB_WRITEMAP. None: where the folder is in memory.
    pub writemap: Option<bool>,
}

impl StoreOptions {
    /// Where no option is given.
    pub fn of(location: StoreLocation<'_>) -> Self {
        let (sync, writemap) = match location {
            StoreLocation::Runtime | StoreLocation::Cache(_) => (StoreSync::Never, None),
            StoreLocation::Folder(_) | StoreLocation::Server(_) => (StoreSync::Always, Some(false)),
        };
        Self { size: SIZE, sync, readers: None, writemap }
    }
}

/// One `PythonStore`.
#[derive(Clone, Copy)]
pub struct Store<'p> {
    pub name: &'p str,
    pub location: StoreLocation<'p>,
    pub options: StoreOptions,
    /// The options as they were written, for the engine that is written in Python.
    pub pairs: &'p [(&'p str, &'p str)],
    pub origin: Origin<'p>,
}

impl<'p> Store<'p> {
    /// The store of a name among those of a server.
    pub fn find<'s>(stores: &'s [Self], name: &str) -> Option<&'s Self> {
        stores.iter().find(|store| store.name == name)
    }
}
