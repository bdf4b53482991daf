//! Builds the C module of these tests, as a person would who has httpd's headers and Python's.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::fixture::{http_includes, python_version};

/// The module file, built once for the test process.
pub fn caller() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
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
        command.arg(root.join("tests/exports/mod_caller.c")).arg("-o").arg(&module);
        let output = command.output().unwrap_or_else(|error| panic!("{compiler}: {error}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        module
    })
}

/// The folder with the Python.h of the Python that the module under test was built for.
fn python_includes() -> PathBuf {
    const SCRIPT: &str = "import sys, sysconfig; print(*sys.version_info[:2], sysconfig.get_path('include'))";
    let (major, minor) = python_version();
    let candidates = [env::var("PYO3_PYTHON").ok(), Some(format!("python{major}.{minor}")), Some("python3".into())];
    let found = candidates.into_iter().flatten().find_map(|python| {
        let output = Command::new(python).args(["-c", SCRIPT]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let folder = text.trim().strip_prefix(&format!("{major} {minor} "))?;
        Path::new(folder).join("Python.h").exists().then(|| PathBuf::from(folder))
    });
    found.unwrap_or_else(|| panic!("no Python {major}.{minor} with headers is here: name it in PYO3_PYTHON"))
}
