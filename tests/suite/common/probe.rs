//! A handler that runs the Python code that a request brings along, and answers with what the code puts out.

use crate::fixture::{Httpd, Mpm, Request, Response, Server};

const SOURCE: &str = r#"
    import os
    import sys
    import _apache
    from mod_python import apache

    def handler(req):
        lines = []

        def out(*values):
            lines.append(" ".join(map(repr, values)))

        def error(call, *arguments):
            try:
                return "no error but %r" % (call(*arguments),)
            except BaseException as exception:
                return "%s: %s" % (type(exception).__name__, exception)

        def error_of(code):
            return error(exec, code, names)

        names = dict(globals(), req=req, out=out, error=error, error_of=error_of, status=apache.OK)
        exec(bytes.fromhex(req.headers_in["X-Code"]).decode(), names)
        if lines:
            req.content_type = "text/plain"
            req.write("\n".join(lines))
        return names["status"]
"#;

/// A server with the handler as /probe.
pub fn probe(mpm: Mpm) -> Httpd {
    Httpd::new(mpm).handler("probe", SOURCE)
}

/// A request with code: `out(...)` puts out a line, `error(callable, ...)` and `error_of("code")` give an exception as text,
/// `status` is what the handler returns.
pub fn with_code(request: Request, code: &str) -> Request {
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|half| char::from(b"0123456789abcdef"[usize::from(half)]));
    let hexadecimal: String = unindented(code).bytes().flat_map(digits).collect();
    request.header("X-Code", hexadecimal)
}

fn unindented(code: &str) -> String {
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let least = code.lines().filter(|line| !line.trim().is_empty()).map(|line| indent(&line)).min().unwrap_or(0);
    code.lines().map(|line| line.get(least..).unwrap_or("").to_owned() + "\n").collect()
}

/// The response to a GET with code.
#[track_caller]
pub fn respond(server: &Server, code: &str) -> Response {
    with_code(server.request("GET", "/probe"), code).send()
}

/// The lines that code puts out.
#[track_caller]
pub fn lines(server: &Server, code: &str) -> Vec<String> {
    lines_of(server.request("GET", "/probe"), server, code)
}

/// The lines that code puts out for a request of its own.
#[track_caller]
pub fn lines_of(request: Request, server: &Server, code: &str) -> Vec<String> {
    let response = with_code(request, code).send();
    assert_eq!(response.status, 200, "{}\n{}", response.text(), server.log());
    response.text().lines().map(str::to_owned).collect()
}
