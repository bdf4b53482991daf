//! `repr()` of a table.

use std::fmt::Write;

use super::entries::Entry;

/// Like a `dict`, the last entry first; bytes that are not printable ASCII are escaped.
pub(super) fn shown(entries: &[Entry]) -> String {
    let shown = |(key, value): &Entry| match value {
        Some(value) => format!("{}: {}", quoted(key), quoted(value)),
        None => format!("{}: None", quoted(key)),
    };
    format!("{{{}}}", entries.iter().rev().map(shown).collect::<Vec<_>>().join(", "))
}

/// Bytes in quotes, as Python shows `bytes`, but without the `b`.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push(quote);
    for byte in bytes {
        match byte {
            b'\\' => text.push_str(r"\\"),
            b'\t' => text.push_str(r"\t"),
            b'\n' => text.push_str(r"\n"),
            b'\r' => text.push_str(r"\r"),
            b' '..=b'~' if char::from(*byte) == quote => text.extend(['\\', quote]),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text.push(quote);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_comes_first() {
        let entry = |key: &[u8], value: Option<&[u8]>| (key.into(), value.map(Into::into));
        let entries = [entry(b"a", Some(b"1")), entry(b"b", None), entry(b"a", Some(b"caf\xe9"))];
        assert_eq!(shown(&entries), r"{'a': 'caf\xe9', 'b': None, 'a': '1'}");
        assert_eq!(shown(&[]), "{}");
    }

    #[test]
    fn bytes_are_quoted_as_python_does() {
        assert_eq!(quoted(b"it's"), r#""it's""#);
        assert_eq!(quoted(br#"it's "x""#), r#"'it\'s "x"'"#);
        assert_eq!(quoted(b"\\ \t\r\n\0\x7f\xff"), r"'\\ \t\r\n\x00\x7f\xff'");
    }
}
