//! `PythonStore`: what it takes, and where the stores are.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{program, returned, run};
use crate::fixture::{Httpd, Mpm};

const PROGRAM: &str = r#"
    from mod_python import store

    def write(req):
        name, value = req.args.split("=")
        store.open(name)["key"] = value

    def read(req):
        return store.open(req.args).get("key", "nothing")
"#;

#[test]
fn wrong_values_stop_the_start_with_a_sentence() {
    for (arguments, words) in [
        ("", "no name is given"),
        ("a/b", "'a/b' is no name"),
        (".hidden", "'.hidden' is no name"),
        ("a somewhere", "'somewhere' is no location"),
        ("a http://host", "'http://host' is no location"),
        ("a size=64M size=32M", "size= is given twice"),
        ("a size=1k", "a size of at least 1M"),
        ("a size=lots", "a size of at least 1M"),
        ("a sync=maybe", "on, off, or seconds"),
        ("a sync=0s", "on, off, or seconds"),
        ("a readers=0", "a number from 1 to 100000"),
        ("a writemap=yes", "writemap=yes is not understood: write on or off"),
        ("a /dev/shm/a writemap=on sync=1s", "sync= means nothing"),
        ("a colour=red", "'colour' is not known: a store in a folder has size=, sync=, readers= and writemap="),
        ("a prefix=x", "'prefix' is not known"),
        ("a redis://host size=64M", "'size' is not known: a store on a server has prefix= and timeout="),
        ("a redis://host timeout=never", "seconds, such as 0.5"),
    ] {
        let test = Httpd::new(Mpm::Event).config(format!("PythonStore {arguments}")).configtest();
        let output = &test.output;
        assert!(!test.accepted && output.contains("MP0255: PythonStore"), "{arguments}: {output}");
        assert!(output.contains(words), "{arguments}: {output}");
    }
    let secret = Httpd::new(Mpm::Event).config("PythonStore a redis://me:secret@host nothing=1").configtest();
    assert!(!secret.accepted && !secret.output.contains("secret"), "{}", secret.output);
    let section = Httpd::new(Mpm::Event).config("<Location />\n    PythonStore a\n</Location>").configtest();
    assert!(!section.accepted, "{}", section.output);
    let twice = Httpd::new(Mpm::Event).config("PythonStore a\nPythonStore a size=64M").configtest();
    assert!(!twice.accepted && twice.output.contains("a store of that name already"), "{}", twice.output);
}

#[test]
fn right_values_are_taken() {
    for arguments in [
        "a",
        "a size=64M sync=1s readers=1000",
        "A-1_2.b ${ROOT}/data sync=off",
        "a redis://host:1/2 prefix=x: timeout=0.5",
    ] {
        let test = Httpd::new(Mpm::Event).config(format!("PythonStore {arguments}")).configtest();
        assert!(test.accepted, "{arguments}: {}", test.output);
    }
}

#[test]
fn a_virtual_host_has_stores_of_its_own() {
    let server = program(Mpm::Event, PROGRAM)
        .config("PythonStore shared\nPythonStore mine ${SCRATCH}/main sync=off")
        .vhost("a.test", "PythonStore mine ${SCRATCH}/a sync=off")
        .vhost("b.test", "")
        .start();
    let ask = |host: &str, path: &str| returned(&server.request("GET", path).host(host).send(), path);
    assert_eq!(ask("a.test", "/write?mine=of+a"), "ok");
    assert_eq!(ask("b.test", "/write?mine=of+main"), "ok");
    assert_eq!(ask("a.test", "/read?mine"), "of+a");
    assert_eq!(ask("b.test", "/read?mine"), "of+main");
    assert_eq!(ask("localhost", "/read?mine"), "of+main");
    assert_eq!(ask("a.test", "/write?shared=1"), "ok");
    assert_eq!(ask("b.test", "/read?shared"), "1");
    assert_eq!(ask("b.test", "/read?default"), "nothing", "the default store is another one");
}

/// In the runtime directory, and durable in a folder; both belong to the children's user alone.
#[test]
fn folders_are_made_for_the_childrens_user() {
    let httpd = program(Mpm::Event, PROGRAM).config("PythonStore durable ${SCRATCH}/durable");
    let server = httpd.start();
    assert_eq!(run(&server, "write?durable=1"), "ok");
    assert_eq!(run(&server, "write?default=2"), "ok");
    let child = server.child_pids()[0];
    let user = fs::metadata(format!("/proc/{child}")).expect("it lives").uid();
    for folder in [server.scratch().join("durable"), server.root().join("run/mod_python-stores/default")] {
        let found = fs::metadata(&folder).expect("it was made");
        assert_eq!((found.uid(), found.mode() & 0o777), (user, 0o700), "{}", folder.display());
        // Where the runtime directory is in memory, its files are in a folder within.
        let within = Some(folder.join("writemap")).filter(|within| within.exists());
        if let Some(within) = &within {
            assert_eq!(fs::metadata(within).expect("it is there").mode() & 0o777, 0o700);
        }
        let files = fs::read_dir(within.as_deref().unwrap_or(&folder)).expect("it can be read");
        let modes: Vec<_> =
            files.map(|file| file.expect("a file").metadata().expect("it is there").mode() & 0o777).collect();
        assert!(modes.len() >= 4 && modes.iter().all(|mode| *mode == 0o600), "{}: {modes:?}", folder.display());
    }
}

#[test]
fn two_ways_to_open_one_folder_stop_the_start() {
    let output = program(Mpm::Event, PROGRAM)
        .config("PythonStore a ${SCRATCH}/one")
        .vhost("a.test", "PythonStore b ${SCRATCH}/one/ size=64M")
        .start_fails();
    assert!(output.contains("MP0710: ") && output.contains("the same folder with different options"), "{output}");
}

#[test]
fn the_message_is_about_the_store_that_has_the_fault() {
    let output = program(Mpm::Event, PROGRAM)
        .file("run/mod_python-stores/b", "no folder")
        .config("DefaultRuntimeDir ${ROOT}/htdocs/run\nPythonStore a\nPythonStore b")
        .start_fails();
    assert!(output.contains("MP0710: PythonStore b (") && output.contains("it is no folder"), "{output}");
}

#[test]
fn a_folder_that_cannot_be_made_stops_the_start() {
    let output = program(Mpm::Event, PROGRAM).config("PythonStore a ${SCRATCH}/no/such/folder").start_fails();
    let line = output.lines().find(|line| line.contains("MP0710: ")).unwrap_or_else(|| panic!("{output}"));
    for part in ["PythonStore a (", "httpd.conf:", "no/such/folder", "cannot be made"] {
        assert!(line.contains(part), "{line}");
    }
    let file = program(Mpm::Event, PROGRAM).file("a-file", "").config("PythonStore a ${HTDOCS}/a-file").start_fails();
    assert!(file.contains("it is no folder"), "{file}");
}
