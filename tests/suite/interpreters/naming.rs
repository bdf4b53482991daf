//! Which interpreter a request gets.

use std::net::SocketAddr;

use crate::common::who::{Answer, ask, site};
use crate::fixture::{Mpm, Server};

#[track_caller]
fn expect_names(server: &Server, expected: &[(&str, &str)]) {
    for (path, name) in expected {
        assert_eq!(ask(server, "localhost", path).interpreter, *name, "{path}");
    }
}

/// The path of a folder of documents, as httpd has it.
fn folder(server: &Server, name: &str) -> String {
    format!("{}/htdocs/{name}", server.root().display())
}

#[test]
fn each_virtual_host_has_one_of_its_name() {
    let server = site(Mpm::OneChild)
        .config("PythonHandler who")
        .vhost("a.test", "")
        .vhost("b.test", "ServerAlias other.test")
        .vhost("c.test:8080", "")
        .start();

    let ask = |host| ask(&server, host, "/x");
    let (main, a, b, c) = (ask("localhost"), ask("a.test"), ask("b.test"), ask("c.test"));

    assert_eq!(main.interpreter, "localhost");
    assert_eq!(a.interpreter, "a.test");
    assert_eq!(b.interpreter, "b.test");
    assert_eq!(c.interpreter, "c.test", "the port is no part of the name");
    let modules = [&main.module, &a.module, &b.module, &c.module];
    assert!((1..modules.len()).all(|i| !modules[..i].contains(&modules[i])), "{modules:?}");
    assert_eq!(ask("a.test").module, a.module, "the next request finds the same");
    assert_eq!(ask("other.test").module, b.module, "an alias is the same virtual host");
    assert_eq!(ask("nobody.test").module, main.module, "an unknown name is the first virtual host");
    assert_eq!(server.log_count("MP0301: interpreter 'c.test'"), 1);
}

#[test]
fn virtual_hosts_of_equal_names_share_one() {
    let server = site(Mpm::OneChild)
        .config(
            r#"
            PythonHandler who
            Listen 127.0.0.2:${PORT}
            <VirtualHost 127.0.0.2:${PORT}>
                ServerName a.test
            </VirtualHost>
            "#,
        )
        .vhost("a.test", "")
        .start();
    let other = SocketAddr::from(([127, 0, 0, 2], server.port()));

    let here = ask(&server, "a.test", "/x");
    let there = Answer::of(&server.request("GET", "/x").host("a.test").at(other).send());

    assert_eq!((there.interpreter, there.module, there.count), (here.interpreter, here.module, here.count + 1));
}

#[test]
fn a_virtual_host_without_a_name_has_the_one_that_httpd_found() {
    let server = site(Mpm::OneChild)
        .file(
            "lib/hostname.py",
            "
            from who import tell
            def handler(req):
                return tell(req, hostname=req.server.server_hostname)
            ",
        )
        .config(
            r#"
            <VirtualHost 127.0.0.1:${PORT}>
                PythonHandler hostname
            </VirtualHost>
            "#,
        )
        .vhost("a.test", "")
        .start();
    let answer = ask(&server, "nobody.test", "/x");
    assert!(!answer.interpreter.is_empty());
    assert_eq!(answer.interpreter, answer.fact("hostname"));
}

#[test]
fn who_names_the_same_one_shares_modules_and_globals() {
    let server = site(Mpm::OneChild)
        .config("PythonHandler who")
        .vhost("a.test", "PythonInterpreter shared")
        .vhost("b.test", "PythonInterpreter shared")
        .vhost("c.test", "PythonInterpreter Shared")
        .vhost("d.test", "<Location /in>\n    PythonInterpreter shared\n</Location>")
        .vhost("e.test", "PythonInterpreter \"two words, ünï\"")
        .start();

    let a = ask(&server, "a.test", "/x");
    let b = ask(&server, "b.test", "/y");
    let inside = ask(&server, "d.test", "/in/x");
    let outside = ask(&server, "d.test", "/out");

    assert_eq!(a.interpreter, "shared");
    assert_eq!((&b.module, &b.interpreter, b.count), (&a.module, &a.interpreter, a.count + 1));
    assert_eq!((&inside.module, inside.count), (&a.module, a.count + 2), "from a section too");
    assert_eq!(outside.interpreter, "d.test");
    let c = ask(&server, "c.test", "/x");
    assert_eq!(c.interpreter, "Shared", "capital letters count");
    assert_ne!(c.module, a.module);
    assert_eq!(ask(&server, "e.test", "/x").interpreter, "two words, ünï", "any text is a name");
}

#[test]
fn a_virtual_host_can_name_another_ones() {
    let server = site(Mpm::OneChild)
        .config("PythonHandler who")
        .vhost("a.test", "")
        .vhost("b.test", "PythonInterpreter a.test")
        .start();
    assert_eq!(ask(&server, "a.test", "/x").module, ask(&server, "b.test", "/x").module);
}

#[test]
fn per_directory_it_is_the_folder_of_the_file() {
    let server = site(Mpm::OneChild)
        .config("PythonHandler who\nPythonInterpPerDirectory On")
        .config("<Location /place>\n    PythonHandler who\n</Location>")
        .file("d/file.txt", "")
        .file("d/nested/file.txt", "")
        .start();
    let (d, nested) = (folder(&server, "d/"), folder(&server, "d/nested/"));

    expect_names(
        &server,
        &[
            ("/d/file.txt", &d),
            ("/d/no-such-file", &d),
            ("/d/no-such/file", &d),
            ("/d/", &d),
            ("/d", &d),
            ("/d/nested/file.txt", &nested),
            ("/d/nested", &nested),
            ("/d/nested/", &nested),
            ("/", &folder(&server, "")),
            ("/no-such-file", &folder(&server, "")),
            // Translation runs for a Location as for anything else: what is not there lies in the folder above.
            ("/place/x/y", &folder(&server, "")),
        ],
    );
    let modules: Vec<_> = (0..40).map(|i| ask(&server, "localhost", &format!("/d/{i}")).module).collect();
    assert!(modules.iter().all(|module| *module == modules[0]), "one for all requests: {modules:?}");
    assert_eq!(server.log_count(&format!("MP0301: interpreter '{d}'")), 1);
}

#[test]
fn per_directive_it_is_the_section_that_holds_the_handler() {
    let server = site(Mpm::OneChild)
        .config(
            r#"
            PythonInterpPerDirective On
            PythonHandler who
            <Directory "${HTDOCS}/d">
                PythonHandler who
            </Directory>
            <Directory "${HTDOCS}/d/inner/">
                PythonHandler who
            </Directory>
            <Directory "${HTDOCS}/files">
                <Files "*.txt">
                    PythonHandler who
                </Files>
            </Directory>
            <Files "bare.txt">
                PythonHandler who
            </Files>
            <Directory "${HTDOCS}/wild-*">
                PythonHandler who
            </Directory>
            <DirectoryMatch "/match-[0-9]+/">
                PythonHandler who
            </DirectoryMatch>
            <Directory ~ "/tilde-[a-z]+/">
                PythonHandler who
            </Directory>
            <Location /place>
                PythonHandler who
            </Location>
            <Location "/place/inner/">
                PythonHandler who
            </Location>
            <LocationMatch "^/regex/(a|b)">
                PythonHandler who
            </LocationMatch>
            <Location ~ "^/tildeloc">
                PythonHandler who
            </Location>
            "#,
        )
        .file("d/deep/file.txt", "")
        .file("d/inner/file.txt", "")
        .file("files/file.txt", "")
        .file("bare.txt", "")
        .file("wild-1/deep/file.txt", "")
        .file("match-22/deep/file.txt", "")
        .file("tilde-x/deep/file.txt", "")
        .file("access/.htaccess", "PythonHandler who")
        .file("access/deep/file.txt", "")
        .start();
    let at = |name: &str| folder(&server, name);

    expect_names(
        &server,
        &[
            ("/x", "main_interpreter"),
            ("/d/deep/file.txt", &at("d/")),
            ("/d/no-such-file", &at("d/")),
            ("/d/inner/file.txt", &at("d/inner/")),
            ("/files/file.txt", &at("files/")),
            ("/bare.txt", "main_interpreter"),
            ("/wild-1/deep/file.txt", &at("wild-1/")),
            ("/match-22/deep/file.txt", &at("match-22/")),
            ("/tilde-x/deep/file.txt", &at("tilde-x/")),
            ("/access/deep/file.txt", &at("access/")),
            ("/place/x", "/place"),
            ("/place/inner/x", "/place/inner/"),
            ("/regex/a/x", "^/regex/(a|b)"),
            ("/tildeloc/x", "^/tildeloc"),
        ],
    );
    let modules: Vec<_> =
        ["/d/1", "/d/2", "/d/deep/file.txt"].map(|path| ask(&server, "localhost", path).module).into();
    assert!(modules.iter().all(|module| *module == modules[0]), "one for all of the section: {modules:?}");
}

#[test]
fn per_directive_an_inner_section_without_a_handler_changes_nothing() {
    let server = site(Mpm::OneChild)
        .config(
            r#"
            <Directory "${HTDOCS}/d">
                PythonInterpPerDirective On
                PythonHandler who
            </Directory>
            <Directory "${HTDOCS}/d/inner">
                PythonOption some thing
            </Directory>
            <Location /d>
                PythonDebug On
            </Location>
            "#,
        )
        .file("d/inner/file.txt", "")
        .file("d/access/.htaccess", "PythonDebug Off")
        .start();
    let d = folder(&server, "d/");
    expect_names(&server, &[("/d/inner/file.txt", &d), ("/d/access/x", &d)]);
}

#[test]
fn a_name_wins_over_the_folder_and_the_folder_over_the_section() {
    let server = site(Mpm::OneChild)
        .config(
            r#"
            PythonHandler who
            <Directory "${HTDOCS}/d">
                PythonHandler who
                PythonInterpPerDirectory On
                PythonInterpPerDirective On
            </Directory>
            <Directory "${HTDOCS}/d/section">
                PythonInterpPerDirectory Off
            </Directory>
            <Directory "${HTDOCS}/d/host">
                PythonInterpPerDirectory Off
                PythonInterpPerDirective Off
            </Directory>
            <Directory "${HTDOCS}/d/named">
                PythonInterpreter chosen
            </Directory>
            "#,
        )
        .vhost("named.test", "PythonInterpreter outside")
        .file("d/deep/x", "")
        .file("d/section/x", "")
        .file("d/host/x", "")
        .file("d/named/x", "")
        .start();
    expect_names(
        &server,
        &[
            ("/d/deep/x", &folder(&server, "d/deep/")),
            ("/d/section/x", &folder(&server, "d/")),
            ("/d/host/x", "localhost"),
            ("/d/named/x", "chosen"),
            ("/x", "localhost"),
        ],
    );
    // A name from outside is one, too: the folder's flags do not undo it.
    assert_eq!(ask(&server, "named.test", "/d/deep/x").interpreter, "outside");
    assert_eq!(ask(&server, "named.test", "/d/named/x").interpreter, "chosen");
}

#[test]
fn the_main_interpreter_can_be_asked_for() {
    let server = site(Mpm::OneChild)
        .config("PythonHandler number")
        .file(
            "lib/number.py",
            "
            import threading
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            from who import tell
            def handler(req):
                # A tuple since 3.13.
                number = interpreters.get_current()
                return tell(req, id=int(number[0] if isinstance(number, tuple) else number))
            ",
        )
        .vhost("main.test", "PythonInterpreter main_interpreter")
        .start();
    let (main, other) = (ask(&server, "main.test", "/x"), ask(&server, "localhost", "/x"));
    assert_eq!((main.interpreter.as_str(), main.fact("id")), ("main_interpreter", "0"));
    assert_eq!(other.interpreter, "localhost");
    assert_ne!(other.fact("id"), "0");
}

#[test]
fn a_name_need_not_be_utf_8() {
    let server = site(Mpm::OneChild)
        .binary_file("name.conf", b"PythonInterpreter \"\xe4 \xff\"\n")
        .config("PythonHandler who\nInclude ${HTDOCS}/name.conf")
        .start();
    let (first, second) = (ask(&server, "localhost", "/x"), ask(&server, "localhost", "/x"));
    assert_eq!((&first.module, first.count + 1), (&second.module, second.count));
    assert!(!first.interpreter.is_empty());
}

/// More than a thread keeps at hand.
#[test]
fn one_thread_can_go_through_many() {
    const MANY: usize = 24;
    let site = (0..MANY).fold(site(Mpm::Prefork).children(1), |site, i| site.file(format!("d{i}/x"), ""));
    let server = site.config("PythonHandler who\nPythonInterpPerDirectory On").start();
    let mut modules: Vec<String> = Vec::new();
    for round in 1..=3 {
        for i in 0..MANY {
            let answer = ask(&server, "localhost", &format!("/d{i}/x"));
            assert_eq!((answer.interpreter, answer.count), (folder(&server, &format!("d{i}/")), round));
            match modules.get(i) {
                None => modules.push(answer.module),
                Some(known) => assert_eq!(*known, answer.module),
            }
        }
    }
    modules.sort_unstable();
    modules.dedup();
    assert_eq!((modules.len(), server.log_count("MP0301")), (MANY, MANY));
}
