//! P29: what is unset leaves the outer setting, what is Off undoes it: server, virtual host, directory, .htaccess.

use std::fmt::Write;

use crate::common::who::{ask, site};
use crate::fixture::{Mpm, Server};

const STATES: [Option<bool>; 3] = [None, Some(true), Some(false)];
const NAMES: [&str; 3] = ["unset", "on", "off"];

/// The line that sets a flag so.
fn line(directive: &str, state: Option<bool>) -> String {
    state.map_or(String::new(), |on| format!("{directive} {}\n", if on { "On" } else { "Off" }))
}

/// Tells what is in effect for a request, and for its server.
const TELL: &str = "
    from who import tell

    def handler(req):
        facts = {name: value for name, value in req.get_config().items() if name != 'PythonPath'}
        facts.update(('server.' + name, value) for name, value in req.server.get_config().items() if name != 'PythonPath')
        return tell(req, **facts)
";

#[test]
fn every_combination_of_four_levels() {
    const DIRECTIVES: [&str; 5] =
        ["PythonDebug", "PythonEnablePdb", "PythonAutoReload", "PythonInterpPerDirectory", "PythonInterpPerDirective"];
    for outermost in STATES {
        let mut site = site(Mpm::OneChild).file("lib/config.py", TELL).config("PythonHandler config\n");
        let lines = |state| DIRECTIVES.iter().map(|directive| line(directive, state)).collect::<String>();
        site = site.config(lines(outermost));
        for (host, host_name) in STATES.iter().zip(NAMES) {
            site = site.vhost(&format!("{host_name}.test"), lines(*host));
        }
        for (directory, directory_name) in STATES.iter().zip(NAMES) {
            site = site.config(format!("<Directory ${{HTDOCS}}/{directory_name}>\n{}</Directory>", lines(*directory)));
            for (access, access_name) in STATES.iter().zip(NAMES) {
                site = site.file(format!("{directory_name}/{access_name}/.htaccess"), lines(*access));
            }
        }
        let server = site.start();
        for (host, host_name) in STATES.iter().zip(NAMES) {
            for (directory, directory_name) in STATES.iter().zip(NAMES) {
                for (access, access_name) in STATES.iter().zip(NAMES) {
                    let expected = access.or(*directory).or(*host).or(outermost);
                    let path = format!("/{directory_name}/{access_name}/x");
                    let answer = ask(&server, &format!("{host_name}.test"), &path);
                    for directive in DIRECTIVES {
                        let expected = expected.map(|on| if on { "1" } else { "0" });
                        assert_eq!(
                            answer.find(directive),
                            expected,
                            "{directive} of {path} at {host_name}, {outermost:?} outside"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_flag_that_is_off_inside_is_off() {
    let broken = "def handler(req):\n    raise ValueError('shown to whom')\n";
    let server = site(Mpm::OneChild)
        .file("lib/broken.py", broken)
        .config(
            r#"
            PythonHandler broken
            PythonDebug On
            <Directory "${HTDOCS}/off">
                PythonDebug Off
            </Directory>
            <Location /off/place>
                PythonDebug On
            </Location>
            "#,
        )
        .file("off/access/.htaccess", "PythonDebug On")
        .vhost("off.test", "PythonDebug Off")
        .start();
    let shown = |host: &str, path: &str| {
        let response = server.request("GET", path).host(host).send();
        assert_eq!(response.status, 500);
        response.text().contains("ValueError: shown to whom")
    };
    for (host, path, expected) in [
        ("localhost", "/x", true),
        ("localhost", "/off/x", false),
        ("localhost", "/off/access/x", true),
        ("localhost", "/off/place", true),
        ("off.test", "/x", false),
        ("off.test", "/off/access/x", true),
    ] {
        assert_eq!(shown(host, path), expected, "{host} {path}");
    }
}

/// `key=value` of all options, sorted, for a request and for its server.
fn options(server: &Server, host: &str, path: &str) -> (String, String) {
    let answer = ask(server, host, path);
    (answer.fact("request").to_owned(), answer.fact("server").to_owned())
}

#[test]
fn options_merge_one_by_one_and_an_empty_value_removes_one() {
    let mut sections = String::new();
    let mut site = site(Mpm::OneChild);
    for (name, lines) in [
        ("add", "PythonOption inner added"),
        ("change", "PythonOption kept changed\nPythonOption KEPT2 changed"),
        ("remove", "PythonOption kept\nPythonOption kept2 \"\""),
        ("nothing", "PythonOption nosuch"),
        ("twice", "PythonOption inner first\nPythonOption inner second"),
    ] {
        writeln!(sections, "<Directory ${{HTDOCS}}/{name}>\n{lines}\n</Directory>").expect("a string takes all");
        site = site.file(format!("{name}/x"), "");
    }
    let server = site
        .file(
            "lib/options.py",
            "
            from who import tell

            def shown(options):
                return ' '.join('%s=%s' % item for item in sorted(options.items()))

            def handler(req):
                return tell(req, request=shown(req.get_options()), server=shown(req.server.get_options()))
            ",
        )
        .config("PythonHandler options\nPythonOption kept one\nPythonOption kept2 \"two words\"")
        .config(sections)
        .file("remove/again/.htaccess", "PythonOption kept again")
        .vhost("host.test", "PythonOption host added\nPythonOption kept")
        .start();

    let outside = "kept=one kept2=two words";
    for (path, expected) in [
        ("/x", outside),
        ("/add/x", "inner=added kept=one kept2=two words"),
        ("/change/x", "kept=changed kept2=changed"),
        ("/remove/x", ""),
        ("/remove/again/x", "kept=again"),
        ("/nothing/x", outside),
        ("/twice/x", "inner=second kept=one kept2=two words"),
    ] {
        // Asking changes nothing.
        for _ in 0..2 {
            let (request, of_server) = options(&server, "localhost", path);
            assert_eq!(request.to_lowercase(), expected.to_lowercase(), "{path}");
            assert_eq!(of_server, outside, "{path}");
        }
    }
    let (request, of_server) = options(&server, "host.test", "/x");
    assert_eq!(request, "host=added kept2=two words");
    assert_eq!(of_server, "host=added kept= kept2=two words", "what is removed is there, empty");
}
