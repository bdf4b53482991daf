//! What can go wrong with an embedded store.

use std::path::PathBuf;

use super::lmdb::Code;

/// Why an operation on a store has failed. Each message is for whoever reads the program's traceback.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "there is no room in the store {name}, which has a size of {megabytes} MB ({folder}): delete entries, give them a ttl, or write a larger size= in PythonStore"
    )]
    Full { name: String, folder: PathBuf, megabytes: u64 },
    #[error("the disk or the file system of the store {name} is full ({folder}): nothing of the change was made")]
    DiskFull { name: String, folder: PathBuf },
    #[error(
        "too many threads read the store {name} at once ({readers}): write a larger readers= in PythonStore, and restart httpd"
    )]
    TooManyReaders { name: String, readers: u32 },
    #[error(
        "the store {name} was written by another version of this module, or by another program ({folder}): stop httpd and move the folder away"
    )]
    OtherVersion { name: String, folder: PathBuf },
    #[error(
        "the files of the store {name} are damaged ({folder}): stop httpd and move the folder away, or put a copy in its place"
    )]
    Damaged { name: String, folder: PathBuf },
    #[error("the store {name} cannot be used ({folder}): {why}")]
    Unusable { name: String, folder: PathBuf, why: String },
    /// See `Waiting::Refused`. No program sees it.
    #[error("the change would have to wait")]
    WouldWait,
    /// Told apart by its class in Python.
    #[error("{0}")]
    NotANumber(String),
    #[error("{0}")]
    Overflow(String),
}

/// What an operation inside a transaction gives: the name of the store is added outside.
#[derive(Debug)]
pub enum Failure {
    Lmdb(Code),
    /// The data has its size.
    Full,
    NotANumber,
    Overflow,
    /// An entry that this module has not written.
    Damaged,
}

impl Failure {
    /// Whether there was no room for the change: in the store, its map or the file system.
    pub fn is_for_want_of_room(&self) -> bool {
        matches!(self, Self::Full | Self::Lmdb(Code::MAP_FULL | Code::NO_SPACE | Code::QUOTA))
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::Lmdb(code)
    }
}
