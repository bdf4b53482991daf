//! Folders that are no environment for this Python: said when httpd starts, and by `httpd -t`; what changes later, in the log.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::folders::{Folders, version};
use super::{has_python, site, told, two_versions};
use crate::fixture::{Httpd, Mpm, for_each_lasting_mpm, has_own_gil, not_tested, wait_until};

fn option(value: &str) -> Httpd {
    Httpd::new(Mpm::Event).config(format!("# A comment.\nPythonInterpreterOptions some.test venv={value}"))
}

#[track_caller]
fn refused(value: &str, parts: &[&str]) {
    let httpd = option(value);
    let test = httpd.configtest();
    assert!(!test.accepted && test.output.contains("Syntax error on line"), "{value}: {}", test.output);
    for output in [test.output, httpd.start_fails()] {
        for part in parts {
            assert!(output.contains(part), "{part:?} for {value}: {output}");
        }
    }
}

#[test]
fn each_fault_has_its_sentence() {
    let folders = Folders::new();
    let good = folders.by_hand("good", &format!("home = /usr/bin\nversion = {}.1\n", version()));
    assert!(option(&good.folder()).configtest().accepted);
    assert!(option(&format!("{}/./", good.folder())).configtest().accepted);
    assert!(option("NONE").configtest().accepted);

    let said = format!("PythonInterpreterOptions some.test venv={}", good.folder());
    refused("", &["MP0209: PythonInterpreterOptions some.test: venv= is", "gil=shared|own, venv=/the/folder|none"]);
    refused(
        "/no/such/folder",
        &["MP0230: PythonInterpreterOptions some.test venv=/no/such/folder", "-m venv /no/such/folder"],
    );
    refused("relative", &["MP0230: ", "venv=relative: there is no folder /"]);
    refused(&format!("{}/pyvenv.cfg", good.folder()), &["MP0230: "]);
    refused(&format!("{}/bin", good.folder()), &["MP0231: ", "pyvenv.cfg", &format!("write {}, which", good.folder())]);
    let plain = folders.path("plain");
    fs::create_dir(&plain).expect("it is ours");
    refused(&plain.display().to_string(), &["MP0231: ", "no pyvenv.cfg", "name the folder"]);
    for (name, configuration, found) in [
        ("venv", "home = /usr/bin\nversion = 3.2.5\n", "Python 3.2"),
        ("virtualenv", "home = /usr/bin\nimplementation = CPython\nversion_info = 3.2.5.final.0\n", "Python 3.2"),
        ("uv", "home = /usr/bin\nimplementation = CPython\nuv = 0.13.9\nversion_info = 3.2.5\n", "Python 3.2"),
        ("pypy", "implementation = PyPy\nversion_info = 3.11.13.final.0\n", "PyPy"),
    ] {
        let other = folders.by_hand(name, configuration);
        refused(&other.folder(), &["MP0232: ", &format!("is of {found}"), &version(), "-m venv --clear"]);
    }
    fs::remove_file(good.0.join("bin/python")).expect("it is there");
    std::os::unix::fs::symlink("/no/such/python", good.0.join("bin/python")).expect("it is ours");
    refused(&good.folder(), &["MP0234: ", &said, "bin/python"]);
    fs::remove_dir(good.packages()).expect("it is empty");
    refused(&good.folder(), &["MP0232: ", &said, "site-packages"]);
}

#[test]
fn the_same_name_with_another_value_is_refused() {
    let folders = Folders::new();
    let [one, two] = ["one", "two"].map(|name| folders.by_hand(name, "home = /usr/bin\n").folder());
    let set = |name: &str, value: &str| format!("PythonInterpreterOptions {name} venv={value}\n");
    let same =
        [set("a", &one), set("a", &format!("{two}/../one/")), set("*", "none"), set("*", "None"), set("b", &two)]
            .concat();
    let test = Httpd::new(Mpm::Event).config(same).configtest();
    assert!(test.accepted, "{}", test.output);
    for (config, parts) in [
        (set("a", &one) + &set("a", &two), [format!("a venv={two} contradicts the venv={one} that")]),
        (set("*", &one) + &set("*", "none"), [format!("* venv=none contradicts the venv={one} that")]),
        (
            format!("PythonInterpreterOptions a gil=shared venv=none venv={one}"),
            [format!("venv={one} contradicts the venv=none")],
        ),
    ] {
        let test = Httpd::new(Mpm::Event).config(&config).configtest();
        assert!(!test.accepted && test.output.contains("MP0212: "), "{config}: {}", test.output);
        assert!(parts.iter().all(|part| test.output.contains(part)), "{config}: {}", test.output);
    }
    if has_own_gil() {
        let both = Httpd::new(Mpm::Event).config(format!("PythonInterpreterOptions a gil=own venv={one}")).configtest();
        assert!(both.accepted, "{}", both.output);
    }
}

/// httpd begins as root and its children are somebody else.
#[test]
fn what_the_childrens_user_cannot_read_stops_the_start() {
    // SAFETY: takes no pointers.
    if unsafe { libc::geteuid() } != 0 || crate::fixture::is_itk_run() {
        not_tested("httpd is started by root, and its children are of one other user");
        return;
    }
    let folders = Folders::new();
    let venv = folders.by_hand("one", "home = /usr/bin\n");
    let set = |path: &std::path::Path, mode: u32| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours")
    };
    let inside = folders.path("one/lib");
    for (path, denied, granted) in [
        (&venv.0, 0o700, 0o755),
        (&inside, 0o700, 0o755),
        (&venv.packages(), 0o711, 0o755),
        (&venv.0.join("pyvenv.cfg"), 0o600, 0o644),
        (&folders.path(""), 0o700, 0o755),
    ] {
        set(path, denied);
        let httpd = option(&venv.folder());
        let test = httpd.configtest();
        let path = path.display().to_string();
        for output in [test.output, httpd.start_fails()] {
            let line =
                output.lines().find(|line| line.contains("MP0235: ")).unwrap_or_else(|| panic!("{path}: {output}"));
            let parts =
                ["PythonInterpreterOptions some.test venv=", "httpd.conf:", "run as ", path.trim_end_matches('/')];
            assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        }
        assert!(!test.accepted);
        set(std::path::Path::new(&path), granted);
        assert!(httpd.configtest().accepted, "{path}");
    }
}

/// Its own site is no help: what takes its place must do the same work.
#[test]
fn a_site_that_does_nothing_is_said() {
    if !has_python() {
        return;
    }
    let folders = Folders::new();
    let (httpd, old, _new) = two_versions(&folders, site(Mpm::OneChild));
    // A configuration that site cannot read, though it is one of this Python's.
    fs::write(old.0.join("pyvenv.cfg"), b"home = /usr/bin\nnote = \xff\n").expect("it is ours");
    let server = httpd.start();
    assert_eq!(server.request("GET", "/").host("old.test").send().status, 500);
    assert_eq!(told(&server, "new.test").thing, "2.0 2.0");
    let said = server.log_lines("MP0303: interpreter 'old.test' could not be set up");
    assert!(said.len() == 1 && said[0].contains("UnicodeDecodeError"), "{}", server.log());
}

for_each_lasting_mpm! {
    /// A deployment takes the environment away under a running server: requests that need a new interpreter fail, all others do not.
    fn one_that_is_gone_later_is_said_and_others_serve(mpm) {
        if !has_python() {
            return;
        }
        let folders = Folders::new();
        let (httpd, old, new) = two_versions(&folders, site(mpm).children(1));
        let server = httpd.start();
        assert_eq!(told(&server, "new.test").thing, "2.0 2.0");
        let child = server.child_pids();
        let (mark, away) = (old.0.join("pyvenv.cfg"), old.0.join("away"));
        fs::rename(&mark, &away).expect("it is ours");
        for _ in 0..3 {
            assert_eq!(server.request("GET", "/").host("old.test").send().status, 500);
            assert_eq!(told(&server, "new.test").thing, "2.0 2.0");
            assert_eq!(told(&server, "plain.test").thing, "none");
        }
        let said = server.log_lines("MP0340: ");
        assert_eq!(said.len(), 1, "once for a while: {}", server.log());
        for part in ["interpreter 'old.test'", &old.folder(), "pyvenv.cfg", "after 10 s"] {
            assert!(said[0].contains(part), "{part}: {said:?}");
        }
        assert_eq!(server.child_pids(), child);

        fs::rename(&away, &mark).expect("it is ours");
        server.graceful();
        wait_until("the environment to be used", || server.request("GET", "/").host("old.test").send().status == 200);
        assert_eq!(told(&server, "old.test").thing, "1.0 1.0");
        drop(new);
    }
}
