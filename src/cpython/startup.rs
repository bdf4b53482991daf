//! Starting Python in this process.

use std::ffi::{CStr, CString, c_char};

use crate::ffi::python as py;

use super::thread::status_text;

/// How Python is started.
pub struct StartOptions<'a> {
    /// `PYTHONHOME` as CPython takes it; ignored where the environment has its own.
    pub home: &'a str,
    /// `sys.executable`: what `subprocess` and `multiprocessing` start.
    pub executable: &'a str,
    /// As `python -O`: 0, 1 or 2.
    pub optimization: i32,
    /// Builtin modules: name and init function.
    pub modules: &'a [(&'static CStr, unsafe extern "C" fn() -> *mut py::PyObject)],
}

/// Why Python did not start.
#[derive(Debug)]
pub enum StartError {
    /// Somebody else in this process has started Python.
    Running,
    /// Another libpython answers: its version, as X.Y.
    OtherVersion(String),
    /// What CPython says.
    Refused(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running => write!(out, "another module of this httpd has already started Python in the process"),
            Self::OtherVersion(found) => write!(
                out,
                "the module was built for Python {} but the libpython loaded in this process is {found}",
                env!("MOD_PYTHON_PY_VERSION")
            ),
            Self::Refused(sentence) => write!(out, "{sentence}"),
        }
    }
}

/// The X.Y of the libpython that is loaded. Callable before Python is started.
pub fn loaded_version() -> String {
    full_version().splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

/// The version of the libpython that is loaded, such as `3.11.2`. Callable before Python is started.
pub fn full_version() -> String {
    // SAFETY: returns a static string at any time.
    let text = unsafe { CStr::from_ptr(py::Py_GetVersion()) }.to_string_lossy();
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Starts Python and returns the main interpreter, with this thread detached from it.
///
/// The main interpreter's first thread state stays parked: it belongs to this thread.
///
/// # Errors
/// See `StartError`; httpd goes on without Python then.
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
        preinitialise()?;
        initialise(options)?;
        let state = py::PyThreadState_Get();
        let interpreter = py::PyThreadState_GetInterpreter(state);
        super::thread::adopt(interpreter, state);
        py::PyEval_SaveThread();
        super::thread::open();
        Ok(interpreter)
    }
}

/// UTF-8 whatever locale httpd runs in, and the process's locale left alone.
unsafe fn preinitialise() -> Result<(), StartError> {
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

unsafe fn initialise(options: &StartOptions<'_>) -> Result<(), StartError> {
    // SAFETY: the structure is filled by CPython, and cleared on every way out.
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

unsafe fn fill_and_start(config: &mut py::PyConfig, options: &StartOptions<'_>) -> Result<(), StartError> {
    let text = |text: &str| CString::new(text).map_err(|_| StartError::Refused("a path contains NUL".into()));
    // SAFETY: the caller's; the strings are copied by CPython.
    unsafe {
        let home = text(options.home)?;
        let executable = text(options.executable)?;
        let config: *mut py::PyConfig = config;
        if std::env::var_os("PYTHONHOME").is_none() {
            checked(py::PyConfig_SetBytesString(config, &raw mut (*config).home, home.as_ptr()))?;
        }
        checked(py::PyConfig_SetBytesString(config, &raw mut (*config).executable, executable.as_ptr()))?;
        let mut arguments: [*const c_char; 1] = [c"mod_python".as_ptr()];
        checked(py::PyConfig_SetBytesArgv(config, 1, arguments.as_mut_ptr()))?;
        checked(py::Py_InitializeFromConfig(config))
    }
}

fn checked(status: py::PyStatus) -> Result<(), StartError> {
    // SAFETY: the status is CPython's own.
    match unsafe { py::PyStatus_Exception(status) } {
        0 => Ok(()),
        _ => Err(StartError::Refused(status_text(&status))),
    }
}
