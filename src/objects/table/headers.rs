//! What may go into the headers of a response: nothing that could end a header and begin another.

use crate::objects::text::{control_character, is_token};

/// What is wrong with a header's name, if anything is.
pub(super) fn wrong_name(table: &str, name: &[u8]) -> Option<String> {
    if name.is_empty() {
        return Some(format!("{table}: a header's name must not be empty"));
    }
    (!is_token(name)).then(|| {
        let name = super::shown::quoted(name);
        format!("{table}: {name} is not a header's name: it consists of letters, digits and !#$%&'*+-.^_`|~ (RFC 9110)")
    })
}

/// What is wrong with a header's value, if anything is.
pub(super) fn wrong_value(table: &str, name: &[u8], value: &[u8]) -> Option<String> {
    control_character(value).map(|_| {
        let name = super::shown::quoted(name);
        format!("{table}[{name}]: a header's value must not contain CR, LF or another control character")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tokens() {
        for name in ["X-A", "content-type", "a", "!#$%&'*+-.^_`|~09"] {
            assert_eq!(wrong_name("headers_out", name.as_bytes()), None, "{name}");
        }
        for name in [&b""[..], b"X A", b"X:", b"X\r\nY", b"X\t", b"(x)", b"a\"b", b"\xe9", b"\x7f", b"a,b", b"a/b"] {
            let sentence = wrong_name("headers_out", name).unwrap();
            assert!(sentence.starts_with("headers_out: "), "{sentence}");
        }
        assert!(wrong_name("t", b"X\nY").unwrap().contains(r"'X\nY'"));
    }

    #[test]
    fn values_stay_on_their_line() {
        for value in [&b""[..], b"a b", b"caf\xe9", b"\t;"] {
            assert_eq!(wrong_value("headers_out", b"X", value), None);
        }
        for value in [&b"a\r\nSet-Cookie: b"[..], b"\n", b"\r", b"a\n b", b"\x01", b"\x7f"] {
            assert_eq!(
                wrong_value("err_headers_out", b"X-A", value).unwrap(),
                "err_headers_out['X-A']: a header's value must not contain CR, LF or another control character"
            );
        }
    }
}
