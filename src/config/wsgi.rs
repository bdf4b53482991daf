//! mod_wsgi's directives: what they say about a section, a server and the process.

mod groups;
mod process;

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ffi::httpd as raw;
use crate::httpd::{Pool, Request};

use super::handler::Origin;

pub use groups::Group;
pub use process::{Daemon, ScriptImport, WsgiProcess};

/// What `SetHandler` and `AddHandler` say for scripts.
pub const HANDLER: &CStr = c"wsgi-script";

/// Whether a directive of mod_wsgi's was read: the hooks look here first.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// Whether a directive of mod_wsgi's was read.
#[inline]
pub fn is_in_use() -> bool {
    IN_USE.load(Ordering::Relaxed)
}

pub(super) fn note_in_use() {
    IN_USE.store(true, Ordering::Relaxed);
}

/// What a section says. `None` is unset.
#[derive(Clone, Copy, Default)]
pub struct WsgiSettings<'p> {
    pub options: ScriptOptions<'p>,
    pub map_head: Option<MapHead>,
    pub chunked_request: Option<bool>,
    pub error_override: Option<bool>,
    pub enable_sendfile: Option<bool>,
    /// `WSGIAccessScript`
    pub access: Option<&'p Script<'p>>,
    /// `WSGIAuthUserScript`
    pub user: Option<&'p Script<'p>>,
    /// `WSGIAuthGroupScript`
    pub group: Option<&'p Script<'p>>,
    /// `WSGIHandlerScript`, the innermost section's first.
    pub handlers: &'p [HandlerScript<'p>],
    /// `WSGIRestrictProcess`
    pub process_groups: Option<&'p [&'p [u8]]>,
}

impl<'p> WsgiSettings<'p> {
    /// The inner section's over the outer one's.
    pub fn merge(outer: &Self, inner: &Self, pool: Pool<'p>) -> Self {
        let handlers = match (outer.handlers, inner.handlers) {
            ([], only) | (only, []) => only,
            (outer, inner) => pool.slice(&[inner, outer].concat()),
        };
        Self {
            options: inner.options.over(&outer.options),
            map_head: inner.map_head.or(outer.map_head),
            chunked_request: inner.chunked_request.or(outer.chunked_request),
            error_override: inner.error_override.or(outer.error_override),
            enable_sendfile: inner.enable_sendfile.or(outer.enable_sendfile),
            access: inner.access.or(outer.access),
            user: inner.user.or(outer.user),
            group: inner.group.or(outer.group),
            handlers,
            process_groups: inner.process_groups.or(outer.process_groups),
        }
    }

    /// The script that answers for a handler of that name.
    pub fn handler(&self, name: &[u8]) -> Option<&'p HandlerScript<'p>> {
        self.handlers.iter().find(|known| known.name == name)
    }
}

/// Where a script runs and what of it is called, as a section says, or the line that names the script.
#[derive(Clone, Copy, Default)]
pub struct ScriptOptions<'p> {
    pub process_group: Option<Group<'p>>,
    pub application_group: Option<Group<'p>>,
    pub callable: Option<&'p str>,
    pub pass_authorization: Option<bool>,
}

impl ScriptOptions<'_> {
    /// These, and where they say nothing those.
    pub fn over(&self, those: &Self) -> Self {
        Self {
            process_group: self.process_group.or(those.process_group),
            application_group: self.application_group.or(those.application_group),
            callable: self.callable.or(those.callable),
            pass_authorization: self.pass_authorization.or(those.pass_authorization),
        }
    }
}

/// `WSGIMapHEADToGET`
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum MapHead {
    Off,
    On,
    /// Where an output filter may need the body to say what its length or type is.
    #[default]
    Auto,
}

/// A file with Python in it that a directive names.
#[derive(Clone, Copy)]
pub struct Script<'p> {
    pub directive: &'static str,
    pub path: &'p CStr,
    /// The same for messages.
    pub text: &'p str,
    pub options: ScriptOptions<'p>,
    pub origin: Origin<'p>,
}

/// `WSGIHandlerScript`
#[derive(Clone, Copy)]
pub struct HandlerScript<'p> {
    /// What `SetHandler` and `AddHandler` say.
    pub name: &'p [u8],
    pub script: &'p Script<'p>,
}

/// `WSGIScriptAlias` and `WSGIScriptAliasMatch`
#[derive(Clone, Copy)]
pub struct ScriptAlias<'p> {
    pub pattern: Pattern<'p>,
    /// The file or folder; of a match with `$1` and the like in it.
    pub script: Script<'p>,
}

/// Which URLs an alias is for.
#[derive(Clone, Copy)]
pub enum Pattern<'p> {
    Prefix(&'p [u8]),
    Match(*const raw::ap_regex_t),
}

impl ScriptAlias<'_> {
    /// The file for a URL's path, with what is behind it; `None` if the path is not this alias's.
    pub fn file_for<'r>(&self, request: Request<'r>, path: &[u8]) -> Option<&'r CStr> {
        let pool = request.pool();
        match self.pattern {
            Pattern::Prefix(prefix) => {
                let rest = rest_behind(prefix, path)?;
                let target = self.script.path.to_bytes();
                let target = target.strip_suffix(b"/").unwrap_or(target);
                Some(pool.c_string(&[target, rest].concat()))
            }
            Pattern::Match(regex) => {
                let path = pool.c_string(path);
                const GROUPS: usize = raw::AP_MAX_REG_MATCH as usize;
                let none = raw::ap_regmatch_t { rm_so: -1, rm_eo: -1 };
                let mut groups = [none; GROUPS];
                // SAFETY: the expression lives with the configuration; there are as many places as are said.
                unsafe {
                    if raw::ap_regexec(regex, path.as_ptr(), GROUPS, groups.as_mut_ptr(), 0) != 0 {
                        return None;
                    }
                    let template = self.script.path.as_ptr();
                    let file = raw::ap_pregsub(pool.as_ptr(), template, path.as_ptr(), GROUPS, groups.as_mut_ptr());
                    (!file.is_null()).then(|| CStr::from_ptr(file))
                }
            }
        }
    }

    /// Whether the file is one, whatever the URL is.
    pub fn is_fixed(&self) -> bool {
        let path = self.script.path.to_bytes();
        !path.ends_with(b"/") && (matches!(self.pattern, Pattern::Prefix(_)) || !path.contains(&b'$'))
    }
}

/// What is behind a prefix, as mod_alias has it: a prefix that ends with a slash is for what is below it only.
fn rest_behind<'u>(prefix: &[u8], path: &'u [u8]) -> Option<&'u [u8]> {
    match prefix.strip_suffix(b"/") {
        Some(folder) => path.strip_prefix(folder).filter(|rest| rest.starts_with(b"/")),
        None => path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with(b"/")),
    }
}

#[cfg(test)]
mod tests {
    use super::rest_behind;

    #[test]
    fn a_prefix_ends_where_a_part_of_the_path_ends() {
        for (prefix, path, rest) in [
            ("/", "/a/b", Some("/a/b")),
            ("/", "/", Some("/")),
            ("/a", "/a", Some("")),
            ("/a", "/a/", Some("/")),
            ("/a", "/a/b", Some("/b")),
            ("/a", "/ab", None),
            ("/a/", "/a", None),
            ("/a/", "/a/b", Some("/b")),
        ] {
            let found = rest_behind(prefix.as_bytes(), path.as_bytes());
            assert_eq!(found, rest.map(str::as_bytes), "{prefix} {path}");
        }
    }
}
