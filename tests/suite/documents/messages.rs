//! The messages in the code and the page that explains them are the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|known| known == extension) {
            found.push(path);
        }
    }
}

/// Every `MPnnnn` in a text.
fn numbers(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("MP").map(|(at, _)| &text[at..]);
    starts
        .filter_map(|rest| rest.get(..6))
        .filter(|number| number[2..].bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

fn in_code() -> BTreeSet<String> {
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    files(&root().join("python/mod_python"), "py", &mut sources);
    assert!(sources.len() > 20, "the sources were found");
    sources.iter().flat_map(|file| numbers(&fs::read_to_string(file).expect("a source file"))).collect()
}

fn page() -> String {
    fs::read_to_string(root().join("docs/errors.md")).expect("docs/errors.md")
}

#[test]
fn every_message_is_explained_and_every_explanation_has_a_message() {
    let headings: Vec<_> = page().lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    let explained: BTreeSet<String> = headings.iter().cloned().collect();
    assert_eq!(headings.len(), explained.len(), "a number is explained twice");
    let code = in_code();
    assert_eq!(code.difference(&explained).collect::<Vec<_>>(), [] as [&String; 0], "not in docs/errors.md");
    assert_eq!(explained.difference(&code).collect::<Vec<_>>(), [] as [&String; 0], "not in the code");
    assert!(code.len() > 20);
}

#[test]
fn every_explanation_says_something() {
    let page = page();
    for part in page.split("\n## ").skip(1) {
        let (number, text) = part.split_once('\n').expect("a heading and its text");
        assert!(text.trim().starts_with("**") && text.len() > 80, "{number} explains nothing");
    }
}
