//! Builds the C module of these tests, as a person would who has httpd's headers and Python's.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::fixture::{http_includes, module_under_test, prebuilt, python_version};

/// The module file, built once for the test process unless it was built ahead.
pub fn caller() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(module) = prebuilt("caller") {
            return module;
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mod_caller-{}.so", std::process::id()));
        let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
        let mut command = Command::new(&compiler);
        command.args([
            "-shared",
            "-fPIC",
            "-pthread",
            "-Wall",
            "-Wextra",
            "-Wno-unused-parameter",
            "-Wno-missing-field-initializers",
            "-Werror",
        ]);
        for folder in http_includes() {
            command.arg("-isystem").arg(folder);
        }
        command.arg("-isystem").arg(python_includes()).arg("-I").arg(root.join("include"));
        command.arg(root.join("tests/suite/exports/mod_caller.c")).arg("-o").arg(&module);
        let output = command.output().unwrap_or_else(|error| panic!("{compiler}: {error}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        module
    })
}

/// The folder with the Python.h of the Python that the module under test was built for: beside its library, else as that Python
/// says.
fn python_includes() -> PathBuf {
    const SCRIPT: &str = "import sysconfig; print(sysconfig.get_path('include'))";
    let (major, minor) = python_version();
    let name = format!("python{major}.{minor}");
    let linked = Command::new("ldd").arg(module_under_test()).output().expect("ldd runs");
    let linked = String::from_utf8_lossy(&linked.stdout).into_owned();
    let library =
        linked.lines().find(|line| line.contains("libpython")).and_then(|line| line.split_whitespace().nth(2));
    let beside = library.and_then(|library| Some(Path::new(library).parent()?.parent()?.join("include").join(&name)));
    let told = Command::new(&name).args(["-c", SCRIPT]).output().ok();
    let told = told.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    [beside, told]
        .into_iter()
        .flatten()
        .find(|folder| folder.join("Python.h").exists())
        .unwrap_or_else(|| panic!("no headers of Python {major}.{minor} are here"))
}
