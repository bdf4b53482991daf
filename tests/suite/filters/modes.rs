//! Filters of bodies under a module that reads in every way that httpd knows.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{input, logged_nothing, posted, site};
use crate::fixture::{Mpm, not_tested, prebuilt};

/// The module `reader`, built ahead or with apxs; none where there is no apxs or compiler.
fn build(folder: &Path) -> Option<PathBuf> {
    if let Some(module) = prebuilt("reader") {
        return Some(module);
    }
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("mod_reader.c"), include_str!("c/mod_reader.c")).expect("a file");
    let apxs = std::env::var("APXS").unwrap_or_else(|_| "apxs".into());
    let output = Command::new(apxs).args(["-c", "mod_reader.c"]).current_dir(folder).output().ok()?;
    let built = folder.join(".libs/mod_reader.so");
    if !built.exists() {
        eprintln!("{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }
    built.exists().then_some(built)
}

const PROGRAMS: &str = r#"
    def bit_by_bit(filter):
        data = filter.read(3)
        if data is None:
            filter.close()
        else:
            filter.write(data.upper())

    def by_lines(filter):
        line = filter.readline()
        if line is None:
            filter.close()
        else:
            filter.write(line.upper())

    def leaves(filter):
        filter.disable()

    def line_and_more(filter):
        """Writes more than a line, and no whole second one."""
        filter.write("begun\npart ")
        filter.disable()

    def passes(filter):
        filter.pass_on()
"#;

#[test]
fn every_mode() {
    let folder = std::env::temp_dir().join(format!("mod_python-reader-{}", std::process::id()));
    let Some(reader) = build(&folder) else {
        return not_tested("apxs cannot build a module here");
    };
    let server =
        input(site(Mpm::Prefork, PROGRAMS), &["upper", "bit_by_bit", "by_lines", "leaves", "passes", "line_and_more"])
            .config(format!("LoadModule reader_module {}", reader.display()))
            .config("<Files read>\nSetHandler reader\n</Files>")
            .start();
    for (name, calls, expected) in [
        ("upper", "rrrr", "(r ONE\nT)(r WO\nLA)(r ST$)(r $)"),
        ("upper", "ssrsr", "(s ONE\nT)(s ONE\nT)(r ONE\nT)(s WO\nLA)(r WO\nLA)"),
        ("upper", "lll", "(l ONE\n)(l TWO\n)(l LAST$)"),
        ("upper", "rlr", "(r ONE\nT)(l WO\n)(r LAST$)"),
        ("upper", "slr", "(s ONE\nT)(l ONE\n)(r TWO\nL)"),
        ("upper", "nn", "(n ONE\nT)(n WO\nLA)"),
        ("upper", "e", "(e ONE\nTWO\nLAST$)"),
        ("bit_by_bit", "rrsr", "(r ONE)(r \nTW)(s O\nL)(r O\nL)"),
        ("by_lines", "rrr", "(r ONE\n)(r TWO\n)(r LAST)"),
        ("by_lines", "llll", "(l ONE\n)(l TWO\n)(l LAST$)(l $)"),
        ("leaves", "rrrr", "(r one\nt)(r wo\nla)(r st$)(r $)"),
        ("passes", "rr", "(r one\nt)(r wo\nla)"),
        ("passes", "srr", "(s one\nt)(r one\nt)(r wo\nla)"),
    ] {
        let path = format!("/{name}/read?{calls}");
        assert_eq!(posted(&server, &path, "one\ntwo\nlast"), expected, "{path}");
    }
    // A part of a line that was written comes before what goes through afterwards.
    assert_eq!(posted(&server, "/line_and_more/read?llr", "one\ntwo\nlast"), "(l begun\n)(l part )(r one\nt)");
    // Everything is everything, however much.
    let text = "x".repeat(2_500_000);
    for name in ["upper", "passes"] {
        let found = posted(&server, &format!("/{name}/read?e"), &text);
        let expected = if name == "upper" { text.to_ascii_uppercase() } else { text.clone() };
        assert!(found == format!("(e {expected}$)"), "{name}: {} bytes", found.len());
    }
    logged_nothing(&server);
    // Not there where the module was built ahead.
    let _ = std::fs::remove_dir_all(folder);
}
