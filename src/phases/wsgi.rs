//! mod_wsgi's directives at work: its scripts as content, the scripts that are asked about requests, and what is done when httpd starts.

pub mod checks;
pub mod imports;
pub mod scripts;
pub mod starting;

use std::sync::OnceLock;

use crate::config::wsgi::{Script, WsgiProcess};
use crate::config::{Application, Generation, Handler, Section, Source};
use crate::httpd::{Pool, is_loaded};

/// Whether mod_wsgi is loaded too, whose directives, handlers and providers these are then.
pub fn is_mod_wsgi_loaded() -> bool {
    static IS_LOADED: OnceLock<bool> = OnceLock::new();
    *IS_LOADED.get_or_init(|| is_loaded(c"mod_wsgi.c"))
}

/// Works with what the directives say of this process.
fn with_process<T>(work: impl FnOnce(&WsgiProcess) -> T) -> T {
    match Generation::current() {
        Some(generation) => work(&generation.wsgi),
        None => work(&WsgiProcess::default()),
    }
}

/// A script as an application, of which one object is called.
fn application<'p>(script: &Script<'p>, object: &'p str, fingerprint: u64, pool: Pool<'p>) -> &'p Application<'p> {
    let handler = Handler {
        directive: script.directive,
        text: script.text,
        module: script.text,
        object,
        section: Section::Server,
        origin: script.origin,
        silent: false,
        fingerprint,
    };
    pool.value(Application {
        handler,
        source: Source::Script(script.path),
        file: script.path,
        options: Default::default(),
        prefix: None,
        name: crate::config::wsgi::HANDLER,
    })
}
