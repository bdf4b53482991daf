//! Starting Python in this process.

use std::ffi::{CStr, CString, c_char};

use crate::ffi::python as py;

use crate::process::blocking;

use super::gilstate;
use super::site::{self, PutOff};
use super::thread_state::{self, ThreadStates};

/// How Python is started.
pub struct StartOptions<'a> {
    pub home: &'a Home,
    /// `sys.executable`, which `multiprocessing` starts.
    pub executable: &'a str,
    /// As `python -O`: 0, 1 or 2.
    pub optimization: i32,
    /// Some interpreters get an empty `site` (`NewOptions::puts_site_off`).
    pub can_put_site_off: bool,
    /// The main one does.
    pub puts_site_off: bool,
    /// Builtin modules: name and init function.
    pub modules: &'a [(&'static CStr, unsafe extern "C" fn() -> *mut py::PyObject)],
}

/// Why Python did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another module has started Python in this process.
    #[error("another module of this httpd has already started Python in the process. Load only one of them")]
    Running,
    /// Another libpython is loaded: its version, as X.Y.
    #[error(
        "the module was built for Python {built} but the libpython loaded in this process is {0}. Build it for that one, or have httpd load the other",
        built = env!("MOD_PYTHON_PY_VERSION")
    )]
    OtherVersion(String),
    /// CPython's message, and its home.
    #[error("{0}. {1}")]
    Refused(String, Home),
    /// The libpython keeps the thread state of `PyGILState_*` in another place than its headers say.
    #[error(
        "this libpython ({}) keeps the thread states of extension modules in another place than the Python headers that mod_python was built with say. Build mod_python with the headers of the libpython that httpd loads",
        full_version()
    )]
    GilState,
}

/// CPython's message when it does not start.
struct Refused(String);

/// Where Python looks for its standard library.
#[derive(Clone, Debug)]
pub enum Home {
    /// The home of the Python that the module was built for.
    BuiltIn,
    /// PYTHONHOME of the environment.
    Environment(String),
    /// `PythonHome` of the configuration.
    Directive(String),
}

impl Home {
    /// The configuration's, else the environment's, else that of the Python that the module was built for.
    pub fn choose(directive: Option<&str>) -> Self {
        let environment = || std::env::var_os("PYTHONHOME").filter(|home| !home.is_empty());
        match (directive, environment) {
            (Some(home), _) => Self::Directive(home.to_owned()),
            (None, environment) => match environment() {
                Some(home) => Self::Environment(home.to_string_lossy().into_owned()),
                None => Self::BuiltIn,
            },
        }
    }

    /// What CPython is told; the environment it reads itself.
    fn text(&self) -> Option<&str> {
        match self {
            Self::BuiltIn => Some(env!("MOD_PYTHON_PY_HOME")),
            Self::Environment(_) => None,
            Self::Directive(home) => Some(home),
        }
    }
}

impl std::fmt::Display for Home {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuiltIn => write!(
                out,
                "Its home is {}: is it there, and can the user of httpd read it?",
                env!("MOD_PYTHON_PY_HOME")
            ),
            Self::Directive(home) => write!(
                out,
                "Its home is {home}, from PythonHome: have it name the prefix of a Python {} that the user of httpd can read, or leave it out",
                env!("MOD_PYTHON_PY_VERSION")
            ),
            Self::Environment(home) => write!(
                out,
                "Its home is {home}, from PYTHONHOME in httpd's environment: take that out (Debian: /etc/apache2/envvars), or have it name the home of a Python {} that the user of httpd can read",
                env!("MOD_PYTHON_PY_VERSION")
            ),
        }
    }
}

/// The version of the libpython that is loaded, as X.Y. Can be called before Python is started.
pub fn loaded_version() -> String {
    full_version().splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

/// The version of the libpython that is loaded, such as `3.11.2`. Can be called before Python is started.
pub fn full_version() -> String {
    // SAFETY: returns a static string at any time.
    let text = unsafe { CStr::from_ptr(py::Py_GetVersion()) }.to_string_lossy();
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Starts Python and returns the main interpreter, with this thread detached from it.
///
/// The main interpreter's first thread state belongs to this thread.
///
/// # Errors
/// See `StartError`; httpd goes on without Python.
pub fn start(options: &StartOptions<'_>) -> Result<*mut py::PyInterpreterState, StartError> {
    // SAFETY: callable at any time.
    if unsafe { py::Py_IsInitialized() } != 0 {
        return Err(StartError::Running);
    }
    let loaded = loaded_version();
    if loaded != env!("MOD_PYTHON_PY_VERSION") {
        return Err(StartError::OtherVersion(loaded));
    }
    // SAFETY: Python is not initialised and this thread is the only one that starts it.
    unsafe {
        for (name, init) in options.modules {
            py::PyImport_AppendInittab(name.as_ptr(), Some(*init));
        }
        let refused = |Refused(sentence)| StartError::Refused(sentence, options.home.clone());
        if options.can_put_site_off {
            site::register();
        }
        preinitialise().map_err(refused)?;
        let put_off = options.puts_site_off.then(PutOff::new);
        initialise(options).map_err(refused)?;
        drop(put_off);
        let state = py::PyThreadState_Get();
        let interpreter = py::PyThreadState_GetInterpreter(state);
        ThreadStates::with(|thread| {
            thread.add_creation(interpreter, state);
            thread.set_current(state);
            thread.clear_current();
        });
        let is_bound = gilstate::is_bound(state);
        py::PyEval_SaveThread();
        if !is_bound {
            return Err(StartError::GilState);
        }
        blocking::set_runner(super::attached::run_detached, thread_state::is_any_attached);
        thread_state::open();
        Ok(interpreter)
    }
}

/// Uses UTF-8 whatever the locale of httpd is, and does not change the locale of the process.
unsafe fn preinitialise() -> Result<(), Refused> {
    // SAFETY: the structure is filled by CPython before it is used.
    unsafe {
        let mut config = std::mem::zeroed();
        py::PyPreConfig_InitPythonConfig(&mut config);
        config.parse_argv = 0;
        config.configure_locale = 0;
        config.coerce_c_locale = 0;
        config.utf8_mode = if std::env::var_os("PYTHONUTF8").is_some() { -1 } else { 1 };
        checked(py::Py_PreInitialize(&config))
    }
}

unsafe fn initialise(options: &StartOptions<'_>) -> Result<(), Refused> {
    // SAFETY: the structure is filled by CPython, and cleared on every return.
    unsafe {
        let mut config: py::PyConfig = std::mem::zeroed();
        py::PyConfig_InitPythonConfig(&mut config);
        config.parse_argv = 0;
        config.install_signal_handlers = 0;
        config.user_site_directory = 0;
        config.configure_c_stdio = 0;
        config.pathconfig_warnings = 0;
        config.optimization_level = options.optimization;
        let outcome = fill_and_start(&mut config, options);
        py::PyConfig_Clear(&mut config);
        outcome
    }
}

unsafe fn fill_and_start(config: &mut py::PyConfig, options: &StartOptions<'_>) -> Result<(), Refused> {
    let text = |text: &str| CString::new(text).map_err(|_| Refused("a path contains NUL".to_owned()));
    // SAFETY: the caller's; the strings are copied by CPython.
    unsafe {
        let executable = text(options.executable)?;
        let config: *mut py::PyConfig = config;
        if let Some(home) = options.home.text() {
            checked(py::PyConfig_SetBytesString(config, &raw mut (*config).home, text(home)?.as_ptr()))?;
        }
        checked(py::PyConfig_SetBytesString(config, &raw mut (*config).executable, executable.as_ptr()))?;
        let mut arguments: [*const c_char; 1] = [c"mod_python".as_ptr()];
        checked(py::PyConfig_SetBytesArgv(config, 1, arguments.as_mut_ptr()))?;
        checked(py::Py_InitializeFromConfig(config))
    }
}

fn checked(status: py::PyStatus) -> Result<(), Refused> {
    // SAFETY: the status is CPython's own.
    match unsafe { py::PyStatus_Exception(status) } {
        0 => Ok(()),
        _ => Err(Refused(status_text(&status))),
    }
}

/// The message of a status, as `function: message`.
pub(super) fn status_text(status: &py::PyStatus) -> String {
    let text = |pointer: *const c_char| match pointer.is_null() {
        true => String::new(),
        // SAFETY: a status holds string literals of CPython.
        false => unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned(),
    };
    match (text(status.func), text(status.err_msg)) {
        (function, message) if function.is_empty() => message,
        (function, message) => format!("{function}: {message}"),
    }
}
