//! The handler syntax, `module[::object] … [| .ext …]`, and the lists of handlers by phase and extension.

use crate::httpd::Pool;

use super::error::ConfigError;
use super::phase::{Phase, Role};
use super::records::fingerprint;
use super::section::Section;

/// The place of a directive, for messages; without a line, the call that added the handler.
#[derive(Clone, Copy)]
pub struct Origin<'p> {
    pub file: &'p str,
    pub line: u32,
}

impl std::fmt::Display for Origin<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}", self.file, self.line)
    }
}

/// One handler.
#[derive(Clone, Copy)]
pub struct Handler<'p> {
    /// The directive that names it, or the call that added it.
    pub directive: &'static str,
    /// The handler as it is written.
    pub text: &'p str,
    pub module: &'p str,
    /// The attribute path below the module, with dots.
    pub object: &'p str,
    /// The section that holds the directive.
    pub section: Section<'p>,
    pub origin: Origin<'p>,
    /// It may be missing from its module: `PythonHandlerModule`.
    pub silent: bool,
    /// A hash of the text, by which handlers are looked up.
    pub fingerprint: u64,
}

impl Handler<'_> {
    /// The handler for messages: its directive, its text, and its place.
    pub fn describe(&self) -> String {
        let place = match self.origin {
            Origin { file: "", .. } => String::new(),
            Origin { file, line: 0 } => format!(" ({file})"),
            Origin { file, line } => format!(" ({file}:{line})"),
        };
        format!("{} '{}'{place}", self.directive, self.text)
    }
}

/// The handlers of one phase in one section: those without extensions, and those for each extension.
#[derive(Clone, Copy)]
pub struct HandlerList<'p> {
    plain: Option<&'p [Handler<'p>]>,
    by_extension: &'p [(&'p str, &'p [Handler<'p>])],
}

/// The handlers that a request gets, and the extension that chose them.
pub struct Selected<'p> {
    pub handlers: &'p [Handler<'p>],
    pub extension: Option<&'p str>,
}

impl<'p> HandlerList<'p> {
    const EMPTY: Self = Self { plain: None, by_extension: &[] };

    /// Adds a directive's handlers to those that the same section already has.
    pub fn append(
        list: Option<&Self>,
        parsed: &Parsed<'_>,
        section: Section<'p>,
        origin: Origin<'p>,
        pool: Pool<'p>,
    ) -> Self {
        let list = list.copied().unwrap_or(Self::EMPTY);
        let fresh = parsed.handlers_in(section, origin, pool);
        let join = |old: &[Handler<'p>]| pool.slice(&[old, &fresh].concat());
        if parsed.extensions.is_empty() {
            return Self { plain: Some(join(list.plain.unwrap_or_default())), ..list };
        }
        let mut by_extension = list.by_extension.to_vec();
        for extension in &parsed.extensions {
            match by_extension.iter_mut().find(|(known, _)| known == extension) {
                Some((_, handlers)) => *handlers = join(handlers),
                None => by_extension.push((pool.text(extension), join(&[]))),
            }
        }
        Self { by_extension: pool.slice(&by_extension), ..list }
    }

    /// The lists of the inner section, and those of the outer one for extensions that the inner one does not have.
    pub fn merge(outer: Option<&'p Self>, inner: Option<&'p Self>, pool: Pool<'p>) -> Option<&'p Self> {
        let (Some(outer), Some(inner)) = (outer, inner) else {
            return inner.or(outer);
        };
        let mut by_extension = inner.by_extension.to_vec();
        for (extension, handlers) in outer.by_extension {
            if by_extension.iter().all(|(known, _)| known != extension) {
                by_extension.push((extension, handlers));
            }
        }
        Some(pool.value(Self { plain: inner.plain.or(outer.plain), by_extension: pool.slice(&by_extension) }))
    }

    /// The handlers for a file: those for its extension if there are any, else those without extensions.
    ///
    /// The extension begins at the first dot of the name.
    pub fn select(&self, filename: Option<&[u8]>) -> Option<Selected<'p>> {
        if let Some(path) = filename {
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let Some(dot) = name.iter().position(|byte| *byte == b'.') else {
                // A file without an extension, or a directory, has an empty one, and uses the plain list.
                return self.plain.map(|handlers| Selected { handlers, extension: Some("") });
            };
            let own = self.by_extension.iter().find(|(known, _)| known.as_bytes() == &name[dot..]);
            if let Some((extension, handlers)) = own {
                return Some(Selected { handlers, extension: Some(extension) });
            }
        }
        self.plain.map(|handlers| Selected { handlers, extension: None })
    }
}

/// A directive's argument, parsed.
#[derive(Debug, PartialEq)]
pub struct Parsed<'a> {
    handlers: Vec<Name<'a>>,
    extensions: Vec<&'a str>,
    silent: bool,
}

impl<'a> Parsed<'a> {
    /// The handler of a directive that takes only one.
    ///
    /// # Errors
    /// There are several, or extensions.
    pub fn single(self) -> Result<Name<'a>, ConfigError> {
        match self.handlers[..] {
            [handler] if self.extensions.is_empty() => Ok(handler),
            [Name { role, .. }, ..] => Err(ConfigError::OneHandlerOnly(role.directive)),
            [] => unreachable!("parse refuses an empty list"),
        }
    }

    /// The same handlers, which may be missing from their modules.
    pub fn silent(self) -> Self {
        Self { silent: true, ..self }
    }

    pub fn has_extensions(&self) -> bool {
        !self.extensions.is_empty()
    }

    fn handlers_in<'p>(&self, section: Section<'p>, origin: Origin<'p>, pool: Pool<'p>) -> Vec<Handler<'p>> {
        let handler = |name: &Name<'_>| Handler { silent: self.silent, ..name.handler(section, origin, pool) };
        self.handlers.iter().map(handler).collect()
    }
}

/// A handler's text, parsed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Name<'a> {
    role: Role,
    text: &'a str,
    module: &'a str,
    object: &'a str,
}

impl<'a> Name<'a> {
    /// Reads `module[::object]`.
    ///
    /// # Errors
    /// It is not a handler.
    pub fn read(role: Role, text: &'a str) -> Result<Self, ConfigError> {
        let (module, object) = text.split_once("::").unwrap_or((text, role.default_object));
        let is_part =
            |part: &str| !part.is_empty() && !part.contains(['/', '\\', ':']) && !part.contains(char::is_whitespace);
        let is_path = |path: &str| path.split('.').all(is_part);
        match is_path(module) && is_path(object) {
            true => Ok(Self { role, text, module, object }),
            false if is_application_file(module) && role.directive == Phase::Content.role().directive => {
                Err(ConfigError::FileAsHandler { directive: role.directive, file: module.to_owned() })
            }
            false => Err(ConfigError::NotAHandler { directive: role.directive, text: text.to_owned() }),
        }
    }

    /// The handler, in a pool.
    pub fn handler<'p>(&self, section: Section<'p>, origin: Origin<'p>, pool: Pool<'p>) -> Handler<'p> {
        Handler {
            directive: self.role.directive,
            text: pool.text(self.text),
            module: pool.text(self.module),
            object: pool.text(self.object),
            section,
            origin,
            silent: false,
            fingerprint: fingerprint((self.module, self.object, section.directory())),
        }
    }
}

/// Whether a text that is no module's name is the path of a file that can hold a WSGI application.
fn is_application_file(text: &str) -> bool {
    [".wsgi", ".py"].iter().any(|ending| text.ends_with(ending))
}

/// Reads `handler … [| .ext …]`.
///
/// # Errors
/// There is no handler, or a word that is not a handler or not an extension.
pub fn parse(role: Role, arguments: &str) -> Result<Parsed<'_>, ConfigError> {
    let directive = role.directive;
    let (handlers, extensions) = match arguments.split_once('|') {
        None => (arguments, None),
        Some((handlers, extensions)) => (handlers, Some(extensions)),
    };
    let handlers = handlers.split_whitespace().map(|text| Name::read(role, text)).collect::<Result<Vec<_>, _>>()?;
    if handlers.is_empty() {
        return Err(ConfigError::NoHandler(directive));
    }
    let extensions: Vec<_> = extensions.unwrap_or_default().split_whitespace().collect();
    if arguments.contains('|') && extensions.is_empty() {
        return Err(ConfigError::NoExtension(directive));
    }
    if let Some(wrong) = extensions.iter().find(|extension| !extension.starts_with('.') || extension.contains('|')) {
        return Err(ConfigError::NotAnExtension { directive, extension: (*wrong).to_owned() });
    }
    Ok(Parsed { handlers, extensions, silent: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: Role = Phase::Content.role();

    fn names(arguments: &str) -> Vec<(String, String)> {
        let parsed = parse(ROLE, arguments).unwrap();
        parsed.handlers.iter().map(|name| (name.module.to_owned(), name.object.to_owned())).collect()
    }

    #[test]
    fn the_object_defaults_to_the_directive_without_python() {
        assert_eq!(names("hello"), [("hello".into(), "handler".into())]);
        assert_eq!(names("a.b::c.d  e"), [("a.b".into(), "c.d".into()), ("e".into(), "handler".into())]);
    }

    #[test]
    fn extensions_follow_the_bar() {
        assert_eq!(parse(ROLE, "a b | .py .html").unwrap().extensions, [".py", ".html"]);
        assert_eq!(parse(ROLE, "a|.py").unwrap().extensions, [".py"]);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (arguments, number) in [
            ("", "MP0201"),
            ("| .py", "MP0201"),
            ("a |", "MP0202"),
            ("a | py", "MP0202"),
            ("a | .py | .html", "MP0202"),
            ("/srv/a.py", "MP0203"),
            ("a::", "MP0203"),
            ("a..b", "MP0203"),
            ("::b", "MP0203"),
            ("a::b::c", "MP0203"),
        ] {
            let sentence = parse(ROLE, arguments).unwrap_err().to_string();
            assert!(sentence.starts_with(number), "{arguments:?}: {sentence}");
        }
    }
}
