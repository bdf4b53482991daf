//! Virtual environments: what makes a folder one, and whether this Python can use it. Nothing of Python runs here: httpd's parent, which
//! is root, checks with it too.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The X.Y that the module was built for.
const VERSION: &str = env!("MOD_PYTHON_PY_VERSION");

/// What says that a folder is a virtual environment.
const MARK: &str = "pyvenv.cfg";

/// A virtual environment, by its folder. It may have changed since it was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Venv {
    folder: String,
}

/// Why a folder cannot be used as a virtual environment.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VenvError {
    #[error("there is no folder {folder}: make it with 'python{VERSION} -m venv {folder}', or name the right one")]
    NoFolder { folder: String },
    #[error("{folder} is no virtual environment, since it has no {MARK}: {way_out}")]
    NoMark { folder: String, way_out: String },
    #[error(
        "{folder} is of {found}, and the Python in this httpd is {VERSION}: make it anew with 'python{VERSION} -m venv --clear {folder}', or build the module for that Python"
    )]
    OtherPython { folder: String, found: String },
    #[error(
        "{folder} has no folder lib/python{VERSION}/site-packages, so that it is of another Python or not whole: make it anew with 'python{VERSION} -m venv --clear {folder}'"
    )]
    NoPackages { folder: String },
    #[error("{path} cannot be read: {reason}")]
    Unreadable { path: String, reason: String },
    #[error(
        "{folder} has no bin/python that leads to a program, perhaps because the Python that it was made with is gone: make it anew with 'python{VERSION} -m venv --clear {folder}'"
    )]
    NoProgram { folder: String },
}

impl VenvError {
    fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::Unreadable { path: path.display().to_string(), reason: error.to_string() }
    }

    /// The number of the message.
    pub fn number(&self) -> &'static str {
        match self {
            Self::NoFolder { .. } => "MP0230",
            Self::NoMark { .. } => "MP0231",
            Self::OtherPython { .. } | Self::NoPackages { .. } => "MP0232",
            Self::Unreadable { .. } => "MP0233",
            Self::NoProgram { .. } => "MP0234",
        }
    }
}

impl fmt::Display for Venv {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.folder)
    }
}

impl Venv {
    /// The one in this folder, an absolute path.
    pub fn new(folder: &str) -> Self {
        let folder = folder.trim_end_matches('/');
        Self { folder: if folder.is_empty() { "/" } else { folder }.to_owned() }
    }

    /// Whether there is one in a folder, whatever it is worth.
    pub fn is_in(folder: &str) -> bool {
        Path::new(folder).join(MARK).exists()
    }

    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// `sys.executable` of its interpreters.
    pub fn program(&self) -> PathBuf {
        self.path("bin/python")
    }

    fn packages(&self) -> PathBuf {
        self.path(&format!("lib/python{VERSION}/site-packages"))
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.folder).join(name)
    }

    /// What its interpreters read: folders and files.
    pub fn needs(&self) -> Vec<PathBuf> {
        let mark = self.path(MARK);
        let mut all = vec![PathBuf::from(&self.folder), self.packages(), self.program()];
        if mark.exists() {
            all.push(mark);
        }
        all
    }

    /// Looks whether this Python can use it.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn check(&self) -> Result<(), VenvError> {
        let folder = || self.folder.clone();
        match fs::metadata(&self.folder) {
            Ok(found) if found.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(VenvError::unreadable(Path::new(&self.folder), &error));
            }
            _ => return Err(VenvError::NoFolder { folder: folder() }),
        }
        match self.made_by()? {
            Some(found) if found != VERSION => {
                return Err(VenvError::OtherPython { folder: folder(), found: format!("Python {found}") });
            }
            _ => {}
        }
        match fs::read_dir(self.packages()) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(VenvError::NoPackages { folder: folder() });
            }
            Err(error) => return Err(VenvError::unreadable(&self.packages(), &error)),
        }
        match fs::metadata(self.program()) {
            Ok(found) if found.is_file() => Ok(()),
            _ => Err(VenvError::NoProgram { folder: folder() }),
        }
    }

    /// The X.Y that it was made for, where it says so.
    fn made_by(&self) -> Result<Option<String>, VenvError> {
        let path = self.path(MARK);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.made_by_conda(),
            Err(error) => return Err(VenvError::unreadable(&path, &error)),
        };
        let text = String::from_utf8_lossy(&text);
        let entry = |key: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once('='));
            lines.find(|(known, _)| known.trim().eq_ignore_ascii_case(key)).map(|(_, value)| value.trim())
        };
        // virtualenv and uv write these, venv writes `version` only.
        if let Some(other) = entry("implementation").filter(|name| !name.eq_ignore_ascii_case("CPython")) {
            return Err(VenvError::OtherPython { folder: self.folder.clone(), found: other.to_owned() });
        }
        let version = entry("version_info").or_else(|| entry("version"));
        Ok(version.map(|version| version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")))
    }

    /// An environment of conda's has no mark but its own: a whole Python with its packages.
    fn made_by_conda(&self) -> Result<Option<String>, VenvError> {
        if self.path("conda-meta").is_dir() {
            let versions = fs::read_dir(self.path("lib")).into_iter().flatten().flatten().filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let version = name.strip_prefix("python").filter(|version| version.contains('.'))?.to_owned();
                entry.path().join("site-packages").is_dir().then_some(version)
            });
            let mut versions: Vec<_> = versions.collect();
            versions.sort_by_key(|version| version != VERSION);
            return Ok(versions.into_iter().next());
        }
        let above = Path::new(&self.folder).ancestors().skip(1).find(|above| above.join(MARK).exists());
        let way_out = match above {
            Some(above) => format!("write {}, which has one", above.display()),
            None => format!("name the folder that 'python{VERSION} -m venv' has made"),
        };
        Err(VenvError::NoMark { folder: self.folder.clone(), way_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder for a test, removed with the value.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mod_python-venv-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join(format!("lib/python{VERSION}/site-packages"))).unwrap();
            fs::create_dir_all(path.join("bin")).unwrap();
            fs::write(path.join("bin/python"), "").unwrap();
            Self(path)
        }

        fn check(&self) -> Result<(), &'static str> {
            Venv::new(&self.0.display().to_string()).check().map_err(|error| error.number())
        }

        fn check_with(&self, configuration: &str) -> Result<(), &'static str> {
            fs::write(self.0.join(MARK), configuration).unwrap();
            self.check()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn its_version_is_read_as_each_tool_writes_it() {
        let folder = Folder::new("version");
        assert_eq!(folder.check_with(&format!("home = /usr/bin\nversion = {VERSION}.2\n")), Ok(()));
        assert_eq!(folder.check_with(&format!("implementation = CPython\nVERSION_INFO={VERSION}.2.final.0\n")), Ok(()));
        assert_eq!(folder.check_with("home = /usr/bin\n"), Ok(()), "by its folders");
        assert_eq!(folder.check_with("version = 3.1.2\n"), Err("MP0232"));
        assert_eq!(folder.check_with(&format!("implementation = PyPy\nversion_info = {VERSION}.2\n")), Err("MP0232"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let folder = Folder::new("missing");
        assert_eq!(folder.check(), Err("MP0231"));
        fs::create_dir(folder.0.join("conda-meta")).unwrap();
        assert_eq!(folder.check(), Ok(()), "as conda makes it");
        assert_eq!(folder.check_with("home = /usr/bin\n"), Ok(()));
        fs::remove_file(folder.0.join("bin/python")).unwrap();
        assert_eq!(folder.check(), Err("MP0234"));
        fs::remove_dir(folder.0.join(format!("lib/python{VERSION}/site-packages"))).unwrap();
        assert_eq!(folder.check(), Err("MP0232"));
        assert_eq!(Venv::new("/no/such/folder/").check().map_err(|error| error.number()), Err("MP0230"));
    }

    #[test]
    fn a_folder_in_a_venv_is_answered_with_the_venv() {
        let folder = Folder::new("inner");
        let _ = folder.check_with("home = /usr/bin\n");
        let inner = Venv::new(&folder.0.join("bin").display().to_string());
        let sentence = inner.check().unwrap_err().to_string();
        assert!(sentence.contains(&format!("write {}, which", folder.0.display())), "{sentence}");
    }
}
