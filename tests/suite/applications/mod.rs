//! Whole applications: PythonApplication, and WSGI (PEP 3333).

mod bad;
mod environ;
mod fuzz;
mod handler;
mod input;
mod mounting;
mod response;
mod transfer;

use crate::common::probe::with_code;
use crate::fixture::{Httpd, Mpm, Response, Server};

const SOURCE: &str = include_str!("probe.py");

/// A server with the application of `probe.py` under /app.
fn applications(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).config("PythonApplication /app probe:application path=${HTDOCS}/lib").file("lib/probe.py", SOURCE)
}

/// The response to a GET with code.
#[track_caller]
fn respond(server: &Server, code: &str) -> Response {
    with_code(server.request("GET", "/app"), code).send()
}

/// The lines that code puts out.
#[track_caller]
fn lines(server: &Server, code: &str) -> Vec<String> {
    lines_of(server, "/app", code)
}

/// The same for another URL.
#[track_caller]
fn lines_of(server: &Server, target: &str, code: &str) -> Vec<String> {
    let response = with_code(server.request("GET", target), code).send();
    assert_eq!(response.status, 200, "{target}: {}\n{}", response.text(), server.log());
    response.text().lines().map(str::to_owned).collect()
}
