//! Handlers that check something in Python and say "passed".

// Every test program has the whole of this and uses a part of it.
#![allow(dead_code)]

use crate::fixture::{Httpd, Mpm, Response, Server, dedent};

/// What the handlers begin with.
const CHECKS: &str = r#"
from mod_python import apache

def raises(exception, call, *arguments, says=""):
    """call(*arguments) raises exactly this exception, with a message that has the text in it."""
    try:
        result = call(*arguments)
    except BaseException as error:
        assert type(error) is exception, repr(error)
        assert says in str(error), f"{says!r} is not in {str(error)!r}"
    else:
        raise AssertionError(f"{result!r} instead of {exception.__name__}")

def filled(*pairs):
    """A table with these entries, several of one key beside each other."""
    table = apache.table()
    for key, value in pairs:
        table.add(key, value)
    return table
"#;

/// A server whose /t runs `check(req)` of the source and says "passed" if it returns.
pub fn serving(mpm: Mpm, check: &str) -> Httpd {
    let check = dedent(check);
    let handler = format!(
        "{CHECKS}\n{check}\ndef handler(req):\n    check(req)\n    req.write('passed')\n    return apache.OK\n"
    );
    Httpd::new(mpm).handler("t", &handler)
}

/// Runs `check(req)` in one process.
pub fn passes(check: &str) {
    let server = serving(Mpm::Prefork, check).children(1).start();
    passed(&server, &server.get("/t"));
}

/// The response says that the check passed; a traceback is in the log that a failure shows.
pub fn passed(server: &Server, response: &Response) {
    assert_eq!((response.status, response.text().as_str()), (200, "passed"), "{}", server.log());
}
