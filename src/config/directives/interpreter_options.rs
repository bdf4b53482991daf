//! `PythonInterpreterOptions`: its keys as a table.

use std::ffi::CStr;

use crate::config::error::ConfigError;
use crate::config::generation::{Folder, Generation};
use crate::interpreter::{ByName, Gil, MAIN, Venv};

use super::Outcome;
use super::reading::Reading;

/// One key.
struct Key {
    name: &'static str,
    /// What stands behind it, as messages show it.
    values: &'static str,
    set: fn(&Reading<'_>, &Setting<'_>) -> Outcome,
}

const KEYS: [Key; 2] =
    [Key { name: "gil", values: "shared|own", set: gil }, Key { name: "venv", values: "/the/folder|none", set: venv }];

/// `key=value` of an interpreter.
struct Setting<'a> {
    /// As the directive says it, which may be `*`.
    name: &'a str,
    key: &'static str,
    value: &'a str,
}

/// `PythonInterpreterOptions name|* key=value …`
pub(super) fn interpreter_options(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    let words = words.iter().map(|word| reading.text(word)).collect::<Result<Vec<_>, _>>()?;
    let Some((name, options)) = words.split_first().filter(|(_, options)| !options.is_empty()) else {
        return Err(ConfigError::NoOptions { keys: known_keys() });
    };
    for option in options {
        let unknown = || ConfigError::UnknownOption {
            name: (*name).to_owned(),
            option: (*option).to_owned(),
            keys: known_keys(),
        };
        let (key, value) = option.split_once('=').ok_or_else(unknown)?;
        let key = KEYS.iter().find(|known| known.name == key).ok_or_else(unknown)?;
        (key.set)(reading, &Setting { name, key: key.name, value })?;
    }
    Ok(())
}

fn known_keys() -> String {
    let keys: Vec<_> = KEYS.iter().map(|key| format!("{}={}", key.name, key.values)).collect();
    format!("the keys are {}", keys.join(", "))
}

impl Setting<'_> {
    /// The name, or none for all others.
    fn interpreter(&self) -> Option<&[u8]> {
        (self.name != "*").then_some(self.name.as_bytes())
    }

    fn not_a_value(&self) -> ConfigError {
        ConfigError::NotAValue {
            name: self.name.to_owned(),
            key: self.key,
            value: self.value.to_owned(),
            keys: known_keys(),
        }
    }

    /// Sets a value in the configuration, unless the same name has another one.
    fn set<T: Clone + PartialEq>(
        &self,
        reading: &Reading<'_>,
        place: fn(&mut Generation) -> &mut ByName<T>,
        value: T,
        shown: fn(&T) -> String,
    ) -> Outcome {
        let Some(generation) = reading.generation() else {
            return Ok(());
        };
        place(generation).set(self.interpreter(), value.clone()).map_err(|known| ConfigError::Contradiction {
            name: self.name.to_owned(),
            key: self.key,
            value: shown(&value),
            known: shown(&known),
        })
    }
}

fn gil(reading: &Reading<'_>, setting: &Setting<'_>) -> Outcome {
    let name = || setting.name.to_owned();
    let gil = match setting.value {
        "shared" => Gil::Shared,
        "own" if !Gil::OWN_SUPPORTED => return Err(ConfigError::OwnGilNotSupported { name: name() }),
        "own" if setting.name.as_bytes() == MAIN => return Err(ConfigError::OwnGilForMain),
        "own" => Gil::Own,
        _ => return Err(setting.not_a_value()),
    };
    setting.set(reading, |generation| &mut generation.interpreters.gil, gil, Gil::to_string)
}

fn venv(reading: &Reading<'_>, setting: &Setting<'_>) -> Outcome {
    let venv = match setting.value {
        "" => return Err(setting.not_a_value()),
        none if none.eq_ignore_ascii_case("none") => None,
        folder => {
            let venv = Venv::new(reading.absolute(folder)?);
            let said = format!("PythonInterpreterOptions {} venv={}", setting.name, setting.value);
            venv.check().map_err(|error| ConfigError::Venv { said: said.clone(), error })?;
            if let Some(generation) = reading.generation() {
                let needs = venv.needs();
                generation.folders.push(Folder { said, place: reading.origin().to_string(), needs });
            }
            Some(venv)
        }
    };
    let shown = |venv: &Option<Venv>| venv.as_ref().map_or_else(|| "none".to_owned(), Venv::to_string);
    setting.set(reading, |generation| &mut generation.interpreters.venv, venv, shown)
}
