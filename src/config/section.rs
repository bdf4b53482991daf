//! The section that contains a directive, and its directory.

use crate::ffi::httpd as raw;
use crate::httpd::{Pool, bytes_at};

/// The section of the configuration that contains a directive; `<Files>`, `<Limit>` and `<If>` are ignored.
#[derive(Clone, Copy)]
pub enum Section<'p> {
    /// The server or a virtual host, outside of any section.
    Server,
    /// `<Directory path>` or the folder of a .htaccess file; absolute, with a slash at the end.
    Directory(&'p [u8]),
    /// `<Directory>` with wildcards, as written.
    Wildcard(&'p [u8]),
    /// `<DirectoryMatch>` or `<Directory ~ …>`: the expression and its text.
    Regex(*const raw::ap_regex_t, &'p [u8]),
    /// `<Location>` or `<LocationMatch>`: the argument as written.
    Location(&'p [u8]),
}

const KINDS: [(&str, bool); 4] =
    [("<Location", true), ("<LocationMatch", true), ("<Directory", false), ("<DirectoryMatch", false)];

impl<'p> Section<'p> {
    /// The section of the directive that httpd is reading.
    ///
    /// # Safety
    /// `command` is the record of a command function that is being called; its pool lives during `'p`.
    pub unsafe fn of(command: *const raw::cmd_parms) -> Self {
        // SAFETY: the caller's: all of the record's parts are alive during the call.
        unsafe {
            let pool = Pool::from_raw((*command).pool);
            for (name, is_location) in KINDS {
                let mut directive = (*command).directive;
                while !directive.is_null() {
                    let found = bytes_at((*directive).directive).unwrap_or_default();
                    if found.eq_ignore_ascii_case(name.as_bytes()) {
                        return Self::from_argument(name, is_location, (*directive).args, pool);
                    }
                    directive = (*directive).parent;
                }
            }
            // httpd reads .htaccess files with the request's pool for both (http_config.c, ap_parse_htaccess).
            if (*command).pool == (*command).temp_pool && !(*command).config_file.is_null() {
                let file = bytes_at((*(*command).config_file).name).unwrap_or_default();
                if let Some(slash) = file.iter().rposition(|byte| *byte == b'/') {
                    return Self::Directory(pool.slice(&file[..=slash]));
                }
            }
            Self::Server
        }
    }

    /// A directory given by its path, which is made canonical, with a slash at the end.
    pub fn of_directory(path: &[u8], pool: Pool<'p>) -> Self {
        let path = pool.c_string(path);
        let mut canonical = std::ptr::null_mut();
        let flags = raw::APR_FILEPATH_TRUENAME as i32;
        // SAFETY: a C string, and a place for the result, which is made in the pool.
        let merged = unsafe {
            let status = raw::apr_filepath_merge(&mut canonical, std::ptr::null(), path.as_ptr(), flags, pool.as_ptr());
            if status == 0 { bytes_at(canonical) } else { None }
        };
        Self::Directory(with_slash(merged.unwrap_or(path.to_bytes()), pool))
    }

    unsafe fn from_argument(name: &str, is_location: bool, argument: *const std::ffi::c_char, pool: Pool<'p>) -> Self {
        // SAFETY: the argument is the rest of the section's line.
        unsafe {
            let line = bytes_at(argument).unwrap_or_default();
            let end = line.iter().rposition(|byte| *byte == b'>').unwrap_or(line.len());
            let mut rest = pool.c_string(&line[..end]).as_ptr();
            let mut word = raw::ap_getword_conf(pool.as_ptr(), &mut rest);
            let is_regex = name.ends_with("Match") || bytes_at(word) == Some(b"~");
            if bytes_at(word) == Some(b"~") {
                word = raw::ap_getword_conf(pool.as_ptr(), &mut rest);
            }
            let text = bytes_at::<'p>(word).unwrap_or_default();
            if is_location {
                return Self::Location(text);
            }
            if is_regex {
                return Self::Regex(raw::ap_pregcomp(pool.as_ptr(), word, 0), text);
            }
            if raw::apr_fnmatch_test(word) != 0 {
                return Self::Wildcard(text);
            }
            Self::of_directory(text, pool)
        }
    }

    /// The directory as in the configuration, or the text of a pattern; `None` outside of sections.
    pub fn directory(&self) -> Option<&'p [u8]> {
        match *self {
            Self::Server => None,
            Self::Directory(path) | Self::Wildcard(path) | Self::Regex(_, path) | Self::Location(path) => Some(path),
        }
    }

    /// Whether the directory follows from the request's file.
    pub fn is_pattern(&self) -> bool {
        matches!(self, Self::Wildcard(_) | Self::Regex(..))
    }

    pub fn is_location(&self) -> bool {
        matches!(self, Self::Location(_))
    }

    /// The directory for a request: for a pattern, the shortest part of the file's path that matches.
    pub fn directory_for(&self, filename: Option<&[u8]>) -> Option<Vec<u8>> {
        let matches = |prefix: &[u8]| self.matches(prefix);
        match (self, filename) {
            (Self::Wildcard(text) | Self::Regex(_, text), Some(path)) => {
                let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
                let found = slashes.map(|end| &path[..end]).find(|prefix| matches(prefix));
                Some(found.unwrap_or(text).to_vec())
            }
            _ => self.directory().map(<[u8]>::to_vec),
        }
    }

    /// Whether a pattern matches a path that ends with a slash.
    fn matches(&self, prefix: &[u8]) -> bool {
        let c_string = |bytes: &[u8]| std::ffi::CString::new(bytes).unwrap_or_default();
        let with = c_string(prefix);
        let without = c_string(&prefix[..prefix.len() - 1]);
        match self {
            Self::Wildcard(text) => {
                let text = c_string(text.strip_suffix(b"/").unwrap_or(text));
                // SAFETY: both are C strings.
                unsafe { raw::apr_fnmatch(text.as_ptr(), without.as_ptr(), raw::APR_FNM_PATHNAME as i32) == 0 }
            }
            Self::Regex(regex, _) if !regex.is_null() => [&with, &without].iter().any(|path| {
                // SAFETY: the expression lives with the configuration; no positions are returned.
                unsafe { raw::ap_regexec(*regex, path.as_ptr(), 0, std::ptr::null_mut(), 0) == 0 }
            }),
            _ => false,
        }
    }
}

fn with_slash<'p>(path: &'p [u8], pool: Pool<'p>) -> &'p [u8] {
    match path.ends_with(b"/") {
        true => path,
        false => pool.slice(&[path, b"/"].concat()),
    }
}
