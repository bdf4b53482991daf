//! Which interpreter runs a handler.

use std::borrow::Cow;

use crate::httpd::{Request, Server};
use crate::interpreter::MAIN;

use super::records::Settings;
use super::section::Section;

/// The name of the interpreter for a request's handler, filter or other callback whose directive stands in `section`.
///
/// In this order: `PythonInterpreter`; `PythonInterpPerDirectory`, the folder of the file; `PythonInterpPerDirective`, the
/// folder of the section; else the virtual host's name.
pub fn interpreter_name<'r>(
    request: Request<'r>,
    settings: &Settings<'r>,
    section: Option<&Section<'r>>,
) -> Cow<'r, [u8]> {
    if let Some(name) = settings.interpreter {
        return Cow::Borrowed(name);
    }
    if settings.per_directory == Some(true) {
        return directory_of(request);
    }
    if settings.per_directive == Some(true) {
        let directory = section.and_then(|section| section.directory_for(request.filename()));
        return directory.filter(|path| !path.is_empty()).map_or(Cow::Borrowed(MAIN), Cow::Owned);
    }
    Cow::Borrowed(request.server().hostname())
}

/// The name of the interpreter for a connection's handler: there is no file, so `PythonInterpPerDirectory` has no say.
pub fn connection_interpreter_name<'c>(server: Server<'c>, settings: &Settings<'c>) -> &'c [u8] {
    match settings.interpreter {
        Some(name) => name,
        // The directive stands outside of all sections.
        None if settings.per_directive == Some(true) => MAIN,
        None => server.hostname(),
    }
}

/// The folder of the request's file, or the file itself if it is one, with a slash at the end.
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
