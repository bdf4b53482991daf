//! The variables of a request as an application gets them, read from httpd's records as they are: no table is filled, and nothing is
//! copied that is a string of httpd's already.

use smallvec::SmallVec;

use crate::ffi::httpd as raw;

use super::{Request, bytes_at, field};

macro_rules! known {
    ($($variant:ident $name:literal,)+) => {
        /// A variable whose name is not made from a header's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Known {
            $($variant,)+
        }

        impl Known {
            /// The names, in the order of the variants.
            pub const NAMES: &'static [&'static str] = &[$($name,)+];
        }
    };
}

known! {
    AuthType "AUTH_TYPE",
    ContentLength "CONTENT_LENGTH",
    ContentType "CONTENT_TYPE",
    ContextDocumentRoot "CONTEXT_DOCUMENT_ROOT",
    ContextPrefix "CONTEXT_PREFIX",
    DocumentRoot "DOCUMENT_ROOT",
    PathInfo "PATH_INFO",
    QueryString "QUERY_STRING",
    RedirectQueryString "REDIRECT_QUERY_STRING",
    RedirectUrl "REDIRECT_URL",
    RemoteAddr "REMOTE_ADDR",
    RemoteHost "REMOTE_HOST",
    RemotePort "REMOTE_PORT",
    RemoteUser "REMOTE_USER",
    RequestMethod "REQUEST_METHOD",
    RequestScheme "REQUEST_SCHEME",
    RequestUri "REQUEST_URI",
    ScriptFilename "SCRIPT_FILENAME",
    ScriptName "SCRIPT_NAME",
    ServerAddr "SERVER_ADDR",
    ServerAdmin "SERVER_ADMIN",
    ServerName "SERVER_NAME",
    ServerPort "SERVER_PORT",
    ServerProtocol "SERVER_PROTOCOL",
    ServerSignature "SERVER_SIGNATURE",
}

impl Known {
    /// Whether one request mostly has the value of the one before: it is about the server, or the client.
    pub fn is_often_the_same(self) -> bool {
        match self {
            Self::AuthType
            | Self::ContextDocumentRoot
            | Self::ContextPrefix
            | Self::DocumentRoot
            | Self::RemoteAddr
            | Self::RequestMethod
            | Self::RequestScheme
            | Self::ScriptFilename
            | Self::ScriptName
            | Self::ServerAddr
            | Self::ServerAdmin
            | Self::ServerName
            | Self::ServerPort
            | Self::ServerProtocol
            | Self::ServerSignature => true,
            Self::ContentLength
            | Self::ContentType
            | Self::PathInfo
            | Self::QueryString
            | Self::RedirectQueryString
            | Self::RedirectUrl
            | Self::RemoteHost
            | Self::RemotePort
            | Self::RemoteUser
            | Self::RequestUri => false,
        }
    }
}

/// What a variable is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'r> {
    Known(Known),
    /// `HTTP_` and the header's name in upper case.
    Header(&'r [u8]),
    /// Of SetEnv, mod_rewrite, mod_ssl and the like, as it is.
    Environment(&'r [u8]),
}

/// What the client may pass on to an application.
#[derive(Clone, Copy, Default)]
pub struct Passed {
    /// The headers with the client's credentials.
    pub authorization: bool,
    /// Headers whose names have underscores: `HTTP_X_Y` can then come from `X-Y` and from `X_Y`.
    pub underscores: bool,
}

/// The variables of a request.
pub struct Variables<'r> {
    /// Those of headers first, then those of the environment, which do not replace them, then the known ones, which replace any.
    pub all: SmallVec<[(Name<'r>, &'r [u8]); 32]>,
    pub is_https: bool,
}

impl<'r> Variables<'r> {
    /// Reads them. Looks the client's name up where `HostnameLookups` asks for it, and so may block.
    pub fn of(request: Request<'r>, script_name: &'r [u8], path_info: &'r [u8], passed: Passed) -> Self {
        let mut this = Self { all: SmallVec::new(), is_https: false };
        this.add_headers(request, passed);
        this.add_environment(request);
        this.add_connection(request);
        this.add_request(request);
        this.add(Known::ScriptName, Some(script_name));
        this.add(Known::PathInfo, Some(path_info));
        this
    }

    /// Replaces the value of a variable that there is.
    pub fn replace(&mut self, name: Known, value: &'r [u8]) {
        let known = self.all.iter_mut().filter(|(known, _)| *known == Name::Known(name));
        known.for_each(|(_, place)| *place = value);
    }

    fn add(&mut self, name: Known, value: Option<&'r [u8]>) {
        if let Some(value) = value {
            self.all.push((Name::Known(name), value));
        }
    }

    fn add_headers(&mut self, request: Request<'r>, passed: Passed) {
        for (name, value) in request.headers_in().iter() {
            let Some(value) = value else { continue };
            let known = match name.len() {
                12 if name.eq_ignore_ascii_case(b"Content-Type") => Some(Known::ContentType),
                14 if name.eq_ignore_ascii_case(b"Content-Length") => Some(Known::ContentLength),
                _ => None,
            };
            if known.is_some() {
                known.into_iter().for_each(|known| self.add(known, Some(value)));
            } else if is_passed(name, passed) {
                self.all.push((Name::Header(name), value));
            }
        }
    }

    fn add_environment(&mut self, request: Request<'r>) {
        let mut is_https = None;
        for (name, value) in request.subprocess_env().iter() {
            let value = value.unwrap_or_default();
            if is_https.is_none() && name.eq_ignore_ascii_case(b"HTTPS") {
                is_https = Some(value.eq_ignore_ascii_case(b"on") || value == b"1");
            }
            self.all.push((Name::Environment(name), value));
        }
        // SAFETY: the request is live; a literal of httpd's, or of the module that decides it.
        let scheme = unsafe { bytes_at(raw::ap_run_http_scheme(request.as_ptr())) };
        self.is_https = is_https.unwrap_or(scheme == Some(b"https"));
        self.add(Known::RequestScheme, scheme);
    }

    fn add_connection(&mut self, request: Request<'r>) {
        let pool = request.pool().as_ptr();
        let connection = request.connection();
        // SAFETY: the request is live, and so is what is read here; what httpd makes is made in the request's pool.
        unsafe {
            self.add(Known::ServerName, bytes_at(raw::ap_get_server_name_for_url(request.as_ptr())));
            let port = raw::ap_get_server_port(request.as_ptr());
            self.add(Known::ServerPort, bytes_at(raw::apr_itoa(pool, port.into())));
            self.add(Known::ServerAddr, bytes_at(field!(connection, local_ip)));
            self.add(Known::RemoteAddr, bytes_at(field!(request, useragent_ip)));
            if let Some(address) = field!(request, useragent_addr).as_ref() {
                self.add(Known::RemotePort, bytes_at(raw::apr_itoa(pool, address.port.into())));
            }
            let host = raw::ap_get_useragent_host(request.as_ptr(), raw::REMOTE_HOST as i32, std::ptr::null_mut());
            self.add(Known::RemoteHost, bytes_at(host));
        }
    }

    fn add_request(&mut self, request: Request<'r>) {
        // SAFETY: as above; the fields of these records are strings or null.
        unsafe {
            self.add(Known::RequestMethod, bytes_at(field!(request, method)));
            self.add(Known::QueryString, Some(bytes_at(field!(request, args)).unwrap_or_default()));
            self.add(Known::ServerProtocol, bytes_at(field!(request, protocol)));
            self.add(Known::RequestUri, Some(asked_for(request)));
            self.add(Known::ScriptFilename, bytes_at(field!(request, filename)));
            self.add(Known::RemoteUser, bytes_at(field!(request, user)));
            self.add(Known::AuthType, bytes_at(field!(request, ap_auth_type)));
            self.add(Known::DocumentRoot, bytes_at(raw::ap_document_root(request.as_ptr())));
            self.add(Known::ContextPrefix, bytes_at(raw::ap_context_prefix(request.as_ptr())));
            self.add(Known::ContextDocumentRoot, bytes_at(raw::ap_context_document_root(request.as_ptr())));
            self.add(Known::ServerAdmin, bytes_at((*request.server().as_ptr()).server_admin));
            self.add(Known::ServerSignature, bytes_at(raw::ap_psignature(c"".as_ptr(), request.as_ptr())));
            if let Some(before) = field!(request, prev).as_ref() {
                self.add(Known::RedirectUrl, bytes_at(before.uri));
                self.add(Known::RedirectQueryString, bytes_at(before.args));
            }
        }
    }
}

/// Whether a header is passed on under its name: "Proxy" is not, since programs take HTTP_PROXY for a setting of their own, and
/// "Content_Length" is not, since CGI has another variable for the real one.
fn is_passed(name: &[u8], passed: Passed) -> bool {
    let is_good = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || (*byte == b'_' && passed.underscores);
    let is_secret = || name.eq_ignore_ascii_case(b"Authorization") || name.eq_ignore_ascii_case(b"Proxy-Authorization");
    let is_reserved =
        || [&b"Proxy"[..], b"Content_Type", b"Content_Length"].iter().any(|it| name.eq_ignore_ascii_case(it));
    name.iter().all(is_good) && !is_reserved() && (passed.authorization || !is_secret())
}

/// The URL as the client has asked for it, not decoded, whatever it was mapped to since: the second word of the request line.
fn asked_for(request: Request<'_>) -> &[u8] {
    // SAFETY: a string of the request, or null.
    let line = unsafe { bytes_at(field!(request, the_request)) }.unwrap_or_default();
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).nth(1).unwrap_or_default()
}

/// The software of the server, as `ServerTokens` has it.
pub fn server_software() -> &'static [u8] {
    // SAFETY: a string that lives as long as the configuration, which a child keeps for good.
    let text: Option<&'static [u8]> = unsafe { bytes_at(raw::ap_get_server_banner()) };
    text.unwrap_or_default()
}

/// What a header becomes as a variable.
pub fn variable_of_header(name: &[u8]) -> Vec<u8> {
    let upper = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() };
    b"HTTP_".iter().copied().chain(name.iter().map(upper)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_passed_on_unless_it_could_be_taken_for_something_else() {
        let passed = Passed::default();
        for name in ["Host", "X-Forwarded-For", "Cookie", "x1"] {
            assert!(is_passed(name.as_bytes(), passed), "{name}");
        }
        for name in ["Proxy", "PROXY", "X_Y", "X.Y", "Authorization", "Proxy-Authorization"] {
            assert!(!is_passed(name.as_bytes(), passed), "{name}");
        }
        assert!(is_passed(b"Authorization", Passed { authorization: true, ..passed }));
        assert!(is_passed(b"X_Y", Passed { underscores: true, ..passed }));
        for name in ["Proxy", "Content_Type", "content_length"] {
            assert!(!is_passed(name.as_bytes(), Passed { authorization: true, underscores: true }), "{name}");
        }
    }

    #[test]
    fn names_are_in_the_order_of_the_variants() {
        assert_eq!(Known::NAMES[Known::AuthType as usize], "AUTH_TYPE");
        assert_eq!(Known::NAMES[Known::ServerSignature as usize], "SERVER_SIGNATURE");
        assert_eq!(variable_of_header(b"X-Forwarded-For"), b"HTTP_X_FORWARDED_FOR");
    }
}
