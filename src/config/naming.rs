//! The choice of the interpreter for a handler.

use std::borrow::Cow;

use crate::httpd::{Request, Server};
use crate::interpreter::MAIN;

use super::flags::Flag;
use super::records::Settings;
use super::section::Section;

/// The name of the interpreter for a request's handler, filter or other callback whose directive is in `section`.
///
/// In this order: `PythonInterpreter`; with `PythonInterpPerDirectory` the directory of the file; with `PythonInterpPerDirective` the
/// directory of the section; else the virtual host's name.
pub fn interpreter_name<'r>(
    request: Request<'r>,
    settings: &Settings<'r>,
    section: Option<&Section<'r>>,
) -> Cow<'r, [u8]> {
    if let Some(name) = settings.interpreter {
        return Cow::Borrowed(name);
    }
    if settings.is_on(Flag::PerDirectory) {
        return directory_of(request);
    }
    if settings.is_on(Flag::PerDirective) {
        let directory = section.and_then(|section| section.directory_for(request.filename()));
        return directory.filter(|path| !path.is_empty()).map_or(Cow::Borrowed(MAIN), Cow::Owned);
    }
    Cow::Borrowed(request.server().hostname())
}

/// The name of the interpreter for a connection's handler. There is no file, so `PythonInterpPerDirectory` has no effect.
pub fn connection_interpreter_name<'c>(server: Server<'c>, settings: &Settings<'c>) -> &'c [u8] {
    match settings.interpreter {
        Some(name) => name,
        // The directive is outside of all sections.
        None if settings.is_on(Flag::PerDirective) => MAIN,
        None => server.hostname(),
    }
}

/// The directory of the request's file, or the file itself if it is a directory, with a slash at the end.
fn directory_of<'r>(request: Request<'r>) -> Cow<'r, [u8]> {
    let Some(path) = request.filename() else {
        return Cow::Borrowed(MAIN);
    };
    if request.is_directory() {
        return match path.ends_with(b"/") {
            true => Cow::Borrowed(path),
            false => Cow::Owned([path, b"/"].concat()),
        };
    }
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => Cow::Borrowed(&path[..=slash]),
        None => Cow::Borrowed(MAIN),
    }
}
