//! Handlers that check something in Python and say "passed".

use crate::fixture::{Httpd, Mpm, Response, Server, Shared, dedent};

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

/// A handler that runs `check(req)` of the source and says "passed" if it returns.
fn handler(check: &str) -> String {
    let check = dedent(check);
    format!("{CHECKS}\n{check}\ndef handler(req):\n    check(req)\n    req.write('passed')\n    return apache.OK\n")
}

/// A server with that handler as /t.
pub fn serving(mpm: Mpm, check: &str) -> Httpd {
    Httpd::new(mpm).handler("t", &handler(check))
}

/// A shared server with that handler, and its path.
pub fn sharing(mpm: Mpm, check: &str) -> (Shared, String) {
    let server = Httpd::new(mpm).shared();
    let path = server.add_handler(&handler(check));
    (server, path)
}

/// Runs `check(req)` in one process.
pub fn passes(check: &str) {
    let (server, path) = sharing(Mpm::Prefork, check);
    passed(&server, &server.get(&path));
}

/// The response says that the check passed; a traceback is in the log that a failure shows.
pub fn passed(server: &Server, response: &Response) {
    assert_eq!((response.status, response.text().as_str()), (200, "passed"), "{}", server.log());
}
