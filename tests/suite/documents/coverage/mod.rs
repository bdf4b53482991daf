//! docs/coverage.md: it lists all that there is and nothing else, and the tests that it names exist and use the names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::{Httpd, Mpm};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// The page's rows: under which heading, the names, the tests.
fn rows() -> Vec<(String, Vec<String>, Vec<String>)> {
    let (mut heading, mut rows) = (String::new(), Vec::new());
    for line in read("docs/coverage.md").lines() {
        if let Some(text) = line.strip_prefix("## ") {
            heading = text.to_owned();
        } else if let Some((names, tests)) = line.strip_prefix("| `").and_then(|line| line.split_once("` | `")) {
            rows.push((heading.clone(), quoted(&format!("`{names}`")), quoted(&format!("`{tests}"))));
        }
    }
    rows
}

/// The names that the page lists, as `names.py` gives those that there are.
fn listed() -> BTreeSet<String> {
    let of_module = |heading: &str| match heading {
        "The module apache" | "Constants of apache" => "apache".to_owned(),
        "The module _apache" => "_apache".to_owned(),
        other => other.to_owned(),
    };
    rows()
        .iter()
        .flat_map(|(heading, names, _)| names.iter().map(move |name| format!("{} {name}", of_module(heading))))
        .collect()
}

/// Directives, optional functions and tags, which no object tells: what the sources give httpd.
fn given_to_httpd() -> BTreeSet<String> {
    // The three tables that the rows are in.
    let directives: String =
        ["directives", "flags", "phase"].map(|table| read(format!("src/config/{table}.rs"))).concat();
    let names = directives.split("\"Python").skip(1).filter_map(|rest| rest.split_once('"')).map(|(name, _)| name);
    let names = names.filter(|name| name.chars().all(char::is_alphanumeric));
    let mut given: BTreeSet<String> = names.map(|name| format!("Directives Python{name}")).collect();
    given.insert("Directives Require python".into());
    let exports = read("src/phases/exports.rs");
    let names = exports.split("(c\"mp_").skip(1).filter_map(|rest| rest.split_once('"'));
    given.extend(names.map(|(name, _)| format!("Optional functions mp_{name}")));
    given.extend(["Tags of mod_include eval".into(), "Tags of mod_include exec".into()]);
    given
}

#[test]
fn the_page_lists_all_that_there_is() {
    let server = Httpd::new(Mpm::Event).handler("names", include_str!("names.py")).start();
    let response = server.get("/names");
    assert_eq!(response.status, 200, "{}", server.log());
    let mut there: BTreeSet<String> = response.text().lines().map(String::from).collect();
    there.extend(given_to_httpd());
    let listed = listed();
    let missing: Vec<_> = there.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&there).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in docs/coverage.md: {missing:#?}\nnot in the module: {gone:#?}\ntests/suite/documents/coverage/generate.py writes the page anew"
    );
    assert!(listed.len() > 500 && given_to_httpd().len() > 30, "{} names", listed.len());
}

#[test]
fn the_tests_exist_and_use_the_names() {
    let mut texts = BTreeMap::new();
    let mut wrong = Vec::new();
    for (heading, names, tests) in rows() {
        assert!(!names.is_empty() && !tests.is_empty(), "{heading}: {names:?} {tests:?}");
        for test in &tests {
            let text = texts.entry(test.clone()).or_insert_with(|| text_of(test));
            match text {
                None => wrong.push(format!("{test} (for {names:?}) does not exist")),
                Some(text) => {
                    wrong.extend(
                        names.iter().filter(|name| !has(text, name)).map(|name| format!("{test} does not use {name}")),
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "docs/coverage.md:\n{}", wrong.join("\n"));
}

/// What a test does, as `FILE::NAME`: its body, what stands around the tests of its file, and the files that go with them.
fn text_of(test: &str) -> Option<String> {
    let (file, name) = test.split_once("::")?;
    let path = root().join(file);
    let text = fs::read_to_string(&path).ok()?;
    if file == "tests/suite/documents/examples/mod.rs" {
        let page = text.split(&format!("    {name}: \"")).nth(1)?.split_once('"')?.0;
        let page = read(format!("docs/{page}"));
        // The blocks, not what is said between them
        return Some(page.split("\n```").skip(1).step_by(2).collect());
    }
    let (mut own, mut around, mut found) = (String::new(), String::new(), false);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let function = line.trim_start().strip_prefix("fn ").and_then(|rest| rest.split_once('('));
        let is_test = function.is_some_and(|(_, rest)| rest.starts_with(") {") || rest.starts_with("mpm) {"));
        let Some((known, _)) = function.filter(|_| is_test) else {
            around += &format!("{line}\n");
            continue;
        };
        let end = format!("{}}}", " ".repeat(indent));
        let body: String = lines.by_ref().take_while(|line| *line != end).map(|line| format!("{line}\n")).collect();
        if known == name {
            (own, found) = (body, true);
        }
    }
    found.then(|| own + &around + &files_of(&path))
}

/// What lies beside the tests of an area that is not Rust: handlers, a module in C.
fn files_of(path: &Path) -> String {
    let folder =
        if path.ends_with("mod.rs") { path.parent().map(Path::to_owned) } else { Some(path.with_extension("")) };
    let entries = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let files =
        entries.map(|entry| entry.path()).filter(|path| path.is_file() && path.extension() != Some("rs".as_ref()));
    files.filter_map(|path| fs::read_to_string(path).ok()).collect()
}

/// Whether a text has a name as a word; constants may stand in a list behind their prefix, and operators have signs of their own.
fn has(text: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let has_word = |word: &str| {
        text.match_indices(word)
            .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
    };
    let in_list = || {
        let parts = name.match_indices('_').map(|(at, _)| name.split_at(at + 1));
        parts.into_iter().any(|(prefix, rest)| text.contains(&format!("{prefix}:")) && has_word(rest))
    };
    let sign = match name {
        "__contains__" => " in ",
        "__delitem__" => "del ",
        "__eq__" => "==",
        "__getitem__" | "__setitem__" => "[",
        "__init__" => "table(",
        "__iter__" => "for ",
        "__len__" => "len(",
        "__next__" => "for line in req",
        _ => "",
    };
    has_word(name) || in_list() || (!sign.is_empty() && text.contains(sign))
}
