//! The rooms of src/: each depends on those above it only, so that no circle crosses a room.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The folders of src/ in the order of docs/architecture.md: each may use those before it.
const ROOMS: [&str; 11] = [
    "ffi",
    "process",
    "httpd",
    "cpython",
    "interpreter",
    "config",
    "store",
    "objects",
    "modules",
    "applications",
    "phases",
];

/// What is below and still none of a room's business.
const NOT_USED: [(&str, &str); 1] = [("cpython", "httpd")];

#[test]
fn the_rooms_depend_on_those_above_them_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in files(&source) {
        let name = file.strip_prefix(&source).expect("below src").display().to_string();
        let Some(room) = place(name.split('/').next().map_or("", |first| first.trim_end_matches(".rs"))) else {
            continue;
        };
        seen.insert(room);
        for used in uses(&fs::read_to_string(&file).expect("a source")) {
            let Some(used) = place(&used) else { continue };
            if used > room || NOT_USED.contains(&(ROOMS[room], ROOMS[used])) {
                wrong.push(format!("{name} uses {}", ROOMS[used]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen.len(), ROOMS.len(), "a room has no file: {seen:?}");
    // Every folder is a room, and the page has them in this order.
    let folders: BTreeSet<String> = fs::read_dir(&source)
        .expect("src")
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, ROOMS.iter().map(|room| (*room).to_owned()).collect());
    let page = fs::read_to_string(source.with_file_name("docs").join("architecture.md")).expect("the page");
    let places: Vec<_> = ROOMS.iter().map(|room| page.find(&format!("`src/{room}/`"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "docs/architecture.md: {places:?}");
}

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The first names behind `crate::` in the code, be they in braces.
fn uses(source: &str) -> BTreeSet<String> {
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or("").to_owned() + "\n").collect();
    let mut used = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((names, _)) => used.extend(names.split(',').map(first_name)),
            None => drop(used.insert(first_name(rest))),
        }
    }
    used
}

fn first_name(path: &str) -> String {
    path.trim().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn what_a_source_uses_is_found() {
    let source = "use crate::httpd::{Pool, Table};\n// crate::phases\nfn f() { crate::config::g() }\nuse crate::{ffi::x, process};\n";
    let found: Vec<_> = uses(source).into_iter().collect();
    assert_eq!(found, ["config", "ffi", "httpd", "process"]);
}
