//! Applications: what `PythonApplication` names, and where in the URL space it stands.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ffi::httpd as raw;
use crate::httpd::{Pool, bytes_at};

use super::error::ConfigError;
use super::handler::{Handler, Origin};
use super::records::{ServerConfig, fingerprint};
use super::section::Section;

/// What `request_rec::handler` is for the requests of applications, and what `SetHandler` may say in a section that has one.
pub const HANDLER: &CStr = c"python-application";

const DIRECTIVE: &str = "PythonApplication";

/// What the file name of a request begins with whose application is no file.
pub const NO_FILE: &[u8] = b"python:";

/// The object that is taken where a target names none.
const OBJECT: &str = "application";

/// Whether any directive names an application: the hooks look here first.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// Whether any directive names an application.
#[inline]
pub fn is_in_use() -> bool {
    IN_USE.load(Ordering::Relaxed)
}

/// One application.
#[derive(Clone, Copy)]
pub struct Application<'p> {
    /// Its directive, module and object.
    pub handler: Handler<'p>,
    pub source: Source<'p>,
    pub options: Options<'p>,
    /// The prefix of the URL's path, without a slash at its end; none for one that a section names.
    pub prefix: Option<&'p [u8]>,
    /// The name of the file that its requests have. What stands for a module has no extension, by which other modules would choose a type.
    pub file: &'p CStr,
    /// `HANDLER`, as a string of its own: by its address httpd's record of a request says which application it is for.
    pub name: &'p CStr,
}

/// Where an application's object is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source<'p> {
    /// In the module of the handler.
    Module,
    /// In a file, by its absolute path.
    File(&'p CStr),
    /// In a file that a directive of mod_wsgi's names.
    Script(&'p CStr),
}

impl Source<'_> {
    /// What the file's name as a module begins with; empty for a module.
    pub fn prefix(&self) -> &'static str {
        match self {
            Self::Module => "",
            Self::File(_) => "_mod_python_",
            Self::Script(_) => "_mod_wsgi_",
        }
    }
}

/// What is written behind the target as `key=value`.
#[derive(Clone, Copy, Default)]
pub struct Options<'p> {
    /// `factory=on`: the object is called once, and returns the application.
    pub is_factory: bool,
    /// `path=`: folders for `sys.path`, separated by colons.
    pub path: Option<&'p str>,
    /// `interpreter=`: the name of the interpreter.
    pub interpreter: Option<&'p [u8]>,
    /// `underscores=on`: headers whose names have underscores are passed on too.
    pub has_underscores: bool,
}

/// What a section says: an application for what is in it, or that it has none.
#[derive(Clone, Copy)]
pub enum Choice<'p> {
    None,
    Application(&'p Application<'p>),
}

impl<'p> Application<'p> {
    /// The rest of a URL's path behind the prefix, if the path begins with it.
    pub fn rest<'u>(&self, path: &'u [u8]) -> Option<&'u [u8]> {
        let rest = path.strip_prefix(self.prefix?)?;
        (rest.is_empty() || rest.starts_with(b"/")).then_some(rest)
    }
}

impl<'p> ServerConfig<'p> {
    /// The application whose prefix a URL's path begins with, and what is behind it; of several the longest prefix.
    pub fn application_for<'u>(&self, path: &'u [u8]) -> Option<(&'p Application<'p>, &'u [u8])> {
        self.applications.iter().find_map(|application| Some((*application, application.rest(path)?)))
    }

    /// The application of that name, by its address.
    pub fn application_named(&self, name: *const std::ffi::c_char) -> Option<&'p Application<'p>> {
        self.applications.iter().copied().find(|application| application.name.as_ptr() == name)
    }

    /// Adds an application; the longest prefixes come first.
    ///
    /// # Errors
    /// There is one under the same prefix.
    pub fn add_application(&mut self, fresh: &'p Application<'p>, pool: Pool<'p>) -> Result<(), ConfigError> {
        if let Some(known) = self.applications.iter().find(|known| known.prefix == fresh.prefix) {
            let Origin { file, line } = known.handler.origin;
            return Err(ConfigError::TwoApplications {
                prefix: String::from_utf8_lossy(fresh.prefix.filter(|prefix| !prefix.is_empty()).unwrap_or(b"/"))
                    .into(),
                known: format!("'{}' ({file}:{line})", known.handler.text),
            });
        }
        self.applications = merge(&[fresh], self.applications, pool);
        Ok(())
    }
}

/// Applications and those of the server around them, whose prefixes are free.
pub fn merge<'p>(
    own: &[&'p Application<'p>],
    outer: &[&'p Application<'p>],
    pool: Pool<'p>,
) -> &'p [&'p Application<'p>] {
    let is_free = |application: &&&Application<'_>| own.iter().all(|known| known.prefix != application.prefix);
    let mut all: Vec<_> = own.iter().chain(outer.iter().filter(is_free)).copied().collect();
    all.sort_by_key(|application| std::cmp::Reverse(application.prefix.map_or(0, <[u8]>::len)));
    pool.slice(&all)
}

/// A target, taken apart: `package.module[:object]`, or a file `/path/of/app.wsgi[:object]`.
#[derive(Debug, PartialEq)]
pub struct Target<'a> {
    text: &'a str,
    place: &'a str,
    object: &'a str,
    is_file: bool,
}

impl<'a> Target<'a> {
    /// # Errors
    /// It is neither a module nor a file.
    pub fn read(text: &'a str) -> Result<Self, ConfigError> {
        let is_path = |path: &str| path.split('.').all(is_identifier);
        let is_file = text.contains('/');
        let split = |separator| match is_file {
            true => text.rsplit_once(separator).filter(|(_, object)| is_path(object)),
            false => text.split_once(separator),
        };
        let (place, object) = split("::").or_else(|| split(":")).unwrap_or((text, OBJECT));
        if !is_file && place.ends_with(".py") {
            return Err(ConfigError::LooksLikeFile(place.to_owned()));
        }
        match (is_file || is_path(place)) && !place.is_empty() && is_path(object) {
            true => Ok(Self { text, place, object, is_file }),
            false => Err(ConfigError::NotATarget(text.to_owned())),
        }
    }

    /// The application, kept in a pool.
    pub fn application<'p>(
        &self,
        prefix: Option<&'p [u8]>,
        options: Options<'p>,
        section: Section<'p>,
        origin: Origin<'p>,
        pool: Pool<'p>,
    ) -> &'p Application<'p> {
        IN_USE.store(true, Ordering::Relaxed);
        let source = match self.is_file {
            // SAFETY: a C string; the path is made in the pool, or is null for one that cannot be.
            true => Source::File(unsafe {
                let path = pool.c_string(self.place.as_bytes());
                let absolute = raw::ap_server_root_relative(pool.as_ptr(), path.as_ptr());
                bytes_at(absolute).map_or(path, |absolute| pool.c_string(absolute))
            }),
            false => Source::Module,
        };
        let handler = Handler {
            directive: DIRECTIVE,
            text: pool.text(self.text),
            module: pool.text(self.place),
            object: pool.text(self.object),
            section,
            origin,
            silent: false,
            fingerprint: fingerprint((
                DIRECTIVE,
                self.place,
                self.object,
                options.is_factory,
                options.path,
                section.directory(),
            )),
        };
        let name = pool.c_string(HANDLER.to_bytes());
        let file = match source {
            Source::File(file) | Source::Script(file) => file,
            Source::Module => pool.c_string(&[NO_FILE, self.text.replace('.', "/").as_bytes()].concat()),
        };
        pool.value(Application { handler, source, options, prefix, file, name })
    }
}

/// Whether a text is a name in Python. What letters are beyond ASCII, Python says.
fn is_identifier(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphabetic() || letter == '_';
    text.starts_with(is_letter) && text.chars().all(|letter| is_letter(letter) || letter.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> (&str, &str, bool) {
        let target = Target::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        (target.place, target.object, target.is_file)
    }

    #[test]
    fn a_target_is_a_module_or_a_file() {
        for (text, expected) in [
            ("app", ("app", "application", false)),
            ("mysite.wsgi", ("mysite.wsgi", "application", false)),
            ("mysite.wsgi:application", ("mysite.wsgi", "application", false)),
            ("app:create.app", ("app", "create.app", false)),
            ("app::create", ("app", "create", false)),
            ("/srv/app.wsgi", ("/srv/app.wsgi", "application", true)),
            ("/srv/app.wsgi:app", ("/srv/app.wsgi", "app", true)),
            ("/srv/app.wsgi::app", ("/srv/app.wsgi", "app", true)),
            ("./app.py", ("./app.py", "application", true)),
            ("/srv/a:b/app.wsgi", ("/srv/a:b/app.wsgi", "application", true)),
            ("/srv/app:1/x.wsgi:app", ("/srv/app:1/x.wsgi", "app", true)),
        ] {
            assert_eq!(target(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_target_is_said() {
        for (text, number) in [
            ("app.py", "MP0219"),
            ("app.py:app", "MP0219"),
            ("a..b", "MP0218"),
            (":app", "MP0218"),
            ("a:", "MP0218"),
            ("a:b:c", "MP0218"),
            ("a-b", "MP0218"),
            ("", "MP0218"),
        ] {
            let sentence = Target::read(text).unwrap_err().to_string();
            assert!(sentence.starts_with(number), "{text:?}: {sentence}");
        }
    }
}
