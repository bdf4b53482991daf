//! `_psp`: the builtin module that turns PSP pages into Python source. `mod_python.psp` runs them.

mod files;
mod literal;
mod parser;

use crate::cpython::{
    Arguments, Attached, Method, ModuleSlots, ModuleTable, Object, Raised, State, function, module_slots,
};
use crate::ffi::python as py;
use parser::{Options, Page, Problem};

/// The name under which Python imports it.
pub const NAME: &std::ffi::CStr = c"_psp";

/// What a page that has no file is called.
const NO_FILE: &[u8] = b"__psp__";

/// The module has no state.
struct Psp;

impl State for Psp {
    fn execute(_: &Object<'_>) -> Result<Self, Raised> {
        Ok(Self)
    }

    fn traverse(&self, _: &mut dyn FnMut(*mut py::PyObject)) {}
}

static FUNCTIONS: &[Method] = &[
    function!(
        Psp,
        c"parse",
        parse,
        c"parse($module, filename, dir='', /)\n--\n\n\
          The Python source of the page in the file dir + filename. Included files are named relative to dir."
    ),
    function!(
        Psp,
        c"parsestring",
        parse_string,
        c"parsestring($module, string, /)\n--\n\n\
          The Python source of a page that is a str, or bytes of UTF-8."
    ),
    function!(
        Psp,
        c"_parse_to_run",
        parse_to_run,
        c"_parse_to_run($module, page, filename, dir, /)\n--\n\n\
          Source, files, places, line of a tag that is not closed."
    ),
    Method::END,
];

static SLOTS: ModuleSlots<{ crate::cpython::module::SLOTS }> = module_slots::<Psp>();
static TABLE: ModuleTable = ModuleTable::new::<Psp>(NAME, c"The parser of PSP pages.", FUNCTIONS, &SLOTS);

/// The module's init function, for `PyImport_AppendInittab`.
pub unsafe extern "C" fn init() -> *mut py::PyObject {
    TABLE.init()
}

fn parse<'i>(_: &Psp, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 2)?;
    let attached = arguments.attached();
    let folder = arguments.get(1).map_or(Ok(Vec::new()), |_| file_name(&arguments, 1))?;
    let name = [folder.clone(), file_name(&arguments, 0)?].concat();
    let parsed = attached.detach(|| {
        let page = files::read(&name).map_err(|error| Unreadable::File(error.0))?;
        page_of(&name, &page.0, &folder, false).map(|(page, _)| page).map_err(Unreadable::Page)
    });
    match parsed {
        Ok(page) => Object::str(attached, &page.source),
        Err(Unreadable::File(errno)) => Err(Raised::errno(attached, errno, &name)),
        Err(Unreadable::Page(problem)) => Err(raised(attached, &problem)),
    }
}

fn parse_string<'i>(_: &Psp, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(1, 1)?;
    let attached = arguments.attached();
    let text = text(&arguments, 0)?;
    let parsed = attached.detach(|| page_of(NO_FILE, &text, b"", false));
    let (page, _) = parsed.map_err(|problem| raised(attached, &problem))?;
    Object::str(attached, &page.source)
}

/// `(source, files, places, unclosed)`: files as `(name, parent, parent_line, mtime_ns, size)`, places as
/// `(line, column, file, file_line, file_column)`, both in lists.
fn parse_to_run<'i>(_: &Psp, arguments: Arguments<'i>) -> Result<Object<'i>, Raised> {
    arguments.expect(3, 3)?;
    let attached = arguments.attached();
    let (text, name, folder) = (text(&arguments, 0)?, file_name(&arguments, 1)?, file_name(&arguments, 2)?);
    let parsed = attached.detach(|| page_of(&name, &text, &folder, true));
    let (page, states) = parsed.map_err(|problem| raised(attached, &problem))?;
    let number = |number: usize| Object::int(attached, number as i64);
    let files = page.files.iter().zip(&states).map(|(file, state)| {
        Object::tuple(
            attached,
            [
                Object::file_name(attached, &file.name)?,
                number(file.parent)?,
                number(file.parent_line)?,
                Object::int(attached, state.mtime_ns)?,
                Object::unsigned(attached, state.size)?,
            ],
        )
    });
    let places = page.places.iter().map(|place| {
        Object::tuple(
            attached,
            [
                number(place.line)?,
                number(place.column)?,
                number(place.file)?,
                number(place.file_line)?,
                number(place.file_column)?,
            ],
        )
    });
    Object::tuple(
        attached,
        [
            Object::str(attached, &page.source)?,
            Object::list(attached, files)?,
            Object::list(attached, places)?,
            page.unclosed.map_or_else(|| Ok(Object::none(attached)), number)?,
        ],
    )
}

/// Why there is no source.
enum Unreadable {
    /// The page's own file, as `errno`.
    File(i32),
    Page(Problem),
}

/// Parses a page; its files' states come along, the page's own being of no meaning.
fn page_of(
    name: &[u8],
    text: &[u8],
    folder: &[u8],
    is_for_running: bool,
) -> Result<(Page, Vec<files::State>), Problem> {
    let mut states = vec![files::State::default()];
    let page = parser::parse(name, text, Options { folder, is_for_running }, &mut |name| {
        let (bytes, state) = files::read(name)?;
        states.push(state);
        Ok(bytes)
    })?;
    Ok((page, states))
}

/// A text argument: `str`, or `bytes`.
fn text(arguments: &Arguments<'_>, index: usize) -> Result<Vec<u8>, Raised> {
    let value = arguments.required(index)?;
    if value.is_str() {
        return value.encoded(c"surrogatepass").and_then(|bytes| bytes.to_bytes().map(<[u8]>::to_vec));
    }
    if value.is_bytes() {
        return value.to_bytes().map(<[u8]>::to_vec);
    }
    let (function, given) = (arguments.function(), value.type_name());
    let message = format!("{function}() argument {} must be str or bytes, not {given}", index + 1);
    Err(Raised::type_error(arguments.attached(), message))
}

/// A file's name: `str`.
fn file_name(arguments: &Arguments<'_>, index: usize) -> Result<Vec<u8>, Raised> {
    let value = arguments.required(index)?;
    if !value.is_str() {
        let (function, given) = (arguments.function(), value.type_name());
        let message = format!("{function}() argument {} must be str, not {given}", index + 1);
        return Err(Raised::type_error(arguments.attached(), message));
    }
    let name = value.encoded(c"surrogateescape")?;
    let name = name.to_bytes()?;
    match name.contains(&0) {
        true => Err(Raised::value_error(arguments.attached(), "a file's name has a null character")),
        false => Ok(name.to_vec()),
    }
}

/// Raises what is wrong with a page: `SyntaxError`, or `OSError` for an included file.
fn raised(attached: Attached<'_>, problem: &Problem) -> Raised {
    match problem {
        Problem::Syntax { file, line, sentence } => Raised::syntax_error(attached, sentence, file, *line),
        Problem::Include { file, errno, by, line } => {
            let more = format!("; included by {}, line {line}", String::from_utf8_lossy(by));
            Raised::errno_of(attached, *errno, file, &more)
        }
    }
}
