//! Directives that no module has, and which of ours was meant.

use std::fmt;

use crate::httpd::configuration::Directive;

use super::directives::names;
use super::handler::Origin;

/// So many letters may be wrong.
const WRONG_LETTERS: usize = 2;
/// The beginning of a directive has to be that long to be taken for it.
const BEGINNING: usize = "PythonAu".len();

/// A directive that no module has.
pub struct Misspelled<'c> {
    written: &'c str,
    meant: &'static str,
    origin: Origin<'c>,
}

impl fmt::Display for Misspelled<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { written, meant, origin } = self;
        write!(out, "{origin}: there is no directive {written}: did you mean {meant}?")
    }
}

/// Those among a line, what follows it, and the content of sections.
pub fn misspelled(first: Directive<'_>) -> Vec<Misspelled<'_>> {
    let mut found = Vec::new();
    for line in first.with_following() {
        found.extend(read(line));
        found.extend(line.child().map(misspelled).unwrap_or_default());
    }
    found
}

fn read(line: Directive<'_>) -> Option<Misspelled<'_>> {
    let written = std::str::from_utf8(line.name()?).ok()?;
    let meant = nearest(written, names())?;
    if line.is_known() {
        return None;
    }
    let (file, line) = line.origin();
    Some(Misspelled { written, meant, origin: Origin { file: std::str::from_utf8(file).unwrap_or("?"), line } })
}

/// The directive whose name is like that, if there is one.
fn nearest(written: &str, names: impl Iterator<Item = &'static str> + Clone) -> Option<&'static str> {
    let written = written.to_ascii_lowercase();
    let near = names.clone().map(|name| (distance(written.as_bytes(), name.to_ascii_lowercase().as_bytes()), name));
    let (_, name) = near
        .filter(|(distance, _)| *distance <= WRONG_LETTERS)
        .min_by_key(|(distance, _)| *distance)
        .or_else(|| begun(&written, names).map(|name| (0, name)))?;
    Some(name)
}

/// The directive that begins like that, if it is the only one.
fn begun(written: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let mut all = names.filter(|name| name.to_ascii_lowercase().starts_with(written));
    let first = all.next().filter(|_| written.len() >= BEGINNING)?;
    all.next().is_none().then_some(first)
}

/// How many letters have to be added, taken away, changed, or swapped with their neighbours, to make one of the other.
fn distance(one: &[u8], other: &[u8]) -> usize {
    if one.len().abs_diff(other.len()) > WRONG_LETTERS {
        return usize::MAX;
    }
    let mut rows = vec![(0..=other.len()).collect::<Vec<_>>()];
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, its) in other.iter().enumerate() {
            let mut least = (rows[i][j] + usize::from(letter != its)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && letter == &other[j - 1] && &one[i - 1] == its {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few, since the table itself leads to functions of httpd's, which is not there.
    const NAMES: [&str; 12] = [
        "PythonHandler",
        "PythonPath",
        "PythonAutoReload",
        "PythonAuthzHandler",
        "PythonAuthenHandler",
        "PythonApplication",
        "PythonInterpreter",
        "PythonInterpreterOptions",
        "PythonInterpPerDirectory",
        "PythonInterpPerDirective",
        "PythonConnectionHandler",
        "WSGIScriptAlias",
    ];

    #[test]
    fn what_is_like_a_directive_is_found() {
        for (written, meant) in [
            ("PythonHander", "PythonHandler"),
            ("pyhtonhandler", "PythonHandler"),
            ("PythonHandlers", "PythonHandler"),
            ("ythonPath", "PythonPath"),
            ("PythonAutoRelaod", "PythonAutoReload"),
            ("PythonAuthHandler", "PythonAuthzHandler"),
            ("PythonApplicaton", "PythonApplication"),
            ("PythonInterpPerDirectiv", "PythonInterpPerDirective"),
            ("PythonConnection", "PythonConnectionHandler"),
            ("WSGIScriptAlais", "WSGIScriptAlias"),
        ] {
            assert_eq!(nearest(written, NAMES.into_iter()), Some(meant), "{written}");
        }
    }

    #[test]
    fn what_is_like_none_is_left_to_httpd() {
        for written in
            ["Python", "PythonNothingOfTheKind", "PythonInterp", "SetHandler", "<Directory", "RewriteRule", ""]
        {
            assert_eq!(nearest(written, NAMES.into_iter()), None, "{written}");
        }
    }

    #[test]
    fn letters_that_differ_are_counted() {
        for (one, other, number) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "xbd", 2)]
        {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), number, "{one} {other}");
        }
        assert_eq!(distance(b"a", b"abcd"), usize::MAX);
    }
}
