//! `WSGIDaemonProcess`: a name for an interpreter, with what it is set up with. What only a process of its own could give is said.

use std::ffi::{CStr, CString};

use super::super::Outcome;
use super::super::reading::Reading;
use super::process::positive;
use crate::config::error::ConfigError;
use crate::config::generation::Folder;
use crate::config::wsgi::Daemon;
use crate::ffi::httpd as raw;
use crate::interpreter::Venv;

/// `WSGIDaemonProcess name [key=value …]`
pub(super) fn daemon_process(reading: &mut Reading<'_>, words: &[&CStr]) -> Outcome {
    const NAME: &str = "WSGIDaemonProcess";
    let [name, options @ ..] = words else {
        let usage = "a name for WSGIProcessGroup, then key=value pairs".to_owned();
        return Err(ConfigError::MissingScript { directive: NAME, usage });
    };
    let origin = reading.origin();
    let server = reading.server();
    let mut daemon = Daemon {
        name: name.to_bytes().to_vec(),
        server: server.is_virtual().then_some(server.as_ptr() as usize),
        place: format!("{}:{}", origin.file, origin.line),
        ..Daemon::default()
    };
    let Some(generation) = reading.generation() else { return Ok(()) };
    if let Some(known) = generation.wsgi.daemon(&daemon.name) {
        let name = name.to_string_lossy().into_owned();
        return Err(ConfigError::TwoDaemons { name, known: known.place.clone() });
    }
    for option in options {
        let option = reading.text(option)?;
        let Some((key, value)) = option.split_once('=') else { return Err(unknown(option)) };
        match instead_of(key) {
            Some(_) if (key, value) == ("threads", "0") => {
                return Err(ConfigError::Service { name: name.to_string_lossy().into_owned() });
            }
            Some(instead) => generation.wsgi.note_without_effect(format!("{key}="), instead),
            None if key == "python-home" => {
                let venv = Venv::new(reading.absolute(value)?);
                let said = format!("WSGIDaemonProcess {} python-home={value}", name.to_string_lossy());
                venv.check().map_err(|error| ConfigError::Venv { said: said.clone(), error })?;
                generation.folders.push(Folder { said, place: daemon.place.clone(), needs: venv.needs() });
                daemon.python_home = Some(venv);
            }
            None => set(&mut daemon, key, value, option)?,
        }
    }
    generation.wsgi.daemons.push(daemon);
    Ok(())
}

fn set(daemon: &mut Daemon, key: &str, value: &str, option: &str) -> Outcome {
    let owned = || Some(value.to_owned());
    match key {
        "user" => daemon.user = owned(),
        "group" => daemon.group = owned(),
        "chroot" => {
            let name = String::from_utf8_lossy(&daemon.name).into_owned();
            return Err(ConfigError::Chroot { name });
        }
        "script-user" => daemon.script_user = Some(user(value).ok_or_else(|| unknown(option))?),
        "script-group" => daemon.script_group = Some(group(value).ok_or_else(|| unknown(option))?),
        "python-path" => daemon.python_path = owned(),
        "home" if value.starts_with('/') => daemon.home = owned(),
        "lang" => daemon.environment.push(("LANG", value.to_owned())),
        "locale" => daemon.environment.push(("LC_ALL", value.to_owned())),
        "python-eggs" => daemon.environment.push(("PYTHON_EGG_CACHE", value.to_owned())),
        "switch-interval" => daemon.switch_interval = Some(positive(value).ok_or_else(|| unknown(option))?),
        _ => return Err(unknown(option)),
    }
    Ok(())
}

fn unknown(option: &str) -> ConfigError {
    ConfigError::UnknownDaemonKey(option.to_owned())
}

/// What does here what a setting of a process of its own does there; `None` for what has a meaning here.
fn instead_of(key: &str) -> Option<&'static str> {
    Some(match key {
        "processes" | "threads" => {
            "httpd's children serve the application: MaxRequestWorkers, ThreadsPerChild and ServerLimit say how many"
        }
        "maximum-requests" => "MaxConnectionsPerChild",
        "restart-interval" | "inactivity-timeout" | "eviction-timeout" | "cpu-time-limit" => {
            "MaxConnectionsPerChild replaces children, MaxSpareThreads ends those that are idle"
        }
        "graceful-timeout" | "shutdown-timeout" => "GracefulShutdownTimeout",
        "request-timeout" | "interrupt-timeout" | "deadlock-timeout" | "startup-timeout" => {
            "Timeout and RequestReadTimeout end what clients keep waiting"
        }
        "connect-timeout" | "socket-timeout" | "queue-timeout" | "response-socket-timeout" => "Timeout",
        "listen-backlog" => "ListenBacklog",
        "receive-buffer-size" => "ReceiveBufferSize",
        "send-buffer-size" => "SendBufferSize",
        "stack-size" => "ThreadStackSize",
        "umask" | "supplementary-groups" | "cpu-priority" | "memory-limit" | "virtual-memory-limit" => {
            "a setting of the service that starts httpd (systemd: UMask=, SupplementaryGroups=, Nice=, MemoryMax=)"
        }
        "display-name"
        | "socket-user"
        | "header-buffer-size"
        | "response-buffer-size"
        | "response-flush-delay"
        | "proxy-buffer-size"
        | "response-buffer-timeout"
        | "server-metrics"
        | "ignore-activity" => "nothing: no other process is in between",
        _ => return None,
    })
}

/// The number of a user, by name or as `#number`.
fn user(name: &str) -> Option<u32> {
    number(name, |name| {
        // SAFETY: a C string; the record is read at once, while httpd reads its configuration in one thread.
        unsafe { libc::getpwnam(name.as_ptr()).as_ref().map(|entry| entry.pw_uid) }
    })
}

/// The number of a group, by name or as `#number`.
fn group(name: &str) -> Option<u32> {
    number(name, |name| {
        // SAFETY: as above.
        unsafe { libc::getgrnam(name.as_ptr()).as_ref().map(|entry| entry.gr_gid) }
    })
}

fn number(name: &str, find: impl FnOnce(&CStr) -> Option<u32>) -> Option<u32> {
    match name.strip_prefix('#') {
        Some(number) => number.parse().ok(),
        None => find(&CString::new(name).ok()?),
    }
}

/// Why a process group could not run as what it says: its users are not httpd's own. Asked when the configuration is complete.
pub fn other_user(daemon: &Daemon) -> Option<String> {
    // SAFETY: plain values, which mod_unixd has set by now.
    let (is_root, uid, gid) =
        unsafe { (libc::geteuid() == 0, raw::ap_unixd_config.user_id, raw::ap_unixd_config.group_id) };
    if !is_root {
        // As mod_wsgi has it: nobody but root can change the user.
        return None;
    }
    let wrong_user = daemon.user.as_deref().filter(|name| user(name) != Some(uid)).map(|name| format!("user={name}"));
    let wrong_group =
        daemon.group.as_deref().filter(|name| group(name) != Some(gid)).map(|name| format!("group={name}"));
    match (wrong_user, wrong_group) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Some(one),
        (Some(user), Some(group)) => Some(format!("{user} {group}")),
    }
}
