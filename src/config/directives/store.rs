//! `PythonStore NAME [LOCATION] [key=value …]`

use std::ffi::CStr;

use super::Outcome;
use super::reading::Reading;
use crate::config::error::ConfigError;
use crate::config::store::{Store, StoreLocation, StoreOptions, StoreSync};

/// The longest name, which is also a folder's.
const LONGEST: usize = 64;

pub(super) fn store(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    let words = words.iter().map(|word| reading.text(word)).collect::<Result<Vec<_>, _>>()?;
    let Some((name, rest)) = words.split_first() else {
        return Err(ConfigError::Store { said: String::new(), why: "no name is given".to_owned() });
    };
    let wrong = |why: String| ConfigError::Store { said: format!(" {}", without_password(&words)), why };
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        name.len() <= LONGEST
            && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    if !is_name(name) {
        return Err(wrong(format!("'{name}' is no name: write letters, digits, '_', '.' and '-', at most {LONGEST}")));
    }
    let (location, options) = match rest.split_first() {
        Some((first, more)) if is_location(first) => (self::location(reading, first).map_err(&wrong)?, more),
        _ => (StoreLocation::Runtime, rest),
    };
    let mut settings = StoreOptions::of(location);
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for option in options {
        let (key, value) = option.split_once('=').ok_or_else(|| wrong(unknown(option, location)))?;
        if pairs.iter().any(|(known, _)| *known == key) {
            return Err(wrong(format!("{key}= is given twice")));
        }
        set(&mut settings, location, key, value).map_err(&wrong)?;
        pairs.push((key, value));
    }
    let has_sync = pairs.iter().any(|(key, _)| *key == "sync");
    match settings.writemap {
        Some(true) if has_sync => {
            return Err(wrong(
                "writemap=on is for a folder in memory, where sync= means nothing: leave one out".to_owned(),
            ));
        }
        Some(true) => settings.sync = StoreSync::Never,
        None if has_sync => settings.writemap = Some(false),
        None | Some(false) => {}
    }
    let pool = reading.pool();
    let store = Store { name, location, options: settings, pairs: pool.slice(&pairs), origin: reading.origin() };
    let record = reading.server_record();
    if let Some(known) = Store::find(record.stores, name) {
        return Err(wrong(format!(
            "this server has a store of that name already ({}): give one of the two another name",
            known.origin
        )));
    }
    record.stores = pool.slice(&[record.stores, &[store]].concat());
    if let Some(generation) = reading.generation() {
        generation.uses_python = true;
    }
    Ok(())
}

/// The words of the directive, for a message: a location's user and password are left out.
fn without_password(words: &[&str]) -> String {
    let shown = words.iter().map(|word| match (word.split_once("://"), word.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => (*word).to_owned(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Options have a '=' and no '/' before it.
fn is_location(word: &str) -> bool {
    word.split_once('=').is_none_or(|(key, _)| key.contains(['/', ':']))
}

fn location<'p>(reading: &Reading<'p>, text: &'p str) -> Result<StoreLocation<'p>, String> {
    if StoreLocation::SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(StoreLocation::Server(text));
    }
    if let Some(rest) = text.strip_prefix(StoreLocation::CACHE) {
        let provider = rest.split(':').next().unwrap_or_default();
        return match !provider.is_empty() && provider.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            true => Ok(StoreLocation::Cache(text)),
            false => Err(format!("'{text}' names no provider: write for example socache:shmcb")),
        };
    }
    if text.contains("://") || !text.contains('/') {
        return Err(format!(
            "'{text}' is no location: write a folder (with a '/' in it), the address of a server, which begins with redis://, rediss:// or unix://, or a cache of httpd's such as socache:shmcb"
        ));
    }
    reading.absolute(text).map(StoreLocation::Folder).map_err(|error| error.to_string())
}

/// Sets an option.
fn set(settings: &mut StoreOptions, location: StoreLocation<'_>, key: &str, value: &str) -> Result<(), String> {
    if let StoreLocation::Cache(_) = location {
        return Err(unknown(key, location));
    }
    let is_server = matches!(location, StoreLocation::Server(_));
    let not_understood = |form: &str| format!("{key}={value} is not understood: write {form}");
    match (key, is_server) {
        ("size", false) => {
            let form = "a size of at least 1M, such as 64M or 2G";
            settings.size = bytes(value).filter(|size| *size >= 1 << 20).ok_or_else(|| not_understood(form))?;
        }
        ("readers", false) => {
            let readers = value.parse().ok().filter(|readers| (1..=100_000).contains(readers));
            settings.readers = Some(readers.ok_or_else(|| not_understood("a number from 1 to 100000"))?);
        }
        ("sync", false) => {
            let seconds = || value.strip_suffix('s')?.parse().ok().filter(|seconds| (0.001..1e6).contains(seconds));
            settings.sync = match value {
                "on" => StoreSync::Always,
                "off" => StoreSync::Never,
                _ => StoreSync::Every(seconds().ok_or_else(|| not_understood("on, off, or seconds such as 1s"))?),
            };
        }
        ("writemap", false) => {
            settings.writemap = match value {
                "on" => Some(true),
                "off" => Some(false),
                _ => return Err(not_understood("on or off")),
            };
        }
        ("prefix", true) => {}
        ("timeout", true) => {
            let seconds = value.parse().ok().filter(|seconds: &f64| (0.001..1e6).contains(seconds));
            seconds.ok_or_else(|| not_understood("seconds, such as 0.5"))?;
        }
        _ => return Err(unknown(key, location)),
    }
    Ok(())
}

fn unknown(option: &str, location: StoreLocation<'_>) -> String {
    let known = match location {
        StoreLocation::Server(_) => "a store on a server has prefix= and timeout=",
        StoreLocation::Cache(_) => {
            "a cache of httpd's has no options, what its provider takes is written behind socache:PROVIDER:"
        }
        _ => "a store in a folder has size=, sync=, readers= and writemap=",
    };
    format!("'{option}' is not known: {known}")
}

/// A number of bytes, with K, M, G or T behind it.
fn bytes(text: &str) -> Option<u64> {
    let units = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
    let unit = units.iter().find(|(unit, _)| text.to_ascii_uppercase().ends_with(*unit));
    let (number, shift) = unit.map_or((text, 0), |(_, shift)| (&text[..text.len() - 1], *shift));
    let number: u64 = number.parse().ok()?;
    // As far as the address space of the system goes.
    number.checked_mul(1 << shift).filter(|size| *size <= (1 << 46).min(isize::MAX as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, size) in [
            ("1048576", Some(1 << 20)),
            ("64M", Some(64 << 20)),
            ("64m", Some(64 << 20)),
            ("2G", Some(2 << 30)),
            ("3T", Some(3 << 40)),
            ("", None),
            ("M", None),
            ("-1M", None),
            ("1.5G", None),
            ("64MB", None),
            ("99999999999T", None),
            ("1é", None),
        ] {
            assert_eq!(bytes(text), size, "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let said = without_password(&["s", "redis://user:p@ss@host:1/0", "prefix=a"]);
        assert_eq!(said, "s redis://…@host:1/0 prefix=a");
    }

    #[test]
    fn locations_are_told_from_options() {
        for (word, is_one) in [
            ("/srv/store", true),
            ("var/store", true),
            ("redis://host", true),
            ("redis://host/0?ssl=x", true),
            ("socache:dbm:a=b", true),
            ("/srv/a=b", true),
            ("size=1M", false),
            ("sync=on", false),
            ("nothing", true),
        ] {
            assert_eq!(is_location(word), is_one, "{word}");
        }
    }
}
