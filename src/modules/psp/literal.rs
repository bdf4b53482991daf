//! The text of a page within a Python literal in three double quotes.

/// The text of a literal whose double quotes are escaped already, made fit to be closed.
///
/// Its last backslash must not take the closing quote with it, nor a quote that is not escaped join it. Both do in mod_python,
/// whose source does not compile then.
pub fn closed(mut text: String, is_for_running: bool) -> String {
    let before_quote = text.strip_suffix('"').unwrap_or(&text);
    let backslashes = before_quote.len() - before_quote.trim_end_matches('\\').len();
    match (text.ends_with('"'), backslashes & 1 == 0) {
        (true, true) => text.insert(text.len() - 1, '\\'),
        (false, false) => text.push('\\'),
        _ => {}
    }
    if is_for_running { without_complaints(&text) } else { text }
}

/// Doubles the backslashes that begin no escape sequence of Python's: they stand for themselves either way, but it warns of them.
fn without_complaints(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let after = &escape[1..];
        if !is_escape(after) {
            out.push('\\');
        }
        // The character behind is taken with it, so that it begins no other
        let length = 1 + after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// Whether a backslash before this begins an escape sequence.
fn is_escape(after: &str) -> bool {
    let value = |digits: usize| {
        let digits = after.get(1..=digits)?;
        let is_number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_number.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    match after.bytes().next() {
        Some(b'\\' | b'\'' | b'"' | b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'\n' | b'0'..=b'7') => true,
        Some(b'x') => value(2).is_some(),
        Some(b'u') => value(4).is_some(),
        Some(b'U') => value(8).is_some_and(|value| value <= 0x10_ffff),
        Some(b'N') => after[1..].starts_with('{'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        closed(text.to_owned(), false)
    }

    fn run(text: &str) -> String {
        closed(text.to_owned(), true)
    }

    #[test]
    fn the_end_of_a_text_is_not_part_of_the_quotes() {
        assert_eq!(shown(r"a"), r"a");
        assert_eq!(shown(r"a\"), r"a\\");
        assert_eq!(shown(r"a\\"), r"a\\");
        assert_eq!(shown(r"a\\\"), r"a\\\\");
        assert_eq!(shown("a\\\""), "a\\\"");
        assert_eq!(shown("a\\\\\""), "a\\\\\\\"");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn what_is_no_escape_sequence_is_doubled_to_run() {
        assert_eq!(run(r"\d \q \8 \é"), r"\\d \\q \\8 \\é");
        assert_eq!(
            run(r"\\d \' \a\b\f\v \7 \x41 \u00e9 \U0001f600 \N{DASH}"),
            r"\\d \' \a\b\f\v \7 \x41 \u00e9 \U0001f600 \N{DASH}"
        );
        assert_eq!(run(r"\x4 \u12 \U00110000 \N C:\users \xé"), r"\\x4 \\u12 \\U00110000 \\N C:\\users \\xé");
        assert_eq!(run("a\\\nb"), "a\\\nb");
        assert_eq!(run(r"a\\\"), r"a\\\\");
        assert_eq!(run(r"\+"), r"\\+");
        assert_eq!(shown(r"\d"), r"\d");
    }
}
