//! The directives as a table. A row has a directive's name, its contexts, the kind of its arguments with the function that reads them, and its
//! help.
//!
//! There is one command function for each kind of arguments. httpd passes it the row.

mod application;
mod interpreter_options;
mod process;
mod programs;
mod reading;
mod require;
mod store;
mod values;
mod wsgi;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use crate::ffi::httpd as raw;

use super::error::ConfigError;
use super::flags::Flag;
use super::phase::Phase;
use reading::{Message, Parameters, Reading, read};

pub use require::parse_require;
pub use wsgi::other_user;

/// Server config, virtual hosts, sections and .htaccess files under any AllowOverride.
pub(super) const ANYWHERE: c_int = raw::OR_ALL as c_int;
/// Server config and virtual hosts only.
const SERVER: c_int = raw::RSRC_CONF as c_int;
/// Server config, virtual hosts and sections, but no .htaccess file.
const SECTIONS: c_int = (raw::RSRC_CONF | raw::ACCESS_CONF) as c_int;
/// Servers, sections, and .htaccess files where AllowOverride has FileInfo.
const FILE: c_int = raw::OR_FILEINFO as c_int;
/// Sections, and .htaccess files where AllowOverride has AuthConfig.
const AUTHENTICATION: c_int = raw::OR_AUTHCFG as c_int;

type Outcome = Result<(), ConfigError>;

/// One directive.
pub(super) struct Row {
    name: &'static CStr,
    contexts: c_int,
    takes: Takes,
    help: &'static CStr,
}

/// The arguments of a directive, and the function that reads them.
enum Takes {
    /// On or Off, for a section.
    Flag(Flag),
    /// The handlers of a phase: the rest of the line, unparsed.
    Handlers(Phase),
    /// On or Off, for the process.
    OnOff(fn(&mut Reading<'_>, bool) -> Outcome),
    /// The rest of the line, unparsed.
    Line(fn(&mut Reading<'_>, &str) -> Outcome),
    One(fn(&mut Reading<'_>, &CStr) -> Outcome),
    OneOrTwo(fn(&mut Reading<'_>, &CStr, Option<&CStr>) -> Outcome),
    Two(fn(&mut Reading<'_>, &CStr, &CStr) -> Outcome),
    Words(fn(&mut Reading<'_>, &[&CStr]) -> Outcome),
}

/// The directives that are neither flags nor a phase's handlers.
const OTHERS: [Row; 15] = [
    Row {
        name: c"PythonApplication",
        contexts: FILE,
        takes: Takes::Words(application::application),
        help: c"a URL path (outside of sections), an application (module:object or a file), and key=value pairs",
    },
    Row {
        name: c"PythonHandlerModule",
        contexts: ANYWHERE,
        takes: Takes::Line(programs::handler_module),
        help: c"modules whose functions for every phase are used, those that they have",
    },
    Row {
        name: c"PythonConnectionHandler",
        contexts: SERVER,
        takes: Takes::Line(programs::connection_handler),
        help: c"the handler (module[::object]) of whole connections",
    },
    Row {
        name: c"PythonInputFilter",
        contexts: SECTIONS,
        takes: Takes::OneOrTwo(programs::input_filter),
        help: c"the handler (module[::object]) and the filter's name, for SetInputFilter and AddInputFilter",
    },
    Row {
        name: c"PythonOutputFilter",
        contexts: SECTIONS,
        takes: Takes::OneOrTwo(programs::output_filter),
        help: c"the handler (module[::object]) and the filter's name, for SetOutputFilter and AddOutputFilter",
    },
    Row {
        name: c"PythonAuthBasicProvider",
        contexts: AUTHENTICATION,
        takes: Takes::One(programs::basic_provider),
        help: c"the function (module[::object]) behind 'AuthBasicProvider python'",
    },
    Row {
        name: c"PythonAuthDigestProvider",
        contexts: AUTHENTICATION,
        takes: Takes::One(programs::digest_provider),
        help: c"the function (module[::object]) behind 'AuthDigestProvider python'",
    },
    Row {
        name: c"PythonInterpreter",
        contexts: ANYWHERE,
        takes: Takes::One(values::interpreter),
        help: c"the name of the interpreter",
    },
    Row {
        name: c"PythonPath",
        contexts: ANYWHERE,
        takes: Takes::One(values::path),
        help: c"a Python expression for sys.path, such as \"['/srv/app'] + sys.path\"",
    },
    Row {
        name: c"PythonOption",
        contexts: ANYWHERE,
        takes: Takes::OneOrTwo(values::option),
        help: c"a name and its value; without a value the option is removed",
    },
    Row {
        name: c"PythonImport",
        contexts: SERVER,
        takes: Takes::Two(process::import),
        help: c"module[::function] and the name of the interpreter to import it in when a child starts",
    },
    Row {
        name: c"PythonOptimize",
        contexts: SERVER,
        takes: Takes::OnOff(process::optimize),
        help: c"On: Python runs as with -OO, in the whole process",
    },
    Row {
        name: c"PythonInterpreterOptions",
        contexts: SERVER,
        takes: Takes::Words(interpreter_options::interpreter_options),
        help: c"an interpreter's name or *, and key=value pairs: gil=shared|own, venv=/the/folder|none",
    },
    Row {
        name: c"PythonHome",
        contexts: SERVER,
        takes: Takes::One(process::home),
        help: c"the folder of a Python (its prefix), or of a virtual environment, for all interpreters",
    },
    Row {
        name: c"PythonStore",
        contexts: SERVER,
        takes: Takes::Words(store::store),
        help: c"a store's name, where it is (a folder, or redis://...), and key=value pairs",
    },
];

const COUNT: usize = Phase::COUNT + Flag::COUNT + OTHERS.len() + wsgi::ROWS.len();

/// Every directive of this module.
static ROWS: [Row; COUNT] = rows();

/// The names of all directives.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    ROWS.iter().map(|row| row.name.to_str().unwrap_or_default())
}

const fn rows() -> [Row; COUNT] {
    const NONE: Row = Row { name: c"", contexts: 0, takes: Takes::Handlers(Phase::Content), help: c"" };
    let mut rows = [NONE; COUNT];
    let mut filled = 0;
    while filled < COUNT {
        rows[filled] = row(filled);
        filled += 1;
    }
    rows
}

const fn row(index: usize) -> Row {
    if index < Phase::COUNT {
        return of_phase(Phase::ALL[index]);
    }
    let index = index - Phase::COUNT;
    if index < Flag::COUNT {
        let (flag, row) = &Flag::ROWS[index];
        return Row { name: row.name, contexts: row.contexts, takes: Takes::Flag(*flag), help: row.help };
    }
    let index = index - Flag::COUNT;
    let Row { name, contexts, ref takes, help } = *match index < OTHERS.len() {
        true => &OTHERS[index],
        false => &wsgi::ROWS[index - OTHERS.len()],
    };
    let takes = match *takes {
        Takes::OnOff(read) => Takes::OnOff(read),
        Takes::Line(read) => Takes::Line(read),
        Takes::One(read) => Takes::One(read),
        Takes::OneOrTwo(read) => Takes::OneOrTwo(read),
        Takes::Two(read) => Takes::Two(read),
        Takes::Words(read) => Takes::Words(read),
        Takes::Flag(_) | Takes::Handlers(_) => panic!("these are in tables of their own"),
    };
    Row { name, contexts, takes, help }
}

/// The directive for the handlers of a phase.
const fn of_phase(phase: Phase) -> Row {
    let (contexts, help) = match phase.is_before_file() {
        true => (SERVER, c"handlers (module[::object] ...) for this phase"),
        false => (ANYWHERE, c"handlers (module[::object] ...) for this phase, and optionally '| .ext ...'"),
    };
    Row { name: phase.directive_name(), contexts, takes: Takes::Handlers(phase), help }
}

/// The commands of this module, for httpd's `module` record.
#[repr(transparent)]
pub struct Commands([raw::command_rec; COUNT + 1]);

// SAFETY: literals, statics and function pointers only; httpd does not write to it.
unsafe impl Sync for Commands {}

impl Commands {
    pub const fn as_ptr(&self) -> *const raw::command_rec {
        self.0.as_ptr()
    }
}

pub static COMMANDS: Commands = commands();

const fn commands() -> Commands {
    const END: raw::command_rec = raw::command_rec {
        name: ptr::null(),
        func: raw::cmd_func { no_args: None },
        cmd_data: ptr::null_mut(),
        req_override: 0,
        args_how: raw::cmd_how_NO_ARGS,
        errmsg: ptr::null(),
    };
    let mut commands = [END; COUNT + 1];
    let mut index = 0;
    while index < COUNT {
        // The function for the kind of arguments; it gets the row.
        let row: &'static Row = &ROWS[index];
        let (func, args_how) = match row.takes {
            Takes::Flag(_) | Takes::OnOff(_) => (raw::cmd_func { flag: Some(on_off) }, raw::cmd_how_FLAG),
            Takes::Handlers(_) | Takes::Line(_) => (raw::cmd_func { raw_args: Some(line) }, raw::cmd_how_RAW_ARGS),
            Takes::One(_) => (raw::cmd_func { take1: Some(one) }, raw::cmd_how_TAKE1),
            Takes::OneOrTwo(_) => (raw::cmd_func { take2: Some(two) }, raw::cmd_how_TAKE12),
            Takes::Two(_) => (raw::cmd_func { take2: Some(two) }, raw::cmd_how_TAKE2),
            Takes::Words(_) => (raw::cmd_func { take_argv: Some(words) }, raw::cmd_how_TAKE_ARGV),
        };
        commands[index] = raw::command_rec {
            name: row.name.as_ptr(),
            func,
            cmd_data: ptr::from_ref(row).cast_mut().cast::<c_void>(),
            req_override: row.contexts,
            args_how,
            errmsg: row.help.as_ptr(),
        };
        index += 1;
    }
    Commands(commands)
}

/// The command function of directives that are On or Off.
unsafe extern "C" fn on_off(parameters: Parameters, record: *mut c_void, is_on: c_int) -> Message {
    // SAFETY: httpd's call of a command function of the table above.
    unsafe {
        read(parameters, record, |reading| match reading.row().takes {
            Takes::Flag(flag) => {
                reading.set_flag(flag, is_on != 0);
                Ok(())
            }
            Takes::OnOff(read) => read(reading, is_on != 0),
            _ => Err(reading.misplaced()),
        })
    }
}

/// The command function of directives that take the rest of the line.
unsafe extern "C" fn line(parameters: Parameters, record: *mut c_void, line: *const c_char) -> Message {
    // SAFETY: as `on_off`; the line is a string.
    unsafe {
        read(parameters, record, |reading| {
            let line = reading.text(reading::argument(line))?;
            match reading.row().takes {
                Takes::Handlers(phase) => programs::handlers(reading, phase, line),
                Takes::Line(read) => read(reading, line),
                _ => Err(reading.misplaced()),
            }
        })
    }
}

/// The command function of directives that take one word.
unsafe extern "C" fn one(parameters: Parameters, record: *mut c_void, word: *const c_char) -> Message {
    // SAFETY: as `line`.
    unsafe {
        read(parameters, record, |reading| match reading.row().takes {
            Takes::One(read) => read(reading, reading::argument(word)),
            _ => Err(reading.misplaced()),
        })
    }
}

/// The command function of directives that take two words, or one or two.
unsafe extern "C" fn two(
    parameters: Parameters,
    record: *mut c_void,
    first: *const c_char,
    second: *const c_char,
) -> Message {
    // SAFETY: as `line`; the second one may be null.
    unsafe {
        read(parameters, record, |reading| {
            let (first, second) = (reading::argument(first), (!second.is_null()).then(|| reading::argument(second)));
            match reading.row().takes {
                Takes::OneOrTwo(read) => read(reading, first, second),
                Takes::Two(read) => read(reading, first, second.unwrap_or_default()),
                _ => Err(reading.misplaced()),
            }
        })
    }
}

/// The command function of directives that take any number of words.
unsafe extern "C" fn words(
    parameters: Parameters,
    record: *mut c_void,
    count: c_int,
    words: *const *mut c_char,
) -> Message {
    // SAFETY: as `line`; there are `count` words.
    unsafe {
        read(parameters, record, |reading| {
            let words: Vec<_> = (0..count.max(0) as usize).map(|index| reading::argument(*words.add(index))).collect();
            match reading.row().takes {
                Takes::Words(read) => read(reading, &words),
                _ => Err(reading.misplaced()),
            }
        })
    }
}
