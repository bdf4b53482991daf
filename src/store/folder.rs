//! The folder of an embedded store: the children's user's own, on a file system of this machine.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::config::StoreOptions;

/// Why a folder cannot be that of a store. Each is the end of a sentence about it.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("it cannot be made: {0}")]
    NotMade(io::Error),
    #[error("it cannot be entered: {0}")]
    NotEntered(io::Error),
    #[error("it is no folder")]
    NoFolder,
    #[error("it belongs to user {owner}, and httpd's children run as user {wanted}: give it to them (chown {wanted})")]
    NotOwn { owner: u32, wanted: u32 },
    #[error("others can write there: take that from them (chmod go-w)")]
    WritableByOthers,
    #[error(
        "each user of mpm_itk makes a folder of its own there, and its mode does not let them: if nothing else is in it, give it that mode (chmod 1733)"
    )]
    NotForAll,
    #[error(
        "it is on a file system of the network, on which processes cannot lock what they share: choose a folder on a disk of this machine"
    )]
    OnNetwork,
    #[error(
        "writemap=on is given, and it is on no tmpfs: choose a folder in memory, such as one in /dev/shm, or leave writemap=on out"
    )]
    NotInMemory,
    #[error("its files cannot be used: {0}")]
    Files(io::Error),
}

/// Whose the folders are.
#[derive(Clone, Copy, Debug)]
pub enum Base {
    /// Of this process's user, or of another one that root gives them to.
    Of(Option<(u32, u32)>),
    /// Of whoever serves a request: each user has a folder of its own within.
    OfEachUser,
}

/// Makes the folder of a store, if it is not there. For httpd's parent, before it starts children.
///
/// # Errors
/// Why it cannot be used.
pub fn prepare(folder: &Path, base: Base, options: &StoreOptions) -> Result<(), Unusable> {
    let mode = match base {
        Base::Of(_) => 0o700,
        // Who makes a folder there cannot touch those of others, nor see their names.
        Base::OfEachUser => 0o1733,
    };
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => give(folder, mode, base).map_err(Unusable::NotMade)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Unusable::NotMade(error)),
    }
    let found = fs::metadata(folder).map_err(Unusable::NotEntered)?;
    if !found.is_dir() {
        return Err(Unusable::NoFolder);
    }
    on_right_system(folder, options)?;
    match base {
        Base::Of(Some((user, _))) => own(&found, user),
        // SAFETY: takes no pointers.
        Base::Of(None) => own(&found, unsafe { libc::geteuid() }),
        Base::OfEachUser if found.uid() == 0 && found.mode() & 0o7777 == mode => Ok(()),
        // It may be any folder of root's.
        Base::OfEachUser if found.uid() == 0 => Err(Unusable::NotForAll),
        Base::OfEachUser => Err(Unusable::NotOwn { owner: found.uid(), wanted: 0 }),
    }
}

/// Gives a folder that this process has just made its mode and its owner.
///
/// Not by its path: whoever can write to the folder around it could have put a link in its place by now.
fn give(folder: &Path, mode: u32, base: Base) -> io::Result<()> {
    let made = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(folder)?;
    let found = made.metadata()?;
    // SAFETY: takes no pointers.
    if found.uid() != unsafe { libc::geteuid() } || found.mode() & 0o7077 != 0 {
        return Err(io::Error::other("another folder was put in its place"));
    }
    made.set_permissions(fs::Permissions::from_mode(mode))?;
    match base {
        Base::Of(Some((user, group))) => fchown(&made, Some(user), Some(group)),
        Base::Of(None) | Base::OfEachUser => Ok(()),
    }
}

/// What a folder is, by whatever path it is found: its device and its number there.
pub type Identity = (u64, u64);

/// The folder of a store's files, as a process has found it.
pub struct Entered {
    pub path: PathBuf,
    pub identity: Identity,
    /// Whose it is, where each user has one.
    pub user: Option<u32>,
    /// Whether changes are made in the map.
    pub writes_map: bool,
}

/// The folder of a store's files for this process's user: the store's, or one within.
///
/// # Errors
/// Why it cannot be used.
pub fn enter(folder: &Path, options: &StoreOptions) -> Result<Entered, Unusable> {
    let (path, found) = enter_own(folder)?;
    let user = (path != folder).then(|| found.uid());
    let writes_map = on_right_system(&path, options)?;
    let (path, found) = match writes_map {
        // Files of its own: processes that write in the map and others must not share them, since LMDB cuts them to the size of its map.
        true => within(&path, "writemap", found.uid())?,
        false => (path, found),
    };
    Ok(Entered { path, identity: (found.dev(), found.ino()), user, writes_map })
}

fn enter_own(folder: &Path) -> Result<(PathBuf, Metadata), Unusable> {
    // SAFETY: takes no pointers.
    let user = unsafe { libc::geteuid() };
    let found = fs::metadata(folder).map_err(Unusable::NotEntered)?;
    if !found.is_dir() {
        return Err(Unusable::NoFolder);
    }
    if found.uid() != 0 || found.mode() & 0o1000 == 0 {
        own(&found, user)?;
        return Ok((folder.to_owned(), found));
    }
    within(folder, &user.to_string(), user)
}

/// A user's own folder within another one, made if it is not there.
fn within(folder: &Path, name: &str, user: u32) -> Result<(PathBuf, Metadata), Unusable> {
    let within = folder.join(name);
    match DirBuilder::new().mode(0o700).create(&within) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Unusable::NotMade(error)),
        _ => {}
    }
    // Not through a link: anybody could have made it.
    let found = fs::symlink_metadata(&within).map_err(Unusable::NotEntered)?;
    if !found.is_dir() {
        return Err(Unusable::NoFolder);
    }
    own(&found, user)?;
    Ok((within, found))
}

/// Opens a file in the folder of a store, and makes it if it is not there: this user's alone, and not through a link.
pub fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Whether changes are made in the map of a store in a folder, if the file system is one on which a store can be.
fn on_right_system(folder: &Path, options: &StoreOptions) -> Result<bool, Unusable> {
    // From linux/magic.h and the kernel's own sources: NFS, SMB, CIFS, SMB2, Coda, AFS, 9P, Ceph.
    const OF_NETWORK: [u32; 8] =
        [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x7375_7245, 0x5346_414f, 0x0102_1997, 0x00c3_6400];
    const TMPFS: u32 = 0x0102_1994;
    let system = file_system(folder);
    if system.is_some_and(|system| OF_NETWORK.contains(&system)) {
        return Err(Unusable::OnNetwork);
    }
    match (options.writemap, system == Some(TMPFS)) {
        (Some(true), false) => Err(Unusable::NotInMemory),
        (wanted, is_in_memory) => Ok(wanted.unwrap_or(is_in_memory)),
    }
}

/// Whether a folder is a user's own, and nobody else's to write.
fn own(found: &Metadata, wanted: u32) -> Result<(), Unusable> {
    if found.uid() != wanted {
        return Err(Unusable::NotOwn { owner: found.uid(), wanted });
    }
    if found.mode() & 0o022 != 0 {
        return Err(Unusable::WritableByOthers);
    }
    Ok(())
}

/// The number of a folder's file system, if that can be found out.
#[cfg(target_os = "linux")]
fn file_system(folder: &Path) -> Option<u32> {
    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut found = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the structure is filled in on success.
    unsafe { (libc::statfs(path.as_ptr(), found.as_mut_ptr()) == 0).then(|| found.assume_init().f_type as u32) }
}

#[cfg(not(target_os = "linux"))]
fn file_system(_: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StoreLocation;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("it is there").mode() & 0o7777
    }

    fn made(path: &Path, mode: u32) {
        fs::create_dir(path).expect("we may");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("we may");
    }

    #[test]
    fn what_was_put_in_the_place_of_a_new_folder_is_left_alone() {
        let scratch = std::env::temp_dir().join(format!("mod_python-folder-{}", std::process::id()));
        made(&scratch, 0o755);
        let (mine, others, link) = (scratch.join("mine"), scratch.join("others"), scratch.join("link"));
        made(&mine, 0o700);
        made(&others, 0o755);
        symlink(&mine, &link).expect("we may");
        for path in [&others, &link] {
            assert!(give(path, 0o1733, Base::Of(None)).is_err(), "{}", path.display());
        }
        assert_eq!((mode(&mine), mode(&others)), (0o700, 0o755));
        give(&mine, 0o1733, Base::Of(None)).expect("it is the new one");
        assert_eq!(mode(&mine), 0o1733);
        // A folder that was there before is not opened to all users.
        let options = StoreOptions::of(StoreLocation::Runtime);
        assert!(prepare(&others, Base::OfEachUser, &options).is_err());
        assert_eq!(mode(&others), 0o755);
        fs::remove_dir_all(&scratch).expect("we may");
    }
}
