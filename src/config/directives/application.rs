//! `PythonApplication`.

use std::ffi::CStr;

use super::Outcome;
use super::reading::Reading;
use crate::config::application::{Choice, Options, Target};
use crate::config::error::ConfigError;

/// `PythonApplication URL-PATH TARGET [key=value …]` outside of sections, `PythonApplication TARGET|None [key=value …]` in one.
pub(super) fn application(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    let words = words.iter().map(|word| reading.text(word)).collect::<Result<Vec<_>, _>>()?;
    let is_option = |word: &&str| word.contains('=') && !word.starts_with(['/', '.']);
    let count = words.iter().position(is_option).unwrap_or(words.len());
    let (names, options) = words.split_at(count);
    let options = read_options(options)?;
    if options.interpreter.is_some() && reading.generation().is_none() {
        return Err(ConfigError::InterpreterInHtaccess);
    }
    let is_in_section = reading.is_in_section();
    match (names, is_in_section) {
        (&[none], true) if none.eq_ignore_ascii_case("none") => reading.directory.application = Some(Choice::None),
        (&[target], true) => {
            let target = Target::read(target)?;
            let application = target.application(None, options, reading.section(), reading.origin(), reading.pool());
            reading.directory.application = Some(Choice::Application(application));
            reading.uses_python();
        }
        (&[prefix, target], false) => {
            let prefix = read_prefix(prefix)?;
            let target = Target::read(target)?;
            let application =
                target.application(Some(prefix), options, reading.section(), reading.origin(), reading.pool());
            let pool = reading.pool();
            reading.server_record().add_application(application, pool)?;
            reading.uses_python();
        }
        (_, true) => return Err(ConfigError::NotAnApplication(IN_SECTION)),
        (_, false) => return Err(ConfigError::NotAnApplication(OUTSIDE)),
    }
    Ok(())
}

const IN_SECTION: &str = "in a section, write the application alone, as in 'PythonApplication package.module:object', or None: the section says which URLs are meant";
const OUTSIDE: &str =
    "outside of sections, write the URL's path and the application, as in 'PythonApplication / package.module:object'";

/// The prefix of the URL's path, without a slash at its end.
fn read_prefix(text: &str) -> Result<&[u8], ConfigError> {
    match text.starts_with('/') {
        true => Ok(text.trim_end_matches('/').as_bytes()),
        false => Err(ConfigError::NotAnApplication(OUTSIDE)),
    }
}

fn read_options<'p>(words: &[&'p str]) -> Result<Options<'p>, ConfigError> {
    let mut options = Options::default();
    for word in words {
        let unknown = || ConfigError::UnknownKey((*word).to_owned());
        let (key, value) = word.split_once('=').ok_or_else(unknown)?;
        let is_on = || match value {
            on if on.eq_ignore_ascii_case("on") => Ok(true),
            off if off.eq_ignore_ascii_case("off") => Ok(false),
            _ => Err(unknown()),
        };
        match (key, value) {
            ("factory", _) => options.is_factory = is_on()?,
            ("underscores", _) => options.has_underscores = is_on()?,
            ("path", path) if !path.is_empty() => options.path = Some(path),
            ("interpreter", name) if !name.is_empty() => options.interpreter = Some(name.as_bytes()),
            ("protocol", "auto" | "wsgi") => {}
            ("protocol", "asgi") => return Err(ConfigError::Asgi),
            _ => return Err(unknown()),
        }
    }
    Ok(options)
}
