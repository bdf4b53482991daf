//! Process groups and application groups are interpreters.

use super::{PROBE, line_of, site};
use crate::fixture::{Httpd, Mpm, for_each_mpm, has_module};

const NAMES: &str =
    "out(environ['mod_wsgi.process_group'], environ['mod_wsgi.application_group'], environ['mod_python.interpreter'])";

/// The port is another one each time.
fn without_port(text: String, port: u16) -> String {
    text.replace(&format!(":{port}"), "")
}

for_each_mpm! {
    fn application_groups_are_interpreters(mpm) {
        let server = site(mpm)
            .config(
                "SetEnv GROUP of-environment\n\
                 WSGIScriptAlias /default ${HTDOCS}/wsgi/probe.wsgi\n\
                 WSGIScriptAlias /global ${HTDOCS}/wsgi/probe.wsgi application-group=%{GLOBAL}\n\
                 WSGIScriptAlias /server ${HTDOCS}/wsgi/probe.wsgi application-group=%{SERVER}\n\
                 WSGIScriptAlias /env ${HTDOCS}/wsgi/probe.wsgi application-group=%{ENV:GROUP}\n\
                 WSGIScriptAlias /name ${HTDOCS}/wsgi/probe.wsgi\n\
                 <Location /name>\n    WSGIApplicationGroup shared\n</Location>\n\
                 <Location /over>\n    WSGIApplicationGroup %{GLOBAL}\n</Location>\n\
                 WSGIScriptAlias /over ${HTDOCS}/wsgi/probe.wsgi application-group=line",
            )
            .shared();
        for (url, expected) in [
            ("/default", " localhost|/default localhost|/default"),
            ("/global", "  main_interpreter"),
            ("/server", " localhost localhost"),
            ("/env", " of-environment of-environment"),
            ("/name", " shared shared"),
            ("/over", " line line"),
        ] {
            assert_eq!(without_port(line_of(&server, url, NAMES), server.port()), expected, "{url}");
        }
    }

    fn process_groups_keep_applications_apart(mpm) {
        let server = site(mpm)
            .file("a/which.py", "name = 'a'")
            .file("b/which.py", "name = 'b'")
            .config(
                "WSGIDaemonProcess a python-path=${HTDOCS}/a lang=de_DE.UTF-8 locale=C.UTF-8 switch-interval=0.001\n\
                 WSGIDaemonProcess b python-path=${HTDOCS}/b:${HTDOCS}/wsgi\n\
                 WSGIPythonPath ${HTDOCS}/embedded\n\
                 WSGIScriptAlias /a ${HTDOCS}/wsgi/probe.wsgi process-group=a application-group=%{GLOBAL}\n\
                 WSGIScriptAlias /b ${HTDOCS}/wsgi/probe.wsgi process-group=b application-group=%{GLOBAL}\n\
                 WSGIScriptAlias /own ${HTDOCS}/wsgi/probe.wsgi process-group=a\n\
                 WSGIScriptAlias /none ${HTDOCS}/wsgi/probe.wsgi",
            )
            .shared();
        for (url, expected) in [
            ("/a", "a  a"),
            ("/b", "b  b"),
            ("/own", "a localhost|/own a/localhost|/own"),
            ("/none", " localhost|/none localhost|/none"),
        ] {
            assert_eq!(without_port(line_of(&server, url, NAMES), server.port()), expected, "{url}");
        }
        let which = "import which\nout(which.name, os.environ.get('LANG'), os.environ.get('LC_ALL'), mod_wsgi.process_group)";
        let which = format!("import mod_wsgi\n{which}");
        assert_eq!(line_of(&server, "/a", &which), "a de_DE.UTF-8 C.UTF-8 a");
        assert_eq!(line_of(&server, "/own", &which), "a de_DE.UTF-8 C.UTF-8 a");
        assert_eq!(line_of(&server, "/b", &which), "b C.UTF-8 None b");
        assert_eq!(line_of(&server, "/none", "import importlib.util\nout(importlib.util.find_spec('which'))"), "None");
    }
}

/// Each is an interpreter: what clients can vary without limit must not name one.
#[test]
fn clients_cannot_have_interpreters_made() {
    let server = site(Mpm::Event)
        .config(
            "MergeSlashes Off\nUseCanonicalName Off\n\
             AliasMatch ^/aliased/ ${HTDOCS}/site/app.wsgi\n\
             <Directory ${HTDOCS}/site>\n    Options +ExecCGI\n    AddHandler wsgi-script .wsgi\n</Directory>\n\
             WSGIScriptAlias /folder/ ${HTDOCS}/wsgi/\n\
             WSGIScriptAliasMatch ^/match/ ${HTDOCS}/wsgi/probe.wsgi/x",
        )
        .config(match has_module("rewrite") {
            true => "RewriteEngine On\nRewriteRule ^/blog/.*$ ${HTDOCS}/site/app.wsgi",
            false => "AliasMatch ^/blog/ ${HTDOCS}/site/app.wsgi",
        })
        .file("site/app.wsgi", PROBE)
        .start();
    let name = |host: &str, path: &str| {
        let request = server.request("GET", path).host(host);
        crate::common::probe::with_code(request, "out(environ['mod_python.interpreter'])").send().text()
    };
    for (first, second) in [
        ("/folder/probe.wsgi", "/folder///probe.wsgi"),
        ("/match/a", "/match/b/c"),
        ("/blog/1", "/blog/2"),
        ("/aliased/1", "/aliased/2/3"),
        ("/site/app.wsgi", "/site///app.wsgi/x"),
    ] {
        let expected = name("localhost", first);
        assert!(expected.starts_with("localhost"), "{first}: {expected}");
        assert_eq!(name("localhost:1234", first), expected);
        assert_eq!(name("other.test:99", second), expected);
    }
}

#[test]
fn the_only_process_group_has_the_main_interpreter() {
    let server = site(Mpm::Event)
        .config(
            "WSGIDaemonProcess site home=${SCRATCH}\nWSGIProcessGroup site\nWSGIApplicationGroup %{GLOBAL}\n\
             WSGIScriptAlias / ${HTDOCS}/wsgi/probe.wsgi",
        )
        .start();
    assert_eq!(line_of(&server, "/", NAMES), "site  main_interpreter");
    let code =
        "import mod_wsgi\nout(os.getcwd().rsplit('/', 1)[1], mod_wsgi.process_group, repr(mod_wsgi.application_group))";
    assert_eq!(line_of(&server, "/", code), "scratch site ''");
}

#[test]
fn what_may_run_where_is_kept_to() {
    let server = site(Mpm::Event)
        .config(
            "WSGIRestrictEmbedded On\n\
             WSGIDaemonProcess everywhere\n\
             WSGIDaemonProcess others script-user=#12345\n\
             SetEnv PROCESS_GROUP everywhere\n\
             WSGIScriptAlias /ok ${HTDOCS}/wsgi/probe.wsgi process-group=%{ENV:PROCESS_GROUP}\n\
             WSGIScriptAlias /embedded ${HTDOCS}/wsgi/probe.wsgi\n\
             WSGIScriptAlias /unknown ${HTDOCS}/wsgi/probe.wsgi process-group=nobody\n\
             WSGIScriptAlias /theirs ${HTDOCS}/wsgi/probe.wsgi process-group=theirs\n\
             WSGIScriptAlias /owner ${HTDOCS}/wsgi/probe.wsgi process-group=others\n\
             WSGIScriptAlias /restricted ${HTDOCS}/wsgi/probe.wsgi process-group=everywhere\n\
             <Location /restricted>\n    WSGIRestrictProcess others\n</Location>",
        )
        .vhost(
            "theirs.test",
            "WSGIDaemonProcess theirs\nWSGIScriptAlias /theirs ${HTDOCS}/wsgi/probe.wsgi process-group=theirs",
        )
        .start();
    assert_eq!(line_of(&server, "/ok", "out(1)"), "1");
    for (url, status, number) in [
        ("/embedded", 500, "MP0465"),
        ("/unknown", 500, "MP0466"),
        ("/theirs", 500, "MP0466"),
        ("/restricted", 500, "MP0467"),
        ("/owner", 403, "MP0468"),
    ] {
        server.forget_log();
        assert_eq!(server.get(url).status, status, "{url}");
        assert_eq!(server.log_count("MP046"), 1, "{url}: {}", server.log());
        assert!(server.log().contains(number), "{url}: {}", server.log());
    }
    let theirs = crate::common::probe::with_code(server.request("GET", "/theirs").host("theirs.test"), "out(2)").send();
    assert_eq!(theirs.text(), "2");
}

/// Loaded before the first request, where it is known in which interpreter.
#[test]
fn scripts_are_loaded_when_a_child_starts() {
    let note = |name: &str| {
        format!(
            "from mod_python import apache\nwith open(apache.server_root() + '/scratch/trace', 'a') as trace:\n    trace.write('{name} in %s\\n' % apache.interpreter)\n"
        )
    };
    let server = Httpd::new(Mpm::Event)
        .children(1)
        .file("wsgi/warm.wsgi", note("warm"))
        .file("wsgi/alias.wsgi", note("alias"))
        .file("wsgi/lazy.wsgi", note("lazy"))
        .file("wsgi/broken.wsgi", "1 / 0")
        .file("wsgi/probe.wsgi", PROBE)
        .config(
            "WSGIDaemonProcess a\nWSGIDaemonProcess b\n\
             WSGIImportScript ${HTDOCS}/wsgi/broken.wsgi process-group=a application-group=%{GLOBAL}\n\
             WSGIImportScript ${HTDOCS}/wsgi/warm.wsgi process-group=nobody application-group=x\n\
             WSGIImportScript ${HTDOCS}/wsgi/warm.wsgi process-group=%{GLOBAL} application-group=x\n\
             WSGIScriptAlias /alias ${HTDOCS}/wsgi/alias.wsgi process-group=b application-group=y\n\
             WSGIScriptAlias /lazy ${HTDOCS}/wsgi/lazy.wsgi process-group=b\n\
             WSGIScriptAlias /probe ${HTDOCS}/wsgi/probe.wsgi",
        )
        .start();
    assert_eq!(line_of(&server, "/probe", "out(1)"), "1");
    let trace = std::fs::read_to_string(server.scratch().join("trace")).unwrap_or_default();
    assert_eq!(trace.lines().collect::<Vec<_>>(), ["warm in x", "alias in b/y"]);
    let log = server.log();
    assert!(
        log.contains("MP0471: WSGIImportScript") && log.contains("ZeroDivisionError") && log.contains("MP0470"),
        "{log}"
    );
}
