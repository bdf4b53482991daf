//! mod_wsgi's directives.

mod checks;
mod groups;
mod guides;
mod process;
mod scripts;

use crate::common::probe::with_code;
use crate::fixture::{Httpd, Mpm, Server};

/// An application that answers with the values of the environ's keys that the query names, separated by commas.
const SHOW: &str = r#"
import sys
import mod_wsgi

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    names = environ['QUERY_STRING'].split(',') if environ['QUERY_STRING'] else ['SCRIPT_NAME', 'PATH_INFO']
    return [' '.join(str(environ.get(name)) for name in names).encode('latin-1')]
"#;

/// An application that runs the code that a request brings along.
const PROBE: &str = r#"
import os, sys

def application(environ, start_response):
    lines = []
    def out(*values):
        lines.append(' '.join(map(str, values)))
    exec(bytes.fromhex(environ['HTTP_X_CODE']).decode(), globals(), {'environ': environ, 'out': out})
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return ['\n'.join(lines).encode()]
"#;

/// A server with `show.wsgi` and `probe.wsgi` in a folder `wsgi`, which says nothing of them yet.
fn site(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).file("wsgi/show.wsgi", SHOW).file("wsgi/probe.wsgi", PROBE)
}

/// The line that code puts out in the application at a URL.
#[track_caller]
fn line_of(server: &Server, target: &str, code: &str) -> String {
    let response = with_code(server.request("GET", target), code).send();
    assert_eq!(response.status, 200, "{target}: {}\n{}", response.text(), server.log());
    response.text()
}
