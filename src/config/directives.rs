//! The directives: each command function reads its arguments into the records, or says what is wrong with them.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use crate::cpython;
use crate::ffi::httpd as raw;
use crate::httpd::{Pool, Server, Table, bytes_at};
use crate::interpreter::{Gil, MAIN};

use super::generation::Generation;
use super::handlers::{self, HandlerList, Origin, Phase};
use super::records::{DirectoryConfig, Import, PathExpression, ServerConfig, Settings};
use super::section::Section;

/// The commands of this module, as httpd's `module` record takes them.
#[repr(transparent)]
pub struct Commands([raw::command_rec; 12]);

// SAFETY: literals and function pointers only; httpd does not write to it.
unsafe impl Sync for Commands {}

impl Commands {
    pub const fn as_ptr(&self) -> *const raw::command_rec {
        self.0.as_ptr()
    }
}

/// Server config, virtual hosts, sections and .htaccess files under any AllowOverride.
const ANYWHERE: c_int = raw::OR_ALL as c_int;
/// Server config and virtual hosts only.
const SERVER: c_int = raw::RSRC_CONF as c_int;

pub static COMMANDS: Commands = Commands([
    raw_line(
        c"PythonHandler",
        python_handler,
        ANYWHERE,
        c"handlers (module[::object] ...) for the content phase, and optionally '| .ext ...'",
    ),
    one(c"PythonInterpreter", python_interpreter, ANYWHERE, c"the name of the interpreter"),
    flag(
        c"PythonInterpPerDirectory",
        python_interp_per_directory,
        ANYWHERE,
        c"On: an interpreter for each directory of a file",
    ),
    flag(
        c"PythonInterpPerDirective",
        python_interp_per_directive,
        ANYWHERE,
        c"On: an interpreter for each section that holds a handler directive",
    ),
    one(c"PythonPath", python_path, ANYWHERE, c"a Python expression for sys.path, such as \"['/srv/app'] + sys.path\""),
    one_or_two(
        c"PythonOption",
        python_option,
        ANYWHERE,
        c"a name and its value; without a value the option is removed",
    ),
    flag(c"PythonAutoReload", python_auto_reload, ANYWHERE, c"Off: changed modules are not imported again"),
    flag(c"PythonDebug", python_debug, ANYWHERE, c"On: the client is shown the traceback of an error"),
    two(
        c"PythonImport",
        python_import,
        SERVER,
        c"module[::function] and the name of the interpreter to import it in when a child starts",
    ),
    flag(c"PythonOptimize", python_optimize, SERVER, c"On: Python runs as with -OO, in the whole process"),
    argv(
        c"PythonInterpreterOptions",
        python_interpreter_options,
        SERVER,
        c"an interpreter's name or *, and key=value pairs: gil=shared|own",
    ),
    END,
]);

const END: raw::command_rec = raw::command_rec {
    name: ptr::null(),
    func: raw::cmd_func { no_args: None },
    cmd_data: ptr::null_mut(),
    req_override: 0,
    args_how: raw::cmd_how_NO_ARGS,
    errmsg: ptr::null(),
};

type Parameters = *mut raw::cmd_parms;
type Message = *const c_char;

const fn command(
    name: &'static CStr,
    func: raw::cmd_func,
    how: raw::cmd_how,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    raw::command_rec {
        name: name.as_ptr(),
        func,
        cmd_data: ptr::null_mut(),
        req_override: context,
        args_how: how,
        errmsg: help.as_ptr(),
    }
}

const fn raw_line(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, *const c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { raw_args: Some(function) }, raw::cmd_how_RAW_ARGS, context, help)
}

const fn one(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, *const c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { take1: Some(function) }, raw::cmd_how_TAKE1, context, help)
}

const fn one_or_two(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, *const c_char, *const c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { take2: Some(function) }, raw::cmd_how_TAKE12, context, help)
}

const fn two(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, *const c_char, *const c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { take2: Some(function) }, raw::cmd_how_TAKE2, context, help)
}

const fn flag(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, c_int) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { flag: Some(function) }, raw::cmd_how_FLAG, context, help)
}

const fn argv(
    name: &'static CStr,
    function: unsafe extern "C" fn(Parameters, *mut c_void, c_int, *const *mut c_char) -> Message,
    context: c_int,
    help: &'static CStr,
) -> raw::command_rec {
    command(name, raw::cmd_func { take_argv: Some(function) }, raw::cmd_how_TAKE_ARGV, context, help)
}

/// A directive being read.
struct Reading<'p> {
    parameters: Parameters,
    directory: &'p mut DirectoryConfig<'p>,
}

impl<'p> Reading<'p> {
    fn pool(&self) -> Pool<'p> {
        // SAFETY: the record's pool lives as long as what is configured.
        unsafe { Pool::from_raw((*self.parameters).pool) }
    }

    fn server(&self) -> Server<'p> {
        // SAFETY: httpd always gives the server that the directive is for.
        unsafe { Server::from_raw((*self.parameters).server).unwrap_unchecked() }
    }

    fn server_record(&mut self) -> &mut ServerConfig<'p> {
        // SAFETY: made by `create_server`; httpd reads its configuration in one thread.
        unsafe { &mut *crate::httpd::config_entry::<ServerConfig>(self.server().fields().module_config) }
    }

    /// What the configuration says about the process; `None` in a .htaccess file, which httpd reads per request.
    fn generation(&self) -> Option<&'p mut Generation> {
        // SAFETY: .htaccess files are read with the request's pool for both; else it is the configuration's.
        unsafe {
            let parameters = &*self.parameters;
            (parameters.pool != parameters.temp_pool).then(|| Generation::of(self.pool()))
        }
    }

    /// Sets a value in the section's record and, outside of any section, in the server's too.
    fn set(&mut self, set: impl Fn(&mut Settings<'p>)) {
        set(&mut self.directory.settings);
        // SAFETY: the record of a command function being called.
        if unsafe { (*self.parameters).path }.is_null() {
            set(&mut self.server_record().settings);
        }
    }

    fn origin(&self) -> Origin<'p> {
        // SAFETY: the directive, where there is one, lives as long as its configuration; the name is copied.
        unsafe {
            let Some(directive) = (*self.parameters).directive.as_ref() else {
                return Origin { file: "", line: 0 };
            };
            let file = String::from_utf8_lossy(bytes_at(directive.filename).unwrap_or_default());
            Origin { file: self.pool().text(&file), line: directive.line_num.max(0) as u32 }
        }
    }

    fn text(&self, argument: *const c_char) -> Result<&'p str, String> {
        // SAFETY: an argument of the directive, in the configuration's pool or copied to it.
        let bytes = unsafe { bytes_at(argument) }.unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(self.pool().text(text)),
            Err(_) => Err(format!("MP0204: {} has an argument that is not UTF-8", self.name())),
        }
    }

    fn name(&self) -> String {
        // SAFETY: the command's name is a literal of the table above.
        unsafe { String::from_utf8_lossy(bytes_at((*(*self.parameters).cmd).name).unwrap_or_default()).into_owned() }
    }
}

/// Runs a command function; its error, or a panic's, is what httpd prints with the file and line.
unsafe fn read(
    parameters: Parameters,
    record: *mut c_void,
    work: impl FnOnce(&mut Reading<'_>) -> Result<(), String>,
) -> Message {
    // SAFETY: httpd calls with its command record and the record made by `create_directory`.
    let mut reading = Reading { parameters, directory: unsafe { &mut *record.cast::<DirectoryConfig>() } };
    let outcome = cpython::caught(|| work(&mut reading))
        .unwrap_or_else(|panic| Err(format!("MP0205: mod_python has a defect in reading this directive: {panic}")));
    match outcome {
        Ok(()) => ptr::null(),
        Err(sentence) => reading.pool().c_string(sentence.as_bytes()).as_ptr(),
    }
}

unsafe extern "C" fn python_handler(parameters: Parameters, record: *mut c_void, arguments: *const c_char) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let parsed = handlers::parse(Phase::Content, reading.text(arguments)?)?;
            let section = Section::of(reading.parameters);
            let place = Phase::Content as usize;
            let list = HandlerList::append(
                reading.directory.handlers[place],
                &parsed,
                section,
                reading.origin(),
                reading.pool(),
            );
            reading.directory.handlers[place] = Some(reading.pool().value(list));
            if let Some(generation) = reading.generation() {
                generation.uses_python = true;
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn python_interpreter(parameters: Parameters, record: *mut c_void, name: *const c_char) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            // httpd refuses an empty argument itself.
            let name = reading.pool().slice(bytes_at(name).unwrap_or_default());
            reading.set(|settings| settings.interpreter = Some(name));
            Ok(())
        })
    }
}

unsafe extern "C" fn python_interp_per_directory(parameters: Parameters, record: *mut c_void, on: c_int) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            // Only for requests: a server has no folder of a file (mod_python does not copy it either).
            reading.directory.settings.per_directory = Some(on != 0);
            Ok(())
        })
    }
}

unsafe extern "C" fn python_interp_per_directive(parameters: Parameters, record: *mut c_void, on: c_int) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            reading.set(|settings| settings.per_directive = Some(on != 0));
            Ok(())
        })
    }
}

unsafe extern "C" fn python_path(parameters: Parameters, record: *mut c_void, expression: *const c_char) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let expression = reading.text(expression)?;
            if expression.trim().is_empty() {
                return Err("MP0207: PythonPath is empty: write a Python expression for a list of folders, such as \"['/srv/app'] + sys.path\"".into());
            }
            reading.set(|settings| settings.path = Some(PathExpression::new(expression)));
            Ok(())
        })
    }
}

unsafe extern "C" fn python_option(
    parameters: Parameters,
    record: *mut c_void,
    key: *const c_char,
    value: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let pool = reading.pool();
            let key = pool.c_string(bytes_at(key).unwrap_or_default());
            let value = pool.c_string(bytes_at(value).unwrap_or_default());
            reading.set(|settings| settings.options.get_or_insert_with(|| Table::new(pool)).set(key, value));
            Ok(())
        })
    }
}

unsafe extern "C" fn python_auto_reload(parameters: Parameters, record: *mut c_void, on: c_int) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            reading.set(|settings| settings.auto_reload = Some(on != 0));
            Ok(())
        })
    }
}

unsafe extern "C" fn python_debug(parameters: Parameters, record: *mut c_void, on: c_int) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            reading.set(|settings| settings.debug = Some(on != 0));
            Ok(())
        })
    }
}

unsafe extern "C" fn python_import(
    parameters: Parameters,
    record: *mut c_void,
    what: *const c_char,
    interpreter: *const c_char,
) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            let what = reading.text(what)?;
            let (module, function) = match what.split_once("::") {
                None => (what, None),
                Some((module, function)) => (module, Some(function)),
            };
            let is_name = |name: &str| name.split('.').all(|part| !part.is_empty() && !part.contains(['/', ':']));
            let interpreter = reading.pool().slice(bytes_at(interpreter).unwrap_or_default());
            if !is_name(module) || !function.is_none_or(is_name) {
                return Err(format!(
                    "MP0208: PythonImport: '{what}' is not understood: write module or module::function, both dotted Python names, and then the name of the interpreter"
                ));
            }
            let origin = reading.origin();
            let Some(generation) = reading.generation() else {
                return Ok(());
            };
            generation.uses_python = true;
            generation.imports += 1;
            let import = Import { module, function, interpreter, origin, order: generation.imports };
            let pool = reading.pool();
            let record = reading.server_record();
            record.imports = pool.slice(&[record.imports, &[import]].concat());
            Ok(())
        })
    }
}

unsafe extern "C" fn python_optimize(parameters: Parameters, record: *mut c_void, on: c_int) -> Message {
    // SAFETY: a command function.
    unsafe {
        read(parameters, record, |reading| {
            // One setting for the process: On in one place is not undone by Off in another.
            if let Some(generation) = reading.generation() {
                generation.optimize |= on != 0;
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn python_interpreter_options(
    parameters: Parameters,
    record: *mut c_void,
    count: c_int,
    words: *const *mut c_char,
) -> Message {
    // SAFETY: a command function; the words are `count` strings.
    unsafe {
        read(parameters, record, |reading| {
            let words = (0..count.max(0) as usize)
                .map(|index| reading.text(*words.add(index)))
                .collect::<Result<Vec<_>, _>>()?;
            let Some((name, settings)) = words.split_first().filter(|(_, settings)| !settings.is_empty()) else {
                return Err(format!(
                    "MP0209: PythonInterpreterOptions takes an interpreter's name or *, then key=value …: {ALLOWED}"
                ));
            };
            settings.iter().try_for_each(|setting| interpreter_option(reading, name, setting))
        })
    }
}

const ALLOWED: &str = "the keys are gil=shared|own";

fn interpreter_option(reading: &Reading<'_>, name: &str, setting: &str) -> Result<(), String> {
    let gil = match setting.split_once('=') {
        Some(("gil", "shared")) => Gil::Shared,
        Some(("gil", "own")) => Gil::Own,
        Some(("gil", value)) => {
            return Err(format!("MP0209: PythonInterpreterOptions {name}: gil={value} is not a mode: {ALLOWED}"));
        }
        _ => return Err(format!("MP0209: PythonInterpreterOptions {name}: '{setting}' is not known: {ALLOWED}")),
    };
    if gil == Gil::Own && !Gil::OWN_SUPPORTED {
        return Err(format!(
            "MP0210: PythonInterpreterOptions {name} gil=own: an interpreter with a GIL of its own needs Python 3.12 or later; this module was built for Python {}",
            env!("MOD_PYTHON_PY_VERSION")
        ));
    }
    if gil == Gil::Own && name.as_bytes() == MAIN {
        return Err("MP0211: PythonInterpreterOptions main_interpreter gil=own: the main interpreter's GIL is the shared one; give the handler an interpreter of another name".into());
    }
    let Some(generation) = reading.generation() else {
        return Ok(());
    };
    let key = (name != "*").then_some(name.as_bytes());
    generation.gil.set(key, gil).map_err(|known| {
        format!(
            "MP0212: PythonInterpreterOptions {name} gil={gil} contradicts the gil={known} that was given for the same name before: an interpreter is shared by all servers that name it, so keep one of the two"
        )
    })
}
