//! `PythonHandler`: which handlers of which list run, where httpd's handler is this module.

use crate::fixture::{Httpd, Mpm, Server};

/// Handlers that say their name, by module and by object.
const SAY: &str = r#"
    from mod_python import apache

    def named(name, status):
        def handler(req):
            req.content_type = "text/plain"
            req.write(name + " ")
            return status
        return handler

    handler = named("handler", apache.OK)
    one, two, three = (named(name, apache.OK) for name in ("one", "two", "three"))
    done = named("done", apache.DONE)
    declined = named("declined", apache.DECLINED)

    def missing(req):
        return apache.HTTP_NOT_FOUND

    def leave(req):
        raise apache.SERVER_RETURN(apache.DONE)

    class Inner:
        def __init__(self, req=None):
            self.req = req
        def method(self, req):
            req.write("method of an instance made with %s " % ("the request" if self.req is req else self.req))
            return apache.OK

    class Holder:
        def __init__(self, req):
            pass
        inner = Inner("nothing")
        Inner = Inner

    inner = Inner()
"#;

fn site() -> Httpd {
    Httpd::new(Mpm::OneChild).file("lib/say.py", SAY).config(
        r#"
        PythonPath "['${HTDOCS}/lib'] + sys.path"
        <Directory "${HTDOCS}">
            DirectorySlash Off
            DirectoryIndex disabled
            SetHandler mod_python
        </Directory>
        "#,
    )
}

#[track_caller]
fn expect(server: &Server, expected: &[(&str, &str)]) {
    for (path, text) in expected {
        let response = server.get(path);
        assert_eq!((response.status, response.text().trim_end()), (200, *text), "{path}\n{}", server.log());
    }
}

/// A server with each of these directives in a Location of its own, `/0`, `/1`, …
fn one_by_one(directives: &[&str]) -> Server {
    directives
        .iter()
        .enumerate()
        .fold(site(), |site, (i, lines)| site.config(format!("<Location /{i}>\n{lines}\n</Location>")))
        .start()
}

#[test]
fn the_name_leads_to_what_is_called() {
    let directives = [
        ("PythonHandler say", "handler"),
        ("PythonHandler say::one", "one"),
        ("PythonHandler   say::one\tsay::two  ", "one two"),
        ("PythonHandler say::inner.method", "method of an instance made with None"),
        ("PythonHandler say::Inner.method", "method of an instance made with the request"),
        ("PythonHandler say::Holder.Inner.method", "method of an instance made with the request"),
        ("PythonHandler say::Holder.inner.method", "method of an instance made with nothing"),
    ];
    let server = one_by_one(&directives.map(|(lines, _)| lines));
    for _ in 0..2 {
        for (i, (lines, text)) in directives.iter().enumerate() {
            assert_eq!(server.get(&format!("/{i}/x")).text().trim_end(), *text, "{lines}\n{}", server.log());
        }
    }
}

#[test]
fn a_list_goes_on_after_ok_only() {
    let directives = [
        ("PythonHandler say::one say::two say::three", 200, "one two three"),
        ("PythonHandler say::one\nPythonHandler say::two say::three\nPythonHandler say::one", 200, "one two three one"),
        ("PythonHandler say::one say::done say::two", 200, "one done"),
        ("PythonHandler say::leave say::two", 200, ""),
        ("PythonHandler say::missing say::two", 404, ""),
    ];
    let server = one_by_one(&directives.map(|(lines, ..)| lines));
    for (i, (lines, status, text)) in directives.iter().enumerate() {
        let response = server.get(&format!("/{i}/x"));
        assert_eq!(response.status, *status, "{lines}\n{}", server.log());
        if *status == 200 {
            assert_eq!(response.text().trim_end(), *text, "{lines}");
        }
    }
}

#[test]
fn an_inner_list_replaces_the_outer_one_and_an_unset_one_leaves_it() {
    let server = site()
        .config(
            r#"
            PythonHandler say::one say::two
            <Directory "${HTDOCS}/inner">
                PythonHandler say::three
            </Directory>
            <Directory "${HTDOCS}/unset">
                PythonDebug On
            </Directory>
            <Directory "${HTDOCS}/unset/deeper">
                PythonHandler say::two
                PythonHandler say::one
            </Directory>
            <Location /place>
                PythonHandler say::two
            </Location>
            "#,
        )
        .vhost("inner.test", "PythonHandler say::three")
        .vhost("unset.test", "PythonDebug On")
        .file("inner/x", "")
        .file("unset/x", "")
        .file("unset/deeper/access/.htaccess", "PythonHandler say::three say::three")
        .start();
    expect(
        &server,
        &[
            ("/x", "one two"),
            ("/inner/x", "three"),
            ("/unset/x", "one two"),
            ("/unset/deeper/x", "two one"),
            ("/unset/deeper/access/x", "three three"),
            ("/place/x", "two"),
        ],
    );
    let under = |host| server.request("GET", "/x").host(host).send().text();
    assert_eq!((under("inner.test").as_str(), under("unset.test").as_str()), ("three ", "one two "));
}

#[test]
fn a_list_for_an_extension_is_used_instead_of_the_plain_one() {
    let server = site()
        .file("dotted.py/x", "")
        .file("inner/plain/x", "")
        .config(
            r#"
            PythonHandler say::one
            PythonHandler say::two | .py .html
            PythonHandler say::three|.gz
            PythonHandler say::two say::three | .tar.gz
            PythonHandler say::three | .html
            <Directory "${HTDOCS}/inner">
                PythonHandler say::handler | .py
            </Directory>
            <Directory "${HTDOCS}/inner/plain">
                PythonHandler say::handler
            </Directory>
            <Directory "${HTDOCS}/dotted.py">
                PythonDebug On
            </Directory>
            "#,
        )
        .start();
    expect(
        &server,
        &[
            ("/x", "one"),
            ("/x.txt", "one"),
            ("/x.PY", "one"),
            ("/", "one"),
            ("/x.py", "two"),
            ("/x.html", "two three"),
            ("/x.gz", "three"),
            // The extension begins at the first dot of the name.
            ("/x.tar.gz", "two three"),
            ("/x.y.py", "one"),
            ("/.py", "two"),
            ("/dotted.py/x", "one"),
            // Key by key: the other lists are those from outside.
            ("/inner/x.py", "handler"),
            ("/inner/x.html", "two three"),
            ("/inner/x", "one"),
            ("/inner/plain/x", "handler"),
            ("/inner/plain/x.py", "handler"),
            ("/inner/plain/x.gz", "three"),
        ],
    );
}

#[test]
fn only_where_httpd_asks_for_it_a_handler_runs() {
    let server = Httpd::new(Mpm::OneChild)
        .file("lib/say.py", SAY)
        .config(
            r#"
            PythonPath "['${HTDOCS}/lib'] + sys.path"
            PythonHandler say
            AddHandler mod_python .mp
            AddHandler python-program .pp
            <Location /new>
                SetHandler mod_python
            </Location>
            <Location /old>
                SetHandler python-program
            </Location>
            <Location /other>
                SetHandler mod_python_too
            </Location>
            "#,
        )
        .file("file.mp", "")
        .file("file.pp", "")
        .file("file.txt", "as it is")
        .file("other", "as it is")
        .start();
    expect(
        &server,
        &[
            ("/file.mp", "handler"),
            ("/file.pp", "handler"),
            ("/new/x", "handler"),
            ("/old/x", "handler"),
            ("/file.txt", "as it is"),
            ("/other", "as it is"),
        ],
    );
}

#[test]
fn without_a_list_it_is_somebody_elses_request() {
    let server = Httpd::new(Mpm::OneChild)
        .config("<Directory ${HTDOCS}>\n    SetHandler mod_python\n    PythonHandler nobody | .py\n</Directory>")
        .file("file.txt", "as it is")
        .start();
    expect(&server, &[("/file.txt", "as it is")]);
    assert_eq!(server.get("/no-such-file").status, 404);
}

#[test]
fn declined_leaves_the_request_to_httpd() {
    let server = site()
        .file("lib/decline.py", "from mod_python import apache\ndef handler(req):\n    return apache.DECLINED\n")
        .config("PythonHandler decline say::one")
        .file("file.txt", "as it is")
        .start();
    expect(&server, &[("/file.txt", "as it is")]);
    assert_eq!(server.get("/no-such-file").status, 404);
}
