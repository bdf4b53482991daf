//! The user that httpd's children run as.

use std::ffi::CStr;

use crate::ffi::httpd as raw;
use crate::process::access;

/// A user as the configuration names it.
#[derive(Debug)]
pub struct User {
    /// As `User` says it.
    pub name: String,
    pub rights: access::User,
}

impl User {
    /// The user that this process's children become; none where they stay what it is. After the configuration has been read.
    pub fn of_children() -> Option<Self> {
        // SAFETY: takes no pointers.
        let is_root = unsafe { libc::geteuid() } == 0;
        // SAFETY: a global of httpd's, which it writes to while it reads its configuration in this thread; the strings are in it.
        let (id, group, name, chroot) = unsafe {
            let config = &raw const raw::ap_unixd_config;
            ((*config).user_id, (*config).group_id, (*config).user_name, (*config).chroot_dir)
        };
        // mpm_itk chooses a user for each request. And paths mean something else within a ChrootDir.
        if !is_root || id == 0 || name.is_null() || !chroot.is_null() || super::is_loaded(c"mpm_itk.c") {
            return None;
        }
        // SAFETY: see above.
        let given = unsafe { CStr::from_ptr(name) };
        let rights = match given.to_bytes().first() {
            Some(b'#') => access::User::new(Self::name_of(id), id, group),
            _ => access::User::new(Some(given), id, group),
        };
        Some(Self { name: given.to_string_lossy().into_owned(), rights })
    }

    /// The name of an id, until the next question of this kind.
    fn name_of<'a>(id: libc::uid_t) -> Option<&'a CStr> {
        // SAFETY: in the parent's one thread; the entry is used before the next question.
        unsafe {
            let entry = libc::getpwuid(id);
            (!entry.is_null()).then(|| CStr::from_ptr((*entry).pw_name))
        }
    }
}
