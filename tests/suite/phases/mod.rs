//! The phases of a request: what runs when, what its result means, and who may see what.

mod adding;
mod authentication;
mod authorization;
mod basic_provider;
mod digest_provider;
mod ending;
mod errors;
mod init;
mod interpreters;
mod lists;
mod mapping;
mod module;
mod order;
mod pdb;
mod related;
mod stacking;

use crate::fixture::{Httpd, Mpm};

/// Those of a request of its own, in the order in which they run where PythonInitHandler is the server's.
const PHASES: [&str; 12] = [
    "PythonInitHandler",
    "PythonPostReadRequestHandler",
    "PythonTransHandler",
    "PythonHeaderParserHandler",
    "PythonAccessHandler",
    "PythonAuthenHandler",
    "PythonAuthzHandler",
    "PythonTypeHandler",
    "PythonFixupHandler",
    "PythonHandler",
    "PythonLogHandler",
    "PythonCleanupHandler",
];

/// Has every request, of whatever section, pass through the phases that ask who it is.
const ASK_WHO: &str = "
    <Directory \"${HTDOCS}\">
        AuthType Basic
        AuthName somewhere
        Require valid-user
    </Directory>
";

/// A server with this module on the path.
fn with_module(mpm: Mpm, name: &str, source: &str) -> Httpd {
    Httpd::new(mpm).file(format!("lib/{name}.py"), source).config("PythonPath \"['${HTDOCS}/lib'] + sys.path\"")
}

/// The value of an Authorization header for Basic.
fn basic(user_and_password: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "Basic ".to_owned();
    for three in user_and_password.as_ref().chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * place) & 63];
            text.push(if place > three.len() { '=' } else { digit.into() });
        }
    }
    text
}

#[test]
fn credentials_are_encoded_as_a_browser_does() {
    assert_eq!(basic("Aladdin:open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(basic("ab:c"), "Basic YWI6Yw==");
    assert_eq!(basic("a:cde"), "Basic YTpjZGU=");
    assert_eq!(basic(""), "Basic ");
}
