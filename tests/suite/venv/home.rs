//! `PythonHome`.

use std::fs;

use super::folders::{Folders, python, version};
use super::{has_python, site, told};
use crate::fixture::{Httpd, Mpm, for_each_mpm};

for_each_mpm! {
    fn an_environment_as_home_is_that_of_all_interpreters_without_their_own(mpm) {
        if !has_python() {
            return;
        }
        let folders = Folders::new();
        let home = folders.venv("home", &[]).with_package("thing", "1.0");
        let own = folders.venv("own", &[]).with_package("thing", "2.0");
        let server = site(mpm)
            .config(format!("PythonHome {}", home.folder()))
            .vhost("own.test", format!("PythonInterpreterOptions own.test venv={}", own.folder()))
            .vhost("none.test", "PythonInterpreterOptions none.test venv=none")
            .vhost("main.test", "PythonInterpreter main_interpreter")
            .start();
        let things = ["localhost", "own.test", "none.test", "main.test"].map(|host| told(&server, host).thing);
        assert_eq!(things, ["1.0 1.0", "2.0 2.0", "none", "1.0 1.0"]);
    }
}

/// A prefix of links to the real one's parts, and with a package of its own.
#[test]
fn a_prefix_as_home_is_where_python_comes_from() {
    if !has_python() {
        return;
    }
    let folders = Folders::new();
    let ask = std::process::Command::new(python().expect("asked"))
        .args(["-c", "import os; print(os.path.dirname(os.__file__))"])
        .output()
        .expect("it runs");
    let library = String::from_utf8(ask.stdout).expect("text").trim().to_owned();
    let home = folders.path("home");
    let copy = home.join(format!("lib/python{}", version()));
    fs::create_dir_all(&copy).expect("it is ours");
    for entry in fs::read_dir(&library).expect("the standard library").flatten() {
        if entry.file_name() != "site-packages" {
            std::os::unix::fs::symlink(entry.path(), copy.join(entry.file_name())).expect("it is ours");
        }
    }
    let venv = folders.venv("venv", &[]).with_package("thing", "1.0");
    let server = site(Mpm::Event)
        .env("PYTHONHOME", "/no/such/folder")
        .config(format!("PythonHome {}/", home.display()))
        .vhost("a.test", format!("PythonInterpreterOptions a.test venv={}", venv.folder()))
        .start();
    assert_eq!(told(&server, "localhost").prefix, home.display().to_string(), "it wins over the environment");
    let told = told(&server, "a.test");
    assert_eq!((told.thing.as_str(), told.prefix), ("1.0 1.0", venv.folder()));
}

#[test]
fn what_is_no_home_is_refused() {
    let folders = Folders::new();
    let empty = folders.path("empty");
    fs::create_dir(&empty).expect("it is ours");
    let venv = folders.by_hand("venv", "home = /usr/bin\n").folder();
    let other = folders.by_hand("other", "home = /usr/bin\nversion = 3.2.1\n").folder();
    for (config, parts) in [
        ("PythonHome /no/such/folder".to_owned(), ["MP0236: PythonHome /no/such/folder", "sys.prefix"]),
        (format!("PythonHome {}", empty.display()), ["MP0236: PythonHome", "pyvenv.cfg"]),
        (format!("PythonHome {other}"), ["MP0232: PythonHome", "Python 3.2"]),
        (
            format!("PythonHome {venv}\nPythonHome {venv}/\nPythonHome {other}/../venv\nPythonHome /usr"),
            ["MP0237: PythonHome /usr", "venv"],
        ),
        (format!("<VirtualHost *:80>\nPythonHome {venv}\n</VirtualHost>"), ["MP0238: PythonHome", "venv=/the/folder"]),
        ("PythonHome \"\"".to_owned(), ["PythonHome takes one argument", "prefix"]),
    ] {
        let test = Httpd::new(Mpm::Event).config(&config).configtest();
        let is_it = |part: &&str| test.output.contains(*part);
        // A Python elsewhere than in /usr: /usr is then no home at all.
        let is_other = test.output.contains("MP0236: PythonHome /usr:");
        assert!(!test.accepted && (parts.iter().all(is_it) || is_other), "{config}: {}", test.output);
        assert!(test.output.contains("Syntax error on line"), "{}", test.output);
    }
}
