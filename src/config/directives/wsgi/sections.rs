//! What holds for the scripts of a section.

use std::ffi::CStr;

use super::super::Outcome;
use super::super::reading::Reading;
use crate::config::error::ConfigError;
use crate::config::flags::Flag;
use crate::config::wsgi::{Group, MapHead};

/// `WSGICallableObject name`
pub(super) fn callable(reading: &mut Reading<'_>, name: &CStr) -> Outcome {
    let name = reading.text(name)?;
    reading.set_wsgi(|settings| settings.options.callable = Some(name));
    Ok(())
}

/// `WSGIApplicationGroup name`
pub(super) fn application_group(reading: &mut Reading<'_>, name: &CStr) -> Outcome {
    let group = Group::application(reading.text(name)?, reading.pool())?;
    reading.set_wsgi(|settings| settings.options.application_group = Some(group));
    Ok(())
}

/// `WSGIProcessGroup name`
pub(super) fn process_group(reading: &mut Reading<'_>, name: &CStr) -> Outcome {
    let group = Group::process(reading.text(name)?, reading.pool())?;
    reading.set_wsgi(|settings| settings.options.process_group = Some(group));
    Ok(())
}

/// `WSGIRestrictProcess name …`
pub(super) fn restrict_process(reading: &mut Reading<'_>, names: &[&CStr]) -> Outcome {
    let pool = reading.pool();
    let names: Vec<&[u8]> = names
        .iter()
        .map(|name| match name.to_bytes() {
            b"%{GLOBAL}" => b"".as_slice(),
            name => pool.slice(name),
        })
        .collect();
    reading.set_wsgi(|settings| settings.process_groups = Some(pool.slice(&names)));
    Ok(())
}

/// `WSGIScriptReloading`: `PythonAutoReload`.
pub(super) fn script_reloading(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    reading.set_flag(Flag::AutoReload, is_on);
    Ok(())
}

/// `WSGIPassAuthorization`: `PythonPassAuthorization`.
pub(super) fn pass_authorization(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    reading.set_flag(Flag::PassAuthorization, is_on);
    Ok(())
}

pub(super) fn chunked_request(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    reading.set_wsgi(|settings| settings.chunked_request = Some(is_on));
    Ok(())
}

pub(super) fn error_override(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    reading.set_wsgi(|settings| settings.error_override = Some(is_on));
    Ok(())
}

pub(super) fn enable_sendfile(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    reading.set_wsgi(|settings| settings.enable_sendfile = Some(is_on));
    Ok(())
}

/// `WSGIMapHEADToGET Auto|On|Off`
pub(super) fn map_head(reading: &mut Reading<'_>, value: &CStr) -> Outcome {
    let map = match value.to_bytes().to_ascii_lowercase().as_slice() {
        b"auto" => MapHead::Auto,
        b"on" => MapHead::On,
        b"off" => MapHead::Off,
        _ => {
            let value = value.to_string_lossy().into_owned();
            return Err(ConfigError::NotAWsgiValue {
                directive: "WSGIMapHEADToGET",
                value,
                allowed: "Auto, On or Off",
            });
        }
    };
    reading.set_wsgi(|settings| settings.map_head = Some(map));
    Ok(())
}
