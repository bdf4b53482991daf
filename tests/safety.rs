//! SAFETY.md's count of `unsafe` by room is that of the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Lines with `unsafe` outside of comments, by room: the first part of the path below `src`.
fn counted() -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(&root).expect("below src");
            let room = inside.iter().next().expect("a name").to_string_lossy();
            let room = room.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).expect("a source file");
            let lines = text.lines().filter(|line| {
                let code = line.split("//").next().unwrap_or_default();
                code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
            });
            *counts.entry(room).or_default() += lines.count();
        }
    }
    counts.retain(|_, count| *count > 0);
    counts
}

#[test]
fn the_table_is_true() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SAFETY.md")).expect("SAFETY.md");
    let table = page.split("## Where `unsafe` is").nth(1).expect("the section");
    let stated: BTreeMap<String, usize> = table
        .lines()
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let room = cells.next()?.trim_matches('`').to_owned();
            Some((room, cells.next()?.parse().ok()?))
        })
        .collect();
    assert_eq!(stated, counted(), "left: SAFETY.md, right: the code");
}
