//! `mod_python.store` and `PythonStore`: by the embedded engine, and on a server of Redis's protocol.

mod counting;
mod directive;
mod folders;
mod limits;
mod locks;
mod mapping;
mod places;
mod redis;
mod redis_server;
mod sessions;
mod socache;
mod writemap;

use crate::common::who::site;
use crate::fixture::{Httpd, Mpm, Response, Server};

/// A site whose `/NAME` runs the function NAME of the module `program`, which can write with `say`.
fn program(mpm: Mpm, source: &str) -> Httpd {
    let wrapper = r#"
    import traceback
    import program
    from mod_python import apache

    def handler(req):
        req.content_type = "text/plain"
        name = req.uri.rpartition("/")[2]
        try:
            result = getattr(program, name)(req)
        except Exception:
            req.status = 500
            req.write(traceback.format_exc())
            return apache.DONE
        req.write("ok" if result is None else str(result))
        return apache.OK
    "#;
    site(mpm).file("lib/program.py", source).file("lib/runs.py", wrapper).config("PythonHandler runs")
}

/// What a function of the program has returned.
#[track_caller]
fn run(server: &Server, name: &str) -> String {
    let response = server.get(&format!("/{name}"));
    returned(&response, name)
}

#[track_caller]
fn returned(response: &Response, name: &str) -> String {
    assert_eq!(response.status, 200, "{name}: {}", response.text());
    response.text()
}
