//! The configuration as httpd has read it, and the definitions of its command line.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::ffi::httpd as raw;

use super::{Pool, bytes_at, field};

/// One line of the configuration, or a section with its content.
#[derive(Clone, Copy)]
pub struct Directive<'c>(NonNull<raw::ap_directive_t>, PhantomData<&'c ()>);

impl<'c> Directive<'c> {
    /// The configuration's first line; `None` before it has been read.
    ///
    /// # Safety
    /// The configuration stays as it is during `'c`: true in a child, and in the parent until the next restart.
    pub unsafe fn first() -> Option<Self> {
        // SAFETY: a plain global of httpd's, written only while the configuration is read.
        NonNull::new(unsafe { raw::ap_conftree }).map(|node| Self(node, PhantomData))
    }

    fn as_ptr(self) -> *mut raw::ap_directive_t {
        self.0.as_ptr()
    }

    /// The directive's name; a section's has its bracket (`<Directory`).
    pub fn name(self) -> Option<&'c [u8]> {
        // SAFETY: a string of the configuration.
        unsafe { bytes_at(field!(self, directive)) }
    }

    /// The rest of the line.
    pub fn arguments(self) -> Option<&'c [u8]> {
        // SAFETY: a string of the configuration.
        unsafe { bytes_at(field!(self, args)) }
    }

    /// The words of the rest of the line, with httpd's quoting; without a section's closing bracket.
    pub fn words<'p>(self, pool: Pool<'p>) -> impl Iterator<Item = &'p [u8]> {
        let line = self.arguments().unwrap_or_default();
        let is_section = self.name().is_some_and(|name| name.starts_with(b"<"));
        let line = line.strip_suffix(b">").filter(|_| is_section).unwrap_or(line);
        let mut rest = pool.c_string(line).as_ptr();
        std::iter::from_fn(move || {
            // SAFETY: `rest` stays within its NUL-terminated copy; the words are made in the pool.
            unsafe {
                let word = (*rest != 0).then(|| raw::ap_getword_conf(pool.as_ptr(), &mut rest))?;
                bytes_at(word)
            }
        })
    }

    /// Whether a module that is loaded has a directive of that name.
    ///
    /// In the parent, while the configuration is read: httpd's list of modules does not change then.
    pub fn is_known(self) -> bool {
        // SAFETY: httpd's list of modules and a string of the configuration; the module found is of no interest.
        unsafe {
            let mut module = raw::ap_top_module;
            !raw::ap_find_command_in_modules(field!(self, directive), &mut module).is_null()
        }
    }

    /// Its file and line.
    pub fn origin(self) -> (&'c [u8], u32) {
        // SAFETY: a string of the configuration.
        let file = unsafe { bytes_at(field!(self, filename)) };
        (file.unwrap_or_default(), field!(self, line_num) as u32)
    }

    /// The first line of a section.
    pub fn child(self) -> Option<Self> {
        NonNull::new(field!(self, first_child)).map(|node| Self(node, PhantomData))
    }

    /// This line and those after it in the same section.
    pub fn with_following(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |node| NonNull::new(field!(node, next)).map(|next| Self(next, PhantomData)))
    }
}

/// Whether `name` was defined with `-D name` or `Define name`.
pub fn is_defined(name: &CStr) -> bool {
    // SAFETY: a string, compared only.
    unsafe { raw::ap_exists_config_define(name.as_ptr()) != 0 }
}

/// Whether the parent is the child, too: `httpd -X` defines the first.
pub fn is_single_process() -> bool {
    [c"DEBUG", c"ONE_PROCESS"].into_iter().any(is_defined)
}

/// A path in httpd's runtime directory (`DefaultRuntimeDir`), where nothing else is said.
pub fn runtime_path(pool: Pool<'_>, name: &str) -> Option<String> {
    // SAFETY: a C string of the pool's, in which the result is made; it is null for what is no path.
    let path =
        unsafe { bytes_at(raw::ap_runtime_dir_relative(pool.as_ptr(), pool.c_string(name.as_bytes()).as_ptr())) };
    path.and_then(|path| String::from_utf8(path.to_vec()).ok())
}

/// `ServerRoot`.
pub fn server_root() -> Option<&'static [u8]> {
    // SAFETY: a global of httpd's: a string of the configuration, which a child keeps for good.
    unsafe { bytes_at(raw::ap_server_root) }
}
