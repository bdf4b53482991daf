//! The virtual environment with the frameworks, made once for all tests of a process from what PyPI has now.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::OnceLock;
use std::{env, io};

use crate::fixture::{not_tested, python_version};

const PACKAGES: [&str; 5] = ["Django", "Flask", "bottle", "falcon", "pyramid"];

/// Those with a front end for mod_python. Trac asks setuptools for its plugins.
const FRONT_ENDS: [&str; 4] = ["CherryPy", "Trac", "roundup", "setuptools<81"];

static VENV: OnceLock<Result<Venv, String>> = OnceLock::new();
static WITH_REDIS: OnceLock<Result<(), String>> = OnceLock::new();
static WITH_FRONT_ENDS: OnceLock<Result<(), String>> = OnceLock::new();

/// An environment with all of them, and a Django project with its database and its static files.
pub struct Venv {
    root: PathBuf,
}

impl Venv {
    /// The one of this process, or none, which is said: there is no Python to make it with, or no PyPI.
    pub fn get() -> Option<&'static Venv> {
        match VENV.get_or_init(Venv::make) {
            Ok(venv) => Some(venv),
            Err(why) => {
                not_tested(why);
                None
            }
        }
    }

    /// The same with the applications that bring a front end for mod_python, and a project of each.
    pub fn with_front_ends() -> Option<&'static Venv> {
        let venv = Venv::get()?;
        match WITH_FRONT_ENDS.get_or_init(|| venv.add_front_ends()) {
            Ok(()) => Some(venv),
            Err(why) => {
                not_tested(why);
                None
            }
        }
    }

    /// The same with what a store on a server needs.
    pub fn with_redis() -> Option<&'static Venv> {
        let venv = Venv::get()?;
        match WITH_REDIS.get_or_init(|| venv.install(&["redis"])) {
            Ok(()) => Some(venv),
            Err(why) => {
                not_tested(why);
                None
            }
        }
    }

    fn add_front_ends(&self) -> Result<(), String> {
        self.install(&FRONT_ENDS)?;
        // What goes wrong from here on is no matter of the network.
        self.start_trackers().unwrap_or_else(|error| panic!("the projects of Trac and Roundup: {error}"));
        Ok(())
    }

    fn start_trackers(&self) -> Result<(), String> {
        run(self.program("trac-admin").arg(self.root.join("trac")).args(["initenv", "project", "sqlite:db/trac.db"]))?;
        let admin = |arguments: &[&str]| {
            run(self.program("roundup-admin").arg("-i").arg(self.root.join("tracker")).args(arguments))
        };
        let settings = "mail_domain=example.org,mail_host=localhost,tracker_web=http://tracker.test/roundup/";
        admin(&["install", "classic", "anydbm", settings])?;
        admin(&["initialise", "a-password"])
    }

    fn install(&self, packages: &[&str]) -> Result<(), String> {
        let mut pip = self.program("pip");
        run(pip.args(["install", "--quiet", "--retries", "1", "--timeout", "60"]).args(packages))
            .map_err(|error| format!("pip has not all of {} to test with: {error}", packages.join(", ")))
    }

    fn make() -> Result<Venv, String> {
        remove_old();
        let venv = Venv { root: root() };
        // SAFETY: the function unwinds into nobody.
        assert_eq!(unsafe { libc::atexit(remove) }, 0);
        let (major, minor) = python_version();
        let python = env::var("PYO3_PYTHON").unwrap_or_else(|_| format!("python{major}.{minor}"));
        run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&venv.root))
            .map_err(|error| format!("there is no virtual environment for Python {major}.{minor}: {error}"))?;
        venv.install(&PACKAGES)?;
        // What goes wrong from here on is no matter of the network.
        venv.start_project().unwrap_or_else(|error| panic!("the Django project: {error}"));
        Ok(venv)
    }

    fn start_project(&self) -> Result<(), String> {
        let project = self.project();
        fs::create_dir_all(&project).map_err(|error| error.to_string())?;
        run(self.program("django-admin").args(["startproject", "mysite"]).arg(&project))?;
        let settings = project.join("mysite/settings.py");
        let text = fs::read_to_string(&settings).expect("startproject has written it");
        fs::write(&settings, text + include_str!("django_more.py")).expect("a file of ours");
        fs::write(project.join("site_urls.py"), include_str!("django_urls.py")).expect("a file of ours");
        fs::create_dir_all(self.root.join("scratch")).expect("a folder of ours");
        for arguments in [
            &["migrate", "--verbosity", "0"][..],
            &["collectstatic", "--noinput", "--verbosity", "0"],
            &["createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.org"],
        ] {
            let mut python = self.program("python");
            run(python.arg(project.join("manage.py")).args(arguments).env("DJANGO_SUPERUSER_PASSWORD", "a-password"))?;
        }
        Ok(())
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.root.join("bin").join(name));
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the Django project.
    pub fn project(&self) -> PathBuf {
        self.root.join("htdocs/project")
    }

    /// The project's database, with its tables and the user "admin" in it.
    pub fn database(&self) -> PathBuf {
        self.root.join("scratch/db.sqlite3")
    }
}

const NAME: &str = "mod_python-frameworks-";

/// The folder of this process's.
fn root() -> PathBuf {
    env::temp_dir().join(format!("{NAME}{}", process::id()))
}

/// What the test process does last.
extern "C" fn remove() {
    let _: io::Result<()> = fs::remove_dir_all(root());
}

/// Those of test processes that were killed.
fn remove_old() {
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(NAME) else { continue };
        if !Path::new("/proc").join(pid).exists() {
            let _: io::Result<()> = fs::remove_dir_all(entry.path());
        }
    }
}

/// Runs a command to its end; in the error, its last words.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(()),
        false => Err(said.trim().lines().last().unwrap_or("it failed without a word").to_owned()),
    }
}
