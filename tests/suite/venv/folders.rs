//! Virtual environments for tests: made by the Python that the module was built for, removed with the value.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fixture::python_version;

/// `3.11`, say.
pub fn version() -> String {
    let (major, minor) = python_version();
    format!("{major}.{minor}")
}

/// A program of the Python that the module was built for. None where there is only its library.
pub fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let named = env::var_os("PYO3_PYTHON").map(PathBuf::from);
        let folders = [PathBuf::from("/usr/local/bin"), "/usr/bin".into(), "/opt/python/bin".into()];
        let candidates = named.into_iter().chain(folders.map(|folder| folder.join(format!("python{}", version()))));
        candidates.into_iter().find(|program| {
            let ask = Command::new(program).args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).output();
            ask.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim() == version())
        })
    };
    PYTHON.get_or_init(find).as_deref()
}

/// A folder with virtual environments, which httpd's user can read.
pub struct Folders(PathBuf);

impl Folders {
    pub fn new() -> Folders {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("mod_python-venv-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = fs::canonicalize(env::temp_dir()).expect("a folder for temporary files").join(name);
        DirBuilder::new().mode(0o755).create(&path).expect("a folder of our own");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
        Folders(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes one with `python -m venv`.
    pub fn venv(&self, name: &str, options: &[&str]) -> Venv {
        let python = python().expect("asked before");
        let folder = self.path(name);
        let mut command = Command::new(python);
        command.args(["-m", "venv", "--without-pip"]).args(options).arg(&folder);
        Folders::run(&mut command);
        Venv(folder)
    }

    /// What looks like one, and has a program for its Python that does nothing.
    pub fn by_hand(&self, name: &str, configuration: &str) -> Venv {
        let venv = Venv(self.path(name));
        fs::create_dir_all(venv.packages()).expect("it is ours");
        fs::create_dir_all(venv.0.join("bin")).expect("it is ours");
        fs::write(venv.0.join("pyvenv.cfg"), configuration).expect("it is ours");
        fs::write(venv.0.join("bin/python"), "").expect("it is ours");
        venv
    }

    #[track_caller]
    pub fn run(command: &mut Command) {
        let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One virtual environment.
pub struct Venv(pub PathBuf);

impl Venv {
    /// As configurations name it.
    pub fn folder(&self) -> String {
        self.0.display().to_string()
    }

    pub fn packages(&self) -> PathBuf {
        self.0.join(format!("lib/python{}/site-packages", version()))
    }

    pub fn write(&self, path: &str, text: &str) {
        let file = self.packages().join(path);
        fs::create_dir_all(file.parent().expect("it has a folder")).expect("it is ours");
        fs::write(file, text).expect("it is ours");
    }

    /// Installs a package of one module, as an installer leaves it.
    pub fn with_package(self, name: &str, number: &str) -> Venv {
        self.write(&format!("{name}/__init__.py"), &format!("version = {number:?}\n"));
        let facts = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n");
        self.write(&format!("{name}-{number}.dist-info/METADATA"), &facts);
        self.write(&format!("{name}-{number}.dist-info/RECORD"), &format!("{name}/__init__.py,,\n"));
        self
    }

    /// What a script prints when its own Python runs it.
    #[track_caller]
    pub fn prints(&self, script: &str) -> String {
        // -s: inside of httpd the user's own packages are left out.
        let mut command = Command::new(self.0.join("bin/python"));
        let said = command.args(["-s", "-P", "-X", "utf8", "-c", script]).env_clear().output().expect("it runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).expect("text")
    }
}
