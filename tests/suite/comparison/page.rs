//! docs/differences.md, made of the tables of differences.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::differences::{DIFFERENCES, NOT_COMPARED};
use super::sites;

/// What stands before the tables, and is written by hand: the page up to this line.
const BEGIN: &str = "<!-- tests/suite/comparison: what follows is made of the tests' tables -->\n";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md")
}

/// The part of the page that is made.
fn made() -> String {
    let mut page = String::from(BEGIN);
    let count: usize = sites::ALL.iter().map(|site| site.requests().len()).sum();
    write!(page, "\n{count} requests are compared.\n\n").expect("a string takes all");
    page += "| what | mod_python 3.5 | here | why | seen in |\n|---|---|---|---|---|\n";
    for difference in DIFFERENCES {
        let requests: BTreeSet<&str> = difference.seen.iter().map(|(request, _)| *request).collect();
        let mut shown: Vec<String> = requests.iter().take(3).map(|request| format!("`{request}`")).collect();
        if requests.len() > shown.len() {
            shown.push(format!("{} more", requests.len() - shown.len()));
        }
        let cells = [difference.what, difference.theirs, difference.ours, difference.reason, &shown.join(", ")];
        writeln!(page, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).expect("a string takes all");
    }
    page += "\n## Not compared\n\n| what | why |\n|---|---|\n";
    for (what, why) in NOT_COMPARED {
        writeln!(page, "| {} | {} |", what.replace('|', "\\|"), why.replace('|', "\\|")).expect("a string takes all");
    }
    page
}

/// With MOD_PYTHON_WRITE_DOCS in the environment the page is written anew, not compared.
#[test]
fn the_page_says_what_the_tests_know() {
    let page = fs::read_to_string(path()).expect("docs/differences.md");
    let (written, _) = page.split_once(BEGIN).expect("the line that begins what is made");
    let wanted = written.to_owned() + &made();
    if env::var_os("MOD_PYTHON_WRITE_DOCS").is_some() {
        fs::write(path(), wanted).expect("docs/differences.md");
        return;
    }
    assert!(
        page == wanted,
        "docs/differences.md is not what it would be: MOD_PYTHON_WRITE_DOCS=1 cargo test --test suite comparison::page"
    );
}
