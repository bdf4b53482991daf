//! Directives for the whole child.

use std::ffi::CStr;
use std::path::PathBuf;

use crate::interpreter::Venv;

use super::Outcome;
use super::reading::Reading;
use crate::config::error::ConfigError;
use crate::config::generation::Folder;
use crate::config::records::Import;

/// `PythonImport module[::function] interpreter`
pub(super) fn import(reading: &mut Reading<'_>, what: &CStr, interpreter: &CStr) -> Outcome {
    let what = reading.text(what)?;
    let (module, function) = match what.split_once("::") {
        None => (what, None),
        Some((module, function)) => (module, Some(function)),
    };
    let is_name = |name: &str| name.split('.').all(|part| !part.is_empty() && !part.contains(['/', ':']));
    if !is_name(module) || !function.is_none_or(is_name) {
        return Err(ConfigError::NotAnImport(what.to_owned()));
    }
    let interpreter = reading.pool().slice(interpreter.to_bytes());
    let origin = reading.origin();
    let Some(generation) = reading.generation() else {
        return Ok(());
    };
    generation.uses_python = true;
    generation.imports += 1;
    let import = Import { module, function, interpreter, origin, order: generation.imports };
    let pool = reading.pool();
    let record = reading.server_record();
    record.imports = pool.slice(&[record.imports, &[import]].concat());
    Ok(())
}

/// `PythonOptimize On|Off`: one setting for the process. It is on if it is On anywhere.
pub(super) fn optimize(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    if let Some(generation) = reading.generation() {
        generation.optimization = generation.optimization.max(if is_on { 2 } else { 0 });
    }
    Ok(())
}

/// `PythonHome DIR`: a prefix that has this Python's standard library, or a virtual environment.
pub(super) fn home(reading: &mut Reading<'_>, folder: &CStr) -> Outcome {
    if reading.is_in_virtual_host() {
        return Err(ConfigError::HomeInVirtualHost);
    }
    let folder = reading.text(folder)?;
    let said = format!("PythonHome {folder}");
    let venv = Venv::new(reading.absolute(folder)?);
    let folder = venv.folder().to_owned();
    let (venv, needs) = match Venv::is_in(&folder) {
        true => {
            venv.check().map_err(|error| ConfigError::Venv { said: said.clone(), error })?;
            let needs = venv.needs();
            (Some(venv), needs)
        }
        false => (None, vec![standard_library(&folder).ok_or_else(|| ConfigError::NotAHome(folder.clone()))?]),
    };
    let place = reading.origin().to_string();
    let Some(generation) = reading.generation() else {
        return Ok(());
    };
    let known = match &generation.interpreters.home {
        Some(known) => Some(known.folder().to_owned()),
        None => generation.home.clone(),
    };
    if let Some(known) = known.filter(|known| *known != folder) {
        return Err(ConfigError::TwoHomes { folder, known });
    }
    generation.folders.push(Folder { said, place, needs });
    match venv {
        Some(_) => generation.interpreters.home = venv,
        None => generation.home = Some(folder),
    }
    Ok(())
}

/// The first module that Python reads from its standard library, under a prefix.
fn standard_library(prefix: &str) -> Option<PathBuf> {
    let in_folder =
        |name: &str| PathBuf::from(format!("{prefix}/{name}/python{}/os.py", env!("MOD_PYTHON_PY_VERSION")));
    ["lib", "lib64"].into_iter().map(in_folder).find(|file| file.is_file())
}
