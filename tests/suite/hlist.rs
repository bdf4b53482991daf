//! `mp_hlist`: what a handler sees of the list that it is in.

use crate::fixture::{Httpd, Mpm};

const HANDLER: &str = r#"
from mod_python import apache

kept = []

def handler(req):
    hlist = req.hlist
    req.write(f"{hlist!r}\n{hlist.handler} {hlist.directory} {hlist.is_location} {hlist.silent}\n")
    return apache.OK

def walk(req):
    hlist = req.hlist
    for attribute in "index", "location", "parent":
        assert not hasattr(hlist, attribute)
    try:
        hlist.handler = "x"
    except AttributeError:
        pass
    else:
        raise AssertionError
    while hlist.handler is not None:
        req.write(f"{hlist.handler}\n")
        assert hlist.next() is None
        # every view of the list is the same list
        assert req.hlist.handler == hlist.handler
    assert (hlist.handler, hlist.directory, hlist.silent, hlist.is_location) == (None,) * 4
    assert repr(hlist) == "{}" and hlist.next() is None and hlist.handler is None
    try:
        hlist.next(1)
    except TypeError:
        pass
    else:
        raise AssertionError
    assert repr(type(hlist)) == "<class 'mp_hlist'>"
    return apache.DONE

def skip(req):
    req.hlist.next()
    req.write(f"skipped {req.hlist.handler}\n")
    return apache.OK

def done(req):
    req.write("done\n")
    return apache.OK

def keep(req):
    if kept:
        for use in lambda: kept[0].handler, lambda: kept[0].next(), lambda: repr(kept[0]), lambda: kept[0].directory:
            try:
                use()
            except RuntimeError as error:
                assert "no longer valid" in str(error)
            else:
                raise AssertionError
    kept[:] = [req.hlist]
    req.write(f"{req.hlist.handler}\n")
    return apache.OK
"#;

fn answer(config: &str, path: &str) -> String {
    let server = Httpd::new(Mpm::Prefork).children(1).file("t/t.py", HANDLER).config(config).start();
    let first = server.get(path);
    assert_eq!(first.status, 200, "{}", server.log());
    let again = server.get(path);
    assert_eq!((again.status, again.text()), (200, first.text()), "{}", server.log());
    let htdocs = server.root().join("htdocs");
    first.text().replace(htdocs.to_str().expect("UTF-8"), "HTDOCS")
}

const PATH: &str = "PythonPath \"['${HTDOCS}/t'] + sys.path\"\n";

#[test]
fn it_shows_the_handler_whose_turn_it_is() {
    let config = "<Directory ${HTDOCS}/t>\nSetHandler mod_python\nPythonHandler t t::handler\n</Directory>";
    assert_eq!(
        answer(config, "/t/x"),
        "{'handler':'t','directory':'HTDOCS/t/','is_location':False,'silent':0}\nt HTDOCS/t/ 0 0\n\
         {'handler':'t::handler','directory':'HTDOCS/t/','is_location':False,'silent':0}\nt::handler HTDOCS/t/ 0 0\n"
    );
}

#[test]
fn the_directory_is_that_of_the_section() {
    let location = format!("{PATH}<Location /t>\nSetHandler mod_python\nPythonHandler t\n</Location>");
    assert_eq!(answer(&location, "/t/x"), "{'handler':'t','directory':'/t','is_location':True,'silent':0}\nt /t 1 0\n");
    let wildcard = "<Directory ${HTDOCS}/*>\nSetHandler mod_python\nPythonHandler t\n</Directory>";
    assert_eq!(
        answer(wildcard, "/t/x"),
        "{'handler':'t','directory':'HTDOCS/t/','is_location':False,'silent':0}\nt HTDOCS/t/ 0 0\n"
    );
    let server = format!("{PATH}SetHandler mod_python\nPythonHandler t");
    assert_eq!(answer(&server, "/t/x"), "{'handler':'t','is_location':False,'silent':0}\nt None 0 0\n");
}

#[test]
fn next_goes_on_and_past_the_end_everything_is_none() {
    let config = "<Directory ${HTDOCS}/t>\nSetHandler mod_python\nPythonHandler t::walk b c.d::e\n</Directory>";
    assert_eq!(answer(config, "/t/x"), "t::walk\nb\nc.d::e\n");
}

#[test]
fn next_skips_the_handler_that_would_have_run() {
    let config = "<Directory ${HTDOCS}/t>\nSetHandler mod_python\nPythonHandler t::skip no.such t::done\n</Directory>";
    assert_eq!(answer(config, "/t/x"), "skipped no.such\ndone\n");
}

#[test]
fn one_kept_beyond_its_request_fails_softly() {
    let config = "<Directory ${HTDOCS}/t>\nSetHandler mod_python\nPythonHandler t::keep\n</Directory>";
    assert_eq!(answer(config, "/t/x"), "t::keep\n");
}
