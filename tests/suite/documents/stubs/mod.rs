//! The type stubs: they say what is there inside httpd, and the manual's examples agree with them.

use std::fs;
use std::path::Path;

use crate::fixture::{Httpd, Mpm, Server};

fn stub(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn differences(server: &Server, builtin: &str, library: &str) -> Vec<String> {
    let response = server.request("POST", "/compare").body(format!("{builtin}\n--------\n{library}")).send();
    assert_eq!(response.status, 200, "{}", server.log());
    response.text().lines().map(String::from).collect()
}

#[test]
fn the_stubs_say_what_is_there() {
    let server = Httpd::new(Mpm::Event).handler("compare", include_str!("compare.py")).start();
    let (builtin, library) = (stub("_apache.pyi"), stub("mod_python/apache.pyi"));
    assert_eq!(differences(&server, &builtin, &library), ["equal"]);

    // What is missing, too much or different is found
    let changed = builtin
        .replace("    def flush(self) -> None: ...\n    def get_addhandler_exts", "    def get_addhandler_exts")
        .replace(
            "def write(self, data: str | ReadableBuffer, flush: int = 1, /)",
            "def write(self, data: str, flush: int = 0, /)",
        )
        .replace("    keepalive: int\n", "    keepalive: int\n    kept: int\n")
        .replace("AP_CONN_CLOSE: int\n", "");
    let library = library.replace("HTTP_GONE: Final = 410", "HTTP_GONE: Final = 411");
    let mut found = differences(&server, &changed, &library);
    found.sort();
    assert_eq!(
        found,
        [
            "_apache.AP_CONN_CLOSE: the stub lacks it",
            "apache.HTTP_GONE: is 410, the stub says 411",
            "mp_conn.kept: only the stub has it",
            "mp_request.flush: the stub lacks it",
            "mp_request.write: is (self, data, flush=1, /), the stub says (self, data, flush=0, /)",
        ]
    );
}

/// The modules of the library, but for mod_python.apache.
const LIBRARY: &[&str] =
    &["Cookie", "Session", "cache", "cgihandler", "psp", "publisher", "python22", "testhandler", "util"];

#[test]
fn the_librarys_stubs_say_what_is_there() {
    let server = Httpd::new(Mpm::Event).handler("library", include_str!("library.py")).start();
    let ask = |module: &str, stub: String| {
        let response = server.request("POST", format!("/library?{module}")).body(stub).send();
        assert_eq!(response.status, 200, "{}", server.log());
        response.text()
    };
    for module in LIBRARY {
        assert_eq!(ask(module, stub(&format!("mod_python/{module}.pyi"))), "equal", "{module}");
    }

    // What is missing, too much or different is found
    let changed = stub("mod_python/util.pyi")
        .replace("permanent: int = 0", "permanent: int = 1")
        .replace("    def clear(self) -> None: ...\n", "    def clean(self) -> None: ...\n");
    assert_eq!(
        ask("util", changed),
        "util.redirect: is (req,location,permanent=0,text=None), the stub says (req,location,permanent=1,text=None)\n\
         util.FieldStorage.clear: the stub lacks it\n\
         util.FieldStorage.clean: only the stub has it"
    );
}
