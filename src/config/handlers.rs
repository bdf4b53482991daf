//! The handler syntax: `module[::object] … [| .ext …]`, kept as lists by phase and extension.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::httpd::Pool;

use super::phase::Role;
use super::section::Section;

/// Where a directive stands, for messages; without a line, the call that took its place.
#[derive(Clone, Copy)]
pub struct Origin<'p> {
    pub file: &'p str,
    pub line: u32,
}

/// One handler, of a list or alone.
#[derive(Clone, Copy)]
pub struct HandlerEntry<'p> {
    /// What names it: the directive, or the call that added it.
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
    /// A hash of the text: what handlers are looked up by.
    pub fingerprint: u64,
}

impl HandlerEntry<'_> {
    /// The handler as messages name it: its directive, its text, and where it stands.
    pub fn describe(&self) -> String {
        let place = match self.origin {
            Origin { file: "", .. } => String::new(),
            Origin { file, line: 0 } => format!(" ({file})"),
            Origin { file, line } => format!(" ({file}:{line})"),
        };
        format!("{} '{}'{place}", self.directive, self.text)
    }
}

/// The handlers of one phase in one section: without an extension, and for extensions of their own.
#[derive(Clone, Copy)]
pub struct HandlerList<'p> {
    plain: Option<&'p [HandlerEntry<'p>]>,
    by_extension: &'p [(&'p str, &'p [HandlerEntry<'p>])],
}

/// The handlers that a request gets, and the extension that chose them.
pub struct Selected<'p> {
    pub handlers: &'p [HandlerEntry<'p>],
    pub extension: Option<&'p str>,
}

impl<'p> HandlerList<'p> {
    const EMPTY: Self = Self { plain: None, by_extension: &[] };

    /// Adds a directive's handlers behind those that the same section already has.
    pub fn append(
        list: Option<&Self>,
        parsed: &Parsed<'_>,
        section: Section<'p>,
        origin: Origin<'p>,
        pool: Pool<'p>,
    ) -> Self {
        let list = list.copied().unwrap_or(Self::EMPTY);
        let fresh = parsed.entries(section, origin, pool);
        let join = |old: &[HandlerEntry<'p>]| pool.slice(&[old, &fresh].concat());
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

    /// The inner section's list over the outer one's: each key that the inner has replaces the outer's whole list.
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

    /// The handlers for a file: those of its extension if there are any, else the plain ones.
    ///
    /// The extension is what follows the first dot of the name, with the dot.
    pub fn select(&self, filename: Option<&[u8]>) -> Option<Selected<'p>> {
        if let Some(path) = filename {
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let Some(dot) = name.iter().position(|byte| *byte == b'.') else {
                // No extension, as of a folder's URL, is an empty one: that of the plain list.
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

/// A directive's argument, taken apart.
#[derive(Debug, PartialEq)]
pub struct Parsed<'a> {
    handlers: Vec<Name<'a>>,
    extensions: Vec<&'a str>,
    silent: bool,
}

impl<'a> Parsed<'a> {
    /// The only handler, of a directive that takes one.
    ///
    /// # Errors
    /// A sentence: there are more, or extensions.
    pub fn single(self) -> Result<Name<'a>, String> {
        match self.handlers[..] {
            [handler] if self.extensions.is_empty() => Ok(handler),
            [Name { role, .. }, ..] => Err(format!(
                "MP0213: {} takes one handler and no extensions: write module or module::object",
                role.directive
            )),
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

    fn entries<'p>(&self, section: Section<'p>, origin: Origin<'p>, pool: Pool<'p>) -> Vec<HandlerEntry<'p>> {
        let entry = |name: &Name<'_>| HandlerEntry { silent: self.silent, ..name.entry(section, origin, pool) };
        self.handlers.iter().map(entry).collect()
    }
}

/// A handler's text, taken apart.
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
    /// What is wrong with it and what is allowed, in a sentence.
    pub fn read(role: Role, text: &'a str) -> Result<Self, String> {
        let (module, object) = text.split_once("::").unwrap_or((text, role.default_object));
        let is_part =
            |part: &str| !part.is_empty() && !part.contains(['/', '\\', ':']) && !part.contains(char::is_whitespace);
        let is_path = |path: &str| path.split('.').all(is_part);
        match is_path(module) && is_path(object) {
            true => Ok(Self { role, text, module, object }),
            false => Err(format!(
                "MP0203: {}: '{text}' is not a handler: write module or module::object, both dotted Python names (a folder of handlers is added with PythonPath, not with a path here)",
                role.directive
            )),
        }
    }

    /// The handler, kept in a pool.
    pub fn entry<'p>(&self, section: Section<'p>, origin: Origin<'p>, pool: Pool<'p>) -> HandlerEntry<'p> {
        let mut hasher = DefaultHasher::new();
        (self.module, self.object, section.directory()).hash(&mut hasher);
        HandlerEntry {
            directive: self.role.directive,
            text: pool.text(self.text),
            module: pool.text(self.module),
            object: pool.text(self.object),
            section,
            origin,
            silent: false,
            fingerprint: hasher.finish(),
        }
    }
}

/// Reads `handler … [| .ext …]`.
///
/// # Errors
/// What is wrong with it and what is allowed, in a sentence.
pub fn parse(role: Role, arguments: &str) -> Result<Parsed<'_>, String> {
    let directive = role.directive;
    let (handlers, extensions) = match arguments.split_once('|') {
        None => (arguments, None),
        Some((handlers, extensions)) => (handlers, Some(extensions)),
    };
    let handlers = handlers.split_whitespace().map(|text| Name::read(role, text)).collect::<Result<Vec<_>, _>>()?;
    if handlers.is_empty() {
        return Err(format!(
            "MP0201: {directive} names no handler: write module or module::object, several separated by blanks, and optionally '| .ext' at the end"
        ));
    }
    let extensions: Vec<_> = extensions.unwrap_or_default().split_whitespace().collect();
    if arguments.contains('|') && extensions.is_empty() {
        return Err(format!(
            "MP0202: {directive} has '|' without an extension behind it: write for example '| .py .html'"
        ));
    }
    if let Some(wrong) = extensions.iter().find(|extension| !extension.starts_with('.') || extension.contains('|')) {
        return Err(format!(
            "MP0202: {directive}: '{wrong}' is not an extension: it begins with a dot, as in '| .py .html'"
        ));
    }
    Ok(Parsed { handlers, extensions, silent: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Phase;

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
    fn what_is_wrong_is_said() {
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
            let sentence = parse(ROLE, arguments).unwrap_err();
            assert!(sentence.starts_with(number), "{arguments:?}: {sentence}");
        }
    }
}
