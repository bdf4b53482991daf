//! What holds at compile time: programs that must not compile, and where.
//!
//! Each line of a case that must be an error ends in `//~` and the error's code, or the word `lifetime` for those that have no code.
//! Compilers word errors differently and point at different parts of a line, so no more than that is compared.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixture::not_tested;

const CASES: &str = "tests/suite/proofs/cases";

/// The errors of a case, by line.
type Errors = BTreeSet<(usize, String)>;

fn expected(source: &str) -> Errors {
    let marked = source.lines().enumerate().filter_map(|(at, line)| Some((at + 1, line.split_once("//~")?.1)));
    marked.map(|(line, code)| (line, code.trim().to_owned())).collect()
}

/// Compiles a case against the module.
fn found(library: &Path, case: &Path) -> Errors {
    let output = Command::new(rustc())
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=json", "-Adead_code"])
        .arg("-o")
        .arg(env::temp_dir().join(format!("mod_python-proof-{}", std::process::id())))
        .arg("-L")
        .arg(format!("dependency={}", library.parent().expect("a folder").display()))
        .arg("--extern")
        .arg(format!("mod_python={}", library.display()))
        .arg(case)
        .output()
        .expect("the compiler that has made this");
    let text = String::from_utf8_lossy(&output.stderr);
    let errors =
        text.lines().filter(|line| line.contains(r#""level":"error""#) && line.contains(r#""is_primary":true"#));
    let errors: Errors = errors.map(|line| (primary_line(line), code(line))).collect();
    assert_eq!(output.status.success(), errors.is_empty(), "{text}");
    errors
}

/// The code of an error in rustc's JSON. Its notes have no codes, and come behind.
fn code(error: &str) -> String {
    match error.split_once(r#""code":{"code":""#) {
        Some((_, rest)) => rest.split('"').next().unwrap_or_default().to_owned(),
        None if error.contains("lifetime may not live long enough") => "lifetime".into(),
        None => error.to_owned(),
    }
}

/// The line where an error is: of its first primary span.
fn primary_line(error: &str) -> usize {
    let spans = error.split_once(r#""spans":["#).map_or("", |(_, spans)| spans);
    let span = spans.split(r#"{"file_name":"#).find(|span| span.contains(r#""is_primary":true"#)).unwrap_or_default();
    let line = span.split_once(r#""line_start":"#).map_or("", |(_, rest)| rest);
    line.split(',').next().and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("no line in {error}"))
}

/// The compiler beside the cargo that has built this.
fn rustc() -> PathBuf {
    let beside = Path::new(env!("CARGO")).with_file_name("rustc");
    if beside.exists() { beside } else { "rustc".into() }
}

#[test]
fn what_must_not_compile_does_not() {
    let library = env::current_exe().expect("the path of this test binary").with_file_name("libmod_python.rlib");
    if !cfg!(debug_assertions) || !library.exists() {
        return not_tested("the library is built for it in debug builds");
    }
    let mut cases: Vec<_> = fs::read_dir(CASES).expect("the cases").flatten().map(|case| case.path()).collect();
    cases.sort();
    for case in cases {
        let source = fs::read_to_string(&case).expect("a case");
        assert_eq!(found(&library, &case), expected(&source), "{}", case.display());
    }
}
