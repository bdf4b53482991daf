//! What another user may read, asked of the system: it knows of all the ways in which it decides that.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;

/// A user of the system, with all groups.
#[derive(Debug)]
pub struct User {
    id: libc::uid_t,
    group: libc::gid_t,
    groups: Vec<libc::gid_t>,
}

impl User {
    /// A user by name, id and first group. One without a name is in no other groups.
    pub fn new(name: Option<&CStr>, id: libc::uid_t, group: libc::gid_t) -> Self {
        let mut groups = vec![group];
        if let Some(name) = name {
            let mut count: libc::c_int = 256;
            groups.resize(count as usize, group);
            // SAFETY: there is room for as many as are said.
            let known =
                unsafe { libc::getgrouplist(name.as_ptr(), group as _, groups.as_mut_ptr().cast(), &mut count) };
            groups.truncate(if known < 0 { 1 } else { count.max(1) as usize });
        }
        Self { id, group, groups }
    }

    /// The user's id and that of its first group.
    pub fn ids(&self) -> (libc::uid_t, libc::gid_t) {
        (self.id, self.group)
    }

    /// The first of these paths that the user cannot read (files) or enter (folders, those on the way too). None also where that cannot be
    /// found out. For a process with one thread that is root.
    pub fn first_denied<'p>(&self, paths: &'p [PathBuf]) -> Option<&'p Path> {
        let mut asked: Vec<(&Path, CString, libc::c_int)> = Vec::new();
        for path in paths {
            let above: Vec<_> = path.ancestors().skip(1).collect();
            let above = above.into_iter().rev().map(|folder| (folder, libc::X_OK));
            let mode = if path.is_dir() { libc::R_OK | libc::X_OK } else { libc::R_OK };
            for (path, mode) in above.chain([(path.as_path(), mode)]) {
                asked.push((path, CString::new(path.as_os_str().as_bytes()).ok()?, mode));
            }
        }
        let index = self.ask(&asked)?;
        asked.get(index).map(|(path, ..)| *path)
    }

    /// Asks in a process of its own, which becomes the user: its status is the answer.
    fn ask(&self, asked: &[(&Path, CString, libc::c_int)]) -> Option<usize> {
        const ALL_GRANTED: libc::c_int = 254;
        const UNKNOWN: libc::c_int = 255;
        // SAFETY: the new process calls what may be called there, and ends.
        unsafe {
            let process = libc::fork();
            if process == 0 {
                let is_user = libc::setgroups(self.groups.len() as _, self.groups.as_ptr()) == 0
                    && libc::setgid(self.group) == 0
                    && libc::setuid(self.id) == 0;
                if !is_user {
                    libc::_exit(UNKNOWN);
                }
                let denied = asked.iter().position(|(_, path, mode)| libc::access(path.as_ptr(), *mode) != 0);
                libc::_exit(denied.map_or(ALL_GRANTED, |index| index.min(UNKNOWN as usize) as libc::c_int));
            }
            if process < 0 {
                return None;
            }
            let mut status = 0;
            while libc::waitpid(process, ptr::addr_of_mut!(status), 0) < 0 {
                if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
                    return None;
                }
            }
            let code = libc::WEXITSTATUS(status);
            (libc::WIFEXITED(status) && code < ALL_GRANTED).then_some(code as usize)
        }
    }
}
