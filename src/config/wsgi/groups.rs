//! Process groups and application groups: the names that they have for a request, and the interpreters that they are here.

use std::borrow::Cow;
use std::ffi::CStr;

use crate::config::error::ConfigError;
use crate::ffi::httpd as raw;
use crate::httpd::{Pool, Request, bytes_at, field};

/// A group as a directive names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Group<'p> {
    /// `%{GLOBAL}`: the empty name.
    Global,
    /// `%{SERVER}`
    Server,
    /// `%{RESOURCE}`
    Resource,
    /// `%{ENV:variable}`
    Environment(&'p CStr),
    Name(&'p [u8]),
}

impl<'p> Group<'p> {
    /// Reads the name of an application group.
    ///
    /// # Errors
    /// It begins with `%{` and is none of mod_wsgi's.
    pub fn application(text: &str, pool: Pool<'p>) -> Result<Self, ConfigError> {
        match text {
            "%{SERVER}" => Ok(Self::Server),
            "%{RESOURCE}" => Ok(Self::Resource),
            _ => Self::process(text, pool),
        }
    }

    /// Reads the name of a process group.
    ///
    /// # Errors
    /// As for application groups.
    pub fn process(text: &str, pool: Pool<'p>) -> Result<Self, ConfigError> {
        let variable = text.strip_prefix("%{ENV:").and_then(|rest| rest.strip_suffix('}'));
        match (text, variable) {
            ("" | "%{GLOBAL}", _) => Ok(Self::Global),
            (_, Some(variable)) => Ok(Self::Environment(pool.c_string(variable.as_bytes()))),
            _ if text.starts_with("%{") => Err(ConfigError::NotAGroup(text.to_owned())),
            _ => Ok(Self::Name(pool.slice(text.as_bytes()))),
        }
    }

    /// Its name as far as it is the same for all requests.
    pub fn fixed(&self) -> Option<&'p [u8]> {
        match *self {
            Self::Global => Some(b""),
            Self::Name(name) => Some(name),
            Self::Server | Self::Resource | Self::Environment(_) => None,
        }
    }

    /// Its name for a request to a script, which `resource` stands for.
    pub fn name<'r>(&self, request: Request<'r>, resource: &[u8]) -> Cow<'r, [u8]>
    where
        'p: 'r,
    {
        match *self {
            Self::Global => Cow::Borrowed(b""),
            Self::Name(name) => Cow::Borrowed(name),
            Self::Server => Cow::Owned(server(request)),
            Self::Resource => Cow::Owned([&server(request), b"|".as_slice(), resource].concat()),
            Self::Environment(variable) => Cow::Owned(variable_of(request, variable)),
        }
    }
}

/// The server's name, with the port that the request came in at unless it is one that need not be said. The port that the client names
/// in its Host header is not asked: a client could have interpreters made with it.
fn server(request: Request<'_>) -> Vec<u8> {
    // SAFETY: the connection is live, and so is its address.
    let port = unsafe { field!(request.connection(), local_addr).as_ref() }.map_or(80, |address| address.port);
    let host = request.server().hostname();
    match port {
        80 | 443 => host.to_vec(),
        port => [host, b":", port.to_string().as_bytes()].concat(),
    }
}

/// What a request's notes, its environment or the process's environment say.
fn variable_of(request: Request<'_>, name: &CStr) -> Vec<u8> {
    // SAFETY: the tables and their values live with the request.
    let found = unsafe {
        [field!(request, notes), field!(request, subprocess_env)]
            .into_iter()
            .find_map(|table| bytes_at(raw::apr_table_get(table, name.as_ptr())))
    };
    let of_process = || {
        let value = std::env::var_os(name.to_str().ok()?)?;
        Some(std::os::unix::ffi::OsStringExt::into_vec(value))
    };
    found.map(<[u8]>::to_vec).or_else(of_process).unwrap_or_default()
}
