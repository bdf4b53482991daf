//! `repr()` of a table.

use std::fmt::Write;

use crate::process::memory::NoMemory;

use super::entries::Entry;

/// Like a `dict`, the last entry first; bytes that are not printable ASCII are escaped.
pub(super) fn shown(entries: &[Entry]) -> Result<String, NoMemory> {
    let mut text = String::new();
    text.push('{');
    for (index, (key, value)) in entries.iter().rev().enumerate() {
        text.push_str(if index == 0 { "" } else { ", " });
        quote(&mut text, key)?;
        text.push_str(": ");
        match value {
            Some(value) => quote(&mut text, value)?,
            None => text.push_str("None"),
        }
    }
    text.push('}');
    Ok(text)
}

/// How much of a text is quoted in a message, in bytes.
const MOST_QUOTED: usize = 200;

/// Bytes in quotes for a message; only the first ones, if they are many.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::new();
    match bytes.get(..MOST_QUOTED) {
        // There is always memory for a few bytes.
        None => drop(quote(&mut text, bytes)),
        Some(first) => {
            let _ = quote(&mut text, first);
            text.push('…');
        }
    }
    text
}

/// Adds bytes in quotes, like `repr()` of a `bytes` without the `b`.
fn quote(text: &mut String, bytes: &[u8]) -> Result<(), NoMemory> {
    const LONGEST: usize = r"\xff".len();
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    text.push(quote);
    for part in bytes.chunks(4096) {
        text.try_reserve(part.len() * LONGEST)?;
        for byte in part {
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
    }
    text.push(quote);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_comes_first() {
        let entry = |key: &[u8], value: Option<&[u8]>| (key.into(), value.map(Into::into));
        let entries = [entry(b"a", Some(b"1")), entry(b"b", None), entry(b"a", Some(b"caf\xe9"))];
        assert_eq!(shown(&entries).unwrap(), r"{'a': 'caf\xe9', 'b': None, 'a': '1'}");
        assert_eq!(shown(&[]).unwrap(), "{}");
    }

    #[test]
    fn bytes_are_quoted_as_python_does() {
        assert_eq!(quoted(b"it's"), r#""it's""#);
        assert_eq!(quoted(br#"it's "x""#), r#"'it\'s "x"'"#);
        assert_eq!(quoted(b"\\ \t\r\n\0\x7f\xff"), r"'\\ \t\r\n\x00\x7f\xff'");
    }
}
