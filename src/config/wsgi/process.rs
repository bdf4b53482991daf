//! What mod_wsgi's directives say about the process as a whole: the process groups, which are names for interpreters here, and what an
//! interpreter is set up with.

use crate::httpd::Server;
use crate::interpreter::{InterpreterOptions, MAIN, Venv};

/// A `WSGIDaemonProcess`.
#[derive(Clone, Debug, Default)]
pub struct Daemon {
    pub name: Vec<u8>,
    /// The address of the virtual host's record that it stands in; none outside of them.
    pub server: Option<usize>,
    /// The file and the line, for messages.
    pub place: String,
    pub user: Option<String>,
    pub group: Option<String>,
    /// What else its scripts' owner must be: `script-user=`, `script-group=`.
    pub script_user: Option<u32>,
    pub script_group: Option<u32>,
    pub python_home: Option<Venv>,
    /// Folders, separated by colons.
    pub python_path: Option<String>,
    pub home: Option<String>,
    /// Variables of the environment: LANG, LC_ALL, PYTHON_EGG_CACHE.
    pub environment: Vec<(&'static str, String)>,
    pub switch_interval: Option<f64>,
}

/// A script that is loaded when a child starts.
#[derive(Clone, Debug)]
pub struct ScriptImport {
    pub directive: &'static str,
    pub path: Vec<u8>,
    pub process_group: Vec<u8>,
    pub application_group: Vec<u8>,
    pub place: String,
}

/// Everything of mod_wsgi's that is not about a section or a server.
#[derive(Debug, Default)]
pub struct WsgiProcess {
    /// A directive was read.
    pub is_used: bool,
    pub daemons: Vec<Daemon>,
    pub imports: Vec<ScriptImport>,
    pub python_path: Option<String>,
    pub environment: Vec<(&'static str, String)>,
    pub switch_interval: Option<f64>,
    pub dont_write_bytecode: bool,
    pub warnings: Vec<String>,
    pub restrict_embedded: bool,
    pub allow_signals: bool,
    pub restrict_stdin: bool,
    pub restrict_stdout: bool,
    /// What was said and has no effect here, with what does it instead, each once.
    pub without_effect: Vec<(String, &'static str)>,
}

/// What an interpreter is set up with.
#[derive(Debug, Default, PartialEq)]
pub struct ForInterpreter<'g> {
    pub process_group: &'g [u8],
    pub application_group: &'g [u8],
    /// Lists of folders, the last one's to come first in `sys.path`.
    pub folders: Vec<&'g str>,
    pub environment: Vec<(&'static str, &'g str)>,
    pub switch_interval: Option<f64>,
}

impl WsgiProcess {
    pub fn daemon(&self, name: &[u8]) -> Option<&Daemon> {
        self.daemons.iter().find(|daemon| daemon.name == name)
    }

    /// The process group of that name, if a server's requests may use it: as with mod_wsgi, one of a virtual host is for the hosts of
    /// the same name.
    pub fn daemon_for(&self, name: &[u8], server: Server<'_>) -> Option<&Daemon> {
        self.daemon(name).filter(|daemon| {
            let Some(own) = daemon.server else { return true };
            // SAFETY: the record of a server of this configuration.
            let own = unsafe { Server::from_raw(own as *mut crate::ffi::httpd::server_rec) };
            own.is_some_and(|own| own.as_ptr() == server.as_ptr() || own.hostname() == server.hostname())
        })
    }

    /// The name of the interpreter that a group of a process group is.
    ///
    /// There is one main interpreter: `%{GLOBAL}` of the only process group is it, and that of no process group; of several process
    /// groups, each has one of its own.
    pub fn interpreter(&self, process_group: &[u8], application_group: &[u8]) -> Vec<u8> {
        match (process_group, application_group) {
            (b"", b"") => MAIN.to_vec(),
            (b"", name) => name.to_vec(),
            (_, b"") if self.daemons.len() <= 1 => MAIN.to_vec(),
            (group, b"") => group.to_vec(),
            (group, name) => [group, b"/", name].concat(),
        }
    }

    /// The groups that an interpreter's name stands for.
    pub fn groups<'n>(&'n self, interpreter: &'n [u8]) -> (&'n [u8], &'n [u8]) {
        if interpreter == MAIN {
            return match self.daemons.as_slice() {
                [only] => (&only.name, b""),
                _ => (b"", b""),
            };
        }
        let mut known: Vec<_> = self.daemons.iter().map(|daemon| daemon.name.as_slice()).collect();
        known.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in known {
            match interpreter.strip_prefix(name) {
                Some(b"") if self.daemons.len() > 1 => return (name, b""),
                Some([b'/', group @ ..]) => return (name, group),
                _ => {}
            }
        }
        (b"", interpreter)
    }

    /// What an interpreter of that name is set up with.
    pub fn for_interpreter<'g>(&'g self, interpreter: &'g [u8]) -> ForInterpreter<'g> {
        let (process_group, application_group) = self.groups(interpreter);
        let daemon = self.daemon(process_group);
        let is_embedded = daemon.is_none() || interpreter == MAIN;
        let of_process = self.python_path.as_deref().filter(|_| is_embedded);
        let of_daemon = daemon.and_then(|daemon| daemon.python_path.as_deref());
        let environment = self.environment.iter().chain(daemon.into_iter().flat_map(|daemon| &daemon.environment));
        ForInterpreter {
            process_group,
            application_group,
            folders: of_process.into_iter().chain(of_daemon).collect(),
            environment: environment.map(|(name, value)| (*name, value.as_str())).collect(),
            switch_interval: daemon.and_then(|daemon| daemon.switch_interval).or(self.switch_interval),
        }
    }

    /// Gives the interpreters of the process groups their virtual environments. Asked when the configuration is complete.
    ///
    /// # Errors
    /// The main interpreter has another one: what it is said to have, and what the only process group says.
    pub fn give_venvs(&self, options: &mut InterpreterOptions) -> Result<(), (Option<Venv>, &Daemon)> {
        for daemon in &self.daemons {
            let Some(venv) = &daemon.python_home else { continue };
            options.groups.push((daemon.name.clone(), venv.clone()));
            if self.daemons.len() == 1 {
                options.venv.set(Some(MAIN), Some(venv.clone())).map_err(|known| (known, daemon))?;
            }
        }
        Ok(())
    }

    /// Notes something that has no effect here.
    pub fn note_without_effect(&mut self, what: impl Into<String>, instead: &'static str) {
        let what = what.into();
        if self.without_effect.iter().all(|(known, _)| *known != what) {
            self.without_effect.push((what, instead));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(names: &[&str]) -> WsgiProcess {
        let daemon = |name: &&str| Daemon { name: name.as_bytes().to_vec(), ..Daemon::default() };
        WsgiProcess { daemons: names.iter().map(daemon).collect(), ..WsgiProcess::default() }
    }

    #[test]
    fn the_only_process_group_has_the_main_interpreter() {
        let one = process(&["site"]);
        assert_eq!(one.interpreter(b"site", b""), MAIN);
        assert_eq!(one.interpreter(b"", b""), MAIN);
        assert_eq!(one.interpreter(b"site", b"host|/x"), b"site/host|/x");
        assert_eq!(one.groups(MAIN), (b"site".as_slice(), b"".as_slice()));
        assert_eq!(one.groups(b"site/host|/x"), (b"site".as_slice(), b"host|/x".as_slice()));
        let two = process(&["a", "a:1"]);
        assert_eq!(two.interpreter(b"a", b""), b"a");
        assert_eq!(two.groups(b"a"), (b"a".as_slice(), b"".as_slice()));
        assert_eq!(two.groups(b"a:1/x"), (b"a:1".as_slice(), b"x".as_slice()));
        assert_eq!(two.groups(b"a:8080|/x"), (b"".as_slice(), b"a:8080|/x".as_slice()));
        assert_eq!(two.groups(MAIN), (b"".as_slice(), b"".as_slice()));
    }

    #[test]
    fn an_interpreter_gets_the_folders_of_its_process_group() {
        let mut process = process(&["a", "b"]);
        process.python_path = Some("/embedded".into());
        process.daemons[0].python_path = Some("/a".into());
        assert_eq!(process.for_interpreter(b"a").folders, ["/a"]);
        assert_eq!(process.for_interpreter(b"a/x").folders, ["/a"]);
        assert_eq!(process.for_interpreter(b"b").folders, [""; 0]);
        assert_eq!(process.for_interpreter(b"other").folders, ["/embedded"]);
        process.daemons.truncate(1);
        assert_eq!(process.for_interpreter(MAIN).folders, ["/embedded", "/a"]);
    }
}
