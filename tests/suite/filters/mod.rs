//! Filters in Python: how they are named and found, what they read and write, and what else is in a response's or a body's way.

mod bad;
mod body;
mod directives;
mod documentation;
mod dynamic;
mod http;
mod members;
mod modes;
mod response;
mod size;
mod tls;

use std::time::Duration;

use crate::fixture::{Httpd, Mpm, Response, Server, dedent, logged_nothing};

/// The module `f` begins with this.
const COMMON: &str = r#"
import os, time
from mod_python import apache

def change(filter, how):
    """The idiom of mod_python's manual."""
    data = filter.read()
    while data:
        filter.write(how(data))
        data = filter.read()
    if data is None:
        filter.close()

def upper(filter):
    change(filter, bytes.upper)

def brackets(filter):
    change(filter, lambda data: b"[" + data + b"]")

def same(filter):
    change(filter, bytes)

def wait_for(req, name):
    """Waits until the test has made a file."""
    for turn in range(4000):
        if os.path.exists(os.path.join(req.get_options()["scratch"], name)):
            return
        time.sleep(0.005)
    raise AssertionError("nobody made " + name)

def made(req, name):
    """Tells the test that the program has come so far."""
    open(os.path.join(req.get_options()["scratch"], name), "w").close()

def program(req):
    req.content_type = "text/plain"
    req.write("one ", 0)
    req.write("two ")
    req.flush()
    req.write("three", 0)
    return apache.OK

def echo(req):
    """The body as it was read: whole, or in the pieces that the query names."""
    req.content_type = "text/plain"
    if not req.args:
        req.write(req.read())
    elif req.args == "lines":
        req.write(b"|".join(req))
    else:
        size = int(req.args)
        pieces = []
        while not pieces or pieces[-1]:
            pieces.append(req.read(size))
        req.write(b"|".join(pieces))
    return apache.OK
"#;

/// A server with the module `f` of these programs. Below each of its routes lie the files of `docs`, /program and /echo.
fn site(mpm: Mpm, programs: &str) -> Httpd {
    Httpd::new(mpm)
        .file("lib/f.py", format!("{COMMON}\n{}", dedent(programs)))
        .binary_file("docs/doc.txt", "Hello, world!")
        .binary_file("docs/page.html", "<p>Hello</p>")
        .config(
            r#"
            PythonPath "['${HTDOCS}/lib'] + sys.path"
            PythonOption scratch ${SCRATCH}
            <Files program>
                SetHandler mod_python
                PythonHandler f::program
            </Files>
            <Files echo>
                SetHandler mod_python
                PythonHandler f::echo
            </Files>
            "#,
        )
}

/// The route /NAME with these directives.
fn route(httpd: Httpd, name: &str, directives: &str) -> Httpd {
    httpd.config(format!("Alias \"/{name}\" \"${{HTDOCS}}/docs\"\n<Location \"/{name}\">\n{directives}\n</Location>"))
}

/// Routes whose responses go through a program of `f` of the same name.
fn output(httpd: Httpd, names: &[&str]) -> Httpd {
    names.iter().fold(httpd, |httpd, name| {
        route(httpd, name, &format!("PythonOutputFilter f::{name} O-{name}\nSetOutputFilter O-{name}"))
    })
}

/// Routes whose requests' bodies go through a program of `f` of the same name.
fn input(httpd: Httpd, names: &[&str]) -> Httpd {
    names.iter().fold(httpd, |httpd, name| {
        route(httpd, name, &format!("PythonInputFilter f::{name} I-{name}\nSetInputFilter I-{name}"))
    })
}

/// The body of a 200.
#[track_caller]
fn got(server: &Server, path: &str) -> String {
    is_ok(server, path, &server.get(path))
}

/// The body of a 200 after a POST.
#[track_caller]
fn posted(server: &Server, path: &str, body: impl AsRef<[u8]>) -> String {
    is_ok(server, path, &server.request("POST", path).body(body).send())
}

#[track_caller]
fn is_ok(server: &Server, path: &str, response: &Response) -> String {
    assert_eq!(response.status, 200, "{path}: {response:?}\n{}", server.log());
    response.text()
}

/// A client that does not give up while much is moved on a busy machine.
const PATIENT: Duration = Duration::from_secs(120);

fn make_executable(server: &Server, path: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = server.root().join(path);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}
