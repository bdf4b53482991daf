//! What concerns the process as a whole.

use std::ffi::CStr;

use super::super::Outcome;
use super::super::reading::Reading;
use crate::config::error::ConfigError;
use crate::config::wsgi::WsgiProcess;
use crate::interpreter::Gil;

/// Changes what is said of the process, by a directive that may stand in the main server only.
fn set(reading: &Reading<'_>, change: impl FnOnce(&mut WsgiProcess)) -> Outcome {
    reading.expect_main_server(reading.name())?;
    if let Some(generation) = reading.generation() {
        change(&mut generation.wsgi);
    }
    Ok(())
}

/// `WSGIPythonHome prefix[:exec_prefix]`: `PythonHome`.
pub(super) fn python_home(reading: &mut Reading<'_>, folder: &CStr) -> Outcome {
    let folder = folder.to_bytes().split(|byte| *byte == b':').next().unwrap_or_default();
    let folder = reading.pool().c_string(folder);
    super::super::process::home(reading, folder)
}

/// `WSGIPythonPath folder[:folder …]`
pub(super) fn python_path(reading: &mut Reading<'_>, folders: &CStr) -> Outcome {
    let folders = reading.text(folders)?.to_owned();
    set(reading, |process| process.python_path = Some(folders))
}

/// `WSGIPythonOptimize 0|1|2`. The highest that is asked for counts, `PythonOptimize On` included.
pub(super) fn optimize(reading: &mut Reading<'_>, level: &CStr) -> Outcome {
    let level = match level.to_bytes() {
        b"0" | b"Off" | b"off" => 0,
        b"1" | b"On" | b"on" => 1,
        b"2" => 2,
        _ => return Err(reading.wrong(level, "0, 1 or 2")),
    };
    set(reading, |_| {})?;
    if let Some(generation) = reading.generation() {
        generation.optimization = generation.optimization.max(level);
    }
    Ok(())
}

/// `WSGIPythonEggs folder`
pub(super) fn eggs(reading: &mut Reading<'_>, folder: &CStr) -> Outcome {
    let folder = reading.text(folder)?.to_owned();
    set(reading, |process| process.environment.push(("PYTHON_EGG_CACHE", folder)))
}

/// `WSGIPythonWarnings filter`
pub(super) fn warnings(reading: &mut Reading<'_>, filter: &CStr) -> Outcome {
    let filter = reading.text(filter)?.to_owned();
    set(reading, |process| process.warnings.push(filter))
}

pub(super) fn dont_write_bytecode(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    set(reading, |process| process.dont_write_bytecode = is_on)
}

/// `WSGIPerInterpreterGIL`: `PythonInterpreterOptions * gil=own|shared`.
pub(super) fn per_interpreter_gil(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    set(reading, |process| {
        if is_on && !Gil::OWN_SUPPORTED {
            process.note_without_effect("WSGIPerInterpreterGIL", "it needs Python 3.12 or later");
        }
    })?;
    if is_on && !Gil::OWN_SUPPORTED {
        return Ok(());
    }
    let gil = if is_on { Gil::Own } else { Gil::Shared };
    let Some(generation) = reading.generation() else { return Ok(()) };
    generation.interpreters.gil.set(None, gil).map_err(|known| ConfigError::Contradiction {
        name: "*".into(),
        key: "gil",
        value: gil.to_string(),
        known: known.to_string(),
    })
}

/// `WSGISwitchInterval seconds`
pub(super) fn switch_interval(reading: &mut Reading<'_>, seconds: &CStr) -> Outcome {
    let seconds =
        positive(reading.text(seconds)?).ok_or_else(|| reading.wrong(seconds, "a number of seconds above 0"))?;
    set(reading, |process| process.switch_interval = Some(seconds))
}

/// A number above 0.
pub(super) fn positive(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)
}

pub(super) fn restrict_embedded(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    set(reading, |process| process.restrict_embedded = is_on)
}

pub(super) fn restrict_signal(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    set(reading, |process| process.allow_signals = !is_on)
}

pub(super) fn restrict_stdin(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    set(reading, |process| process.restrict_stdin = is_on)
}

pub(super) fn restrict_stdout(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    set(reading, |process| process.restrict_stdout = is_on)
}

/// `WSGILazyInitialization`: Python starts in the children, never in the parent.
pub(super) fn lazy_initialization(reading: &mut Reading<'_>, _is_on: bool) -> Outcome {
    set(reading, |_| {})
}

pub(super) fn free_threading(reading: &mut Reading<'_>, is_on: bool) -> Outcome {
    let instead = "WSGIPerInterpreterGIL On or 'PythonInterpreterOptions * gil=own' runs interpreters in parallel";
    set(reading, |process| {
        if is_on {
            process.note_without_effect("WSGIFreeThreading", instead);
        }
    })
}

/// What is right for every value.
pub(super) fn nothing(_reading: &mut Reading<'_>, _line: &str) -> Outcome {
    Ok(())
}

/// What is about processes that are not here.
pub(super) fn of_daemons(_reading: &mut Reading<'_>, _line: &str) -> Outcome {
    Ok(())
}

pub(super) fn request_object(reading: &mut Reading<'_>, line: &str) -> Outcome {
    let is_on = line.trim().eq_ignore_ascii_case("on");
    note(reading, is_on, "the request is environ['mod_python.request']")
}

pub(super) fn hash_seed(reading: &mut Reading<'_>, line: &str) -> Outcome {
    let is_set = !line.trim().eq_ignore_ascii_case("random");
    note(reading, is_set, "set PYTHONHASHSEED in httpd's environment")
}

pub(super) fn metrics(reading: &mut Reading<'_>, line: &str) -> Outcome {
    let is_on = !line.trim().eq_ignore_ascii_case("off");
    note(reading, is_on, "mod_status shows what httpd does")
}

fn note(reading: &mut Reading<'_>, is_said: bool, instead: &'static str) -> Outcome {
    if let (true, Some(generation)) = (is_said, reading.generation()) {
        generation.wsgi.note_without_effect(reading.name(), instead);
    }
    Ok(())
}

pub(super) fn dispatch_script(_reading: &mut Reading<'_>, _line: &str) -> Outcome {
    Err(ConfigError::NotOfWsgi {
        directive: "WSGIDispatchScript",
        instead: "no script is asked where a request runs: have mod_rewrite or SetEnvIf set a variable, and write 'WSGIApplicationGroup %{ENV:variable}' or 'WSGIProcessGroup %{ENV:variable}'",
    })
}

pub(super) fn trusted_proxies(reading: &mut Reading<'_>, _line: &str) -> Outcome {
    Err(ConfigError::NotOfWsgi {
        directive: reading.name(),
        instead: "httpd's own mod_remoteip does it for all of its modules: write 'RemoteIPHeader X-Forwarded-For' and 'RemoteIPTrustedProxy' with the addresses; the scheme comes from 'SetEnvIf X-Forwarded-Proto https HTTPS=on'",
    })
}

pub(super) fn interpreter_options(_reading: &mut Reading<'_>, _line: &str) -> Outcome {
    Err(ConfigError::NotOfWsgi {
        directive: "<WSGIInterpreterOptions>",
        instead: "write 'PythonInterpreterOptions NAME key=value' with the interpreter's name, which the application sees as environ['mod_python.interpreter']",
    })
}
