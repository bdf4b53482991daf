//! Environments as each tool makes them.

use std::fs;
use std::process::Command;

use super::folders::{Folders, Venv, python, version};
use super::{has_python, site, told};
use crate::fixture::{Mpm, not_tested};

#[track_caller]
fn serves(venv: Venv) {
    let venv = venv.with_package("thing", "1.0");
    let server =
        site(Mpm::OneChild).config(format!("PythonInterpreterOptions localhost venv={}", venv.folder())).start();
    let told = told(&server, "localhost");
    assert_eq!((told.thing.as_str(), told.prefix), ("1.0 1.0", venv.folder()), "{}", server.log());
}

fn is_installed(tool: &str) -> bool {
    let is = Command::new(tool).arg("--version").output().is_ok_and(|said| said.status.success());
    if !is {
        not_tested(&format!("{tool} is not installed"));
    }
    is
}

#[test]
fn by_virtualenv() {
    if !has_python() || !is_installed("virtualenv") {
        return;
    }
    let folders = Folders::new();
    let venv = Venv(folders.path("one"));
    Folders::run(Command::new("virtualenv").arg("--no-download").arg("-p").arg(python().expect("asked")).arg(&venv.0));
    serves(venv);
}

#[test]
fn by_uv() {
    if !has_python() || !is_installed("uv") {
        return;
    }
    let folders = Folders::new();
    let venv = Venv(folders.path("one"));
    let mut command = Command::new("uv");
    command.args(["venv", "--offline", "--no-config", "--python"]).arg(python().expect("asked")).arg(&venv.0);
    Folders::run(command.env("UV_CACHE_DIR", folders.path("cache")));
    serves(venv);
}

/// An environment of conda's is a prefix: it has no pyvenv.cfg, a standard library of its own, and conda-meta.
#[test]
fn of_condas_layout() {
    if !has_python() {
        return;
    }
    let folders = Folders::new();
    let venv = Venv(folders.path("one"));
    fs::create_dir_all(venv.packages()).expect("it is ours");
    fs::create_dir_all(venv.0.join("bin")).expect("it is ours");
    fs::create_dir_all(venv.0.join("conda-meta")).expect("it is ours");
    fs::write(venv.0.join("conda-meta/history"), "").expect("it is ours");
    std::os::unix::fs::symlink(python().expect("asked"), venv.0.join("bin/python")).expect("it is ours");
    venv.write("more/extra.py", "");
    venv.write("some.pth", "more\n");
    serves(venv);

    let other = folders.path("other");
    fs::create_dir_all(other.join("conda-meta")).expect("it is ours");
    fs::create_dir_all(other.join("lib/python3.2/site-packages")).expect("it is ours");
    let test =
        site(Mpm::Event).config(format!("PythonInterpreterOptions localhost venv={}", other.display())).configtest();
    assert!(!test.accepted && test.output.contains("MP0232: "), "{}", test.output);
    assert!(test.output.contains("is of Python 3.2") && test.output.contains(&version()), "{}", test.output);
}

/// Builds a package without anything from a network: a wheel of its module, or one of a .pth file for an editable installation.
const BACKEND: &str = r#"
import os, zipfile

def wheel(folder, files):
    name = "thing-3.0-py3-none-any.whl"
    facts = "thing-3.0.dist-info/"
    files = dict(files)
    files[facts + "METADATA"] = "Metadata-Version: 2.1\nName: thing\nVersion: 3.0\n"
    files[facts + "WHEEL"] = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[facts + "RECORD"] = "".join(file + ",,\n" for file in [*files, facts + "RECORD"])
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return name

def build_wheel(folder, settings=None, metadata=None):
    with open("source/thing/__init__.py") as file:
        return wheel(folder, {"thing/__init__.py": file.read()})

def build_editable(folder, settings=None, metadata=None):
    return wheel(folder, {"_thing.pth": os.path.abspath("source") + "\n"})
"#;

#[test]
fn what_pip_has_installed_is_found() {
    if !has_python() {
        return;
    }
    let has_pip = Command::new(python().expect("asked")).args(["-c", "import ensurepip"]).output();
    if !has_pip.is_ok_and(|said| said.status.success()) {
        not_tested("the Python that the module was built for has no ensurepip");
        return;
    }
    let folders = Folders::new();
    let project = folders.path("project");
    fs::create_dir_all(project.join("source/thing")).expect("it is ours");
    for (file, text) in [
        ("source/thing/__init__.py", "version = '3.0'\n"),
        ("backend.py", BACKEND),
        (
            "pyproject.toml",
            "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n[project]\nname = 'thing'\nversion = '3.0'\n",
        ),
    ] {
        fs::write(project.join(file), text).expect("it is ours");
    }
    let mut httpd = site(Mpm::OneChild);
    for (host, options) in [("copied.test", &[] as &[&str]), ("editable.test", &["--editable"])] {
        let venv = Venv(folders.path(host));
        Folders::run(Command::new(python().expect("asked")).args(["-m", "venv"]).arg(&venv.0));
        let mut pip = Command::new(venv.0.join("bin/python"));
        pip.args(["-m", "pip", "--no-cache-dir", "install", "--quiet", "--no-index"]).args(options).arg(&project);
        Folders::run(&mut pip);
        httpd = httpd.vhost(host, format!("PythonInterpreterOptions {host} venv={}", venv.folder()));
    }
    let server = httpd.start();
    for host in ["copied.test", "editable.test"] {
        assert_eq!(told(&server, host).thing, "3.0 3.0", "{host}: {}", server.log());
    }
}
