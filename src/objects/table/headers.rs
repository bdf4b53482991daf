//! Checks of the headers of a response, so that a value cannot end a header and begin another.

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
    let problem = if control_character(value).is_some() {
        "a header's value must not contain CR, LF or another control character".to_owned()
    } else if name.eq_ignore_ascii_case(b"Content-Length") && !is_length(value) {
        format!("{} is not a length: it must be a number of bytes, in digits", super::shown::quoted(value))
    } else {
        return None;
    };
    Some(format!("{table}[{}]: {problem}", super::shown::quoted(name)))
}

/// Whether a text is a valid `Content-Length` (RFC 9110, 8.6) that fits httpd's type.
pub fn is_length(text: &[u8]) -> bool {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.is_some_and(|digits| digits.parse::<i64>().is_ok())
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

    #[test]
    fn a_length_is_a_number_of_bytes() {
        for value in ["0", "10", "007", "9223372036854775807"] {
            assert_eq!(wrong_value("headers_out", b"content-length", value.as_bytes()), None, "{value}");
        }
        for value in ["", "-5", "+5", " 5", "5 ", "5,5", "0x5", "5.0", "five", "9223372036854775808"] {
            let sentence = wrong_value("headers_out", b"Content-Length", value.as_bytes()).unwrap();
            assert!(sentence.contains("is not a length"), "{sentence}");
        }
        assert_eq!(wrong_value("headers_out", b"X-Content-Length", b"five"), None);
    }
}
