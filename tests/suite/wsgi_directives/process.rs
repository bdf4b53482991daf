//! What concerns the process: contexts, settings of Python, what stops httpd, what is said once, mod_wsgi beside this module.

use super::{line_of, site};
use crate::fixture::{Mpm, has_module, has_own_gil, not_tested};

/// Those that may stand in the main server only.
const MAIN: [&str; 10] = [
    "WSGIPythonPath /srv",
    "WSGIPythonOptimize 0",
    "WSGIPythonEggs /srv",
    "WSGIPythonWarnings ignore",
    "WSGIDontWriteBytecode On",
    "WSGISwitchInterval 0.005",
    "WSGIRestrictEmbedded Off",
    "WSGIRestrictSignal On",
    "WSGIRestrictStdout Off",
    "WSGILazyInitialization On",
];

/// Those for servers and sections.
const SECTIONS: [&str; 12] = [
    "WSGIApplicationGroup %{RESOURCE}",
    "WSGIProcessGroup %{GLOBAL}",
    "WSGIRestrictProcess a b",
    "WSGICallableObject app",
    "WSGIScriptReloading On",
    "WSGIPassAuthorization On",
    "WSGIChunkedRequest On",
    "WSGIErrorOverride Off",
    "WSGIEnableSendfile On",
    "WSGIMapHEADToGET Auto",
    "WSGIHandlerScript name /srv/x.wsgi",
    "WSGIIgnoreActivity On",
];

#[test]
fn directives_may_stand_where_mod_wsgi_has_them() {
    let mut config = MAIN.join("\n") + "\n";
    let sections = SECTIONS.join("\n");
    config += &format!(
        "{sections}\n<Directory /srv>\n{sections}\n</Directory>\n<VirtualHost *:80>\n{sections}\n<Location /x>\n{sections}\n</Location>\n</VirtualHost>\n"
    );
    config += "<VirtualHost *:81>\nWSGIDaemonProcess a\nWSGIScriptAlias / /srv/x.wsgi\n</VirtualHost>\n";
    config += "<Directory /srv>\nWSGIAccessScript /srv/x\nWSGIAuthUserScript /srv/x\nWSGIAuthGroupScript /srv/x\n</Directory>\n";
    let test = site(Mpm::Event).config(config).configtest();
    assert!(test.accepted, "{}", test.output);
    for (config, text) in MAIN
        .iter()
        .map(|line| (format!("<VirtualHost *:80>\n{line}\n</VirtualHost>"), "MP0244"))
        .chain(
            ["WSGIScriptAlias / /x", "WSGIDaemonProcess x"]
                .map(|line| (format!("<Location /x>\n{line}\n</Location>"), "not allowed")),
        )
        .chain([("WSGIAccessScript /srv/x".to_owned(), "not allowed")])
    {
        let test = site(Mpm::Event).config(&config).configtest();
        assert!(!test.accepted && test.output.contains(text), "{config}: {}", test.output);
    }
}

#[test]
fn htaccess_files_may_have_what_mod_wsgi_has_there() {
    let mut site = site(Mpm::Event);
    for class in ["FileInfo", "AuthConfig"] {
        site = site
            .file(format!("{class}/.htaccess"), "WSGIPassAuthorization On")
            .file(format!("{class}/page.txt"), "a page")
            .config(format!("<Directory ${{HTDOCS}}/{class}>\n    AllowOverride {class}\n</Directory>"));
    }
    let server = site
        .file("all/.htaccess", "WSGIHandlerScript name ${HTDOCS}/wsgi/show.wsgi")
        .file("all/page.txt", "a page")
        .start();
    for (path, status, directive) in [
        ("/FileInfo/page.txt", 200, ""),
        ("/AuthConfig/page.txt", 500, "WSGIPassAuthorization not allowed"),
        ("/all/page.txt", 500, "WSGIHandlerScript not allowed"),
    ] {
        assert_eq!(server.get(path).status, status, "{path}: {}", server.log());
        assert!(server.log().contains(directive), "{path}: {}", server.log());
    }
}

#[test]
fn what_cannot_be_understood_is_said() {
    for (line, number) in [
        ("WSGIMapHEADToGET maybe", "MP0240"),
        ("WSGIPythonOptimize 3", "MP0240"),
        ("WSGISwitchInterval 0", "MP0240"),
        ("WSGIScriptAliasMatch ^/( /srv/x", "MP0240"),
        ("WSGIScriptAlias /", "MP0241"),
        ("WSGIScriptAlias site /srv/x", "MP0241"),
        ("WSGIImportScript /srv/x process-group=a", "MP0241"),
        ("WSGIScriptAlias / /srv/x user=joe", "MP0242"),
        ("WSGIApplicationGroup %{NONE}", "MP0243"),
        ("WSGIProcessGroup %{SERVER}", "MP0243"),
        ("WSGIDaemonProcess a\nWSGIDaemonProcess a", "MP0245"),
        ("WSGIDaemonProcess a colour=red", "MP0246"),
        ("WSGIDaemonProcess a home=relative", "MP0246"),
        ("WSGIDaemonProcess a chroot=/srv", "MP0247: WSGIDaemonProcess a: chroot="),
        ("WSGIDaemonProcess a threads=0", "MP0253"),
        ("WSGITrustedProxies 10.0.0.1", "MP0248: WSGITrustedProxies is not here: httpd's own mod_remoteip"),
        ("WSGIDispatchScript /srv/x", "MP0248"),
        ("<WSGIInterpreterOptions>\n</WSGIInterpreterOptions>", "MP0248"),
        ("WSGIDaemonProcess a python-home=/nowhere", "MP0230: WSGIDaemonProcess a python-home=/nowhere"),
        ("WSGIPythonHome /nowhere", "MP0236"),
    ] {
        let test = site(Mpm::Event).config(line).configtest();
        assert!(!test.accepted && test.output.contains(number), "{line}: {}", test.output);
    }
}

#[test]
fn what_has_no_effect_is_said_once() {
    let server = site(Mpm::Event)
        .config(
            "WSGISocketPrefix run/wsgi\nWSGIAcceptMutex posixsem\nWSGIPythonHashSeed 0\n\
             WSGIDaemonProcess a processes=2 threads=15 request-timeout=60 display-name=%{GROUP} listen-backlog=10 home=/\n\
             WSGIDaemonProcess b threads=15 maximum-requests=1000 home=/tmp\n\
             WSGIScriptAlias / ${HTDOCS}/wsgi/probe.wsgi",
        )
        .start();
    let said = server.log_lines("MP0250");
    assert_eq!(said.len(), 1, "{said:#?}");
    for part in [
        "processes=, threads=: httpd's children serve the application: MaxRequestWorkers",
        "request-timeout=: Timeout",
        "display-name=: nothing",
        "listen-backlog=: ListenBacklog",
        "maximum-requests=: MaxConnectionsPerChild",
        "WSGIPythonHashSeed: set PYTHONHASHSEED",
    ] {
        assert!(said[0].contains(part), "{part} in {}", said[0]);
    }
    assert_eq!(server.log_count("MP0251"), 1);
    assert_eq!(line_of(&server, "/", "out(os.getcwd())"), "/");
}

#[test]
fn settings_of_python_are_made() {
    let server = site(Mpm::Event)
        .file("packages/more.pth", "more\n")
        .file("packages/more/in_more.py", "")
        .config(
            "WSGIPythonOptimize 1\nWSGIPythonPath ${HTDOCS}/packages\nWSGIPythonEggs /eggs\nWSGIDontWriteBytecode On\n\
             WSGIPythonWarnings error::BytesWarning\nWSGISwitchInterval 0.002\nWSGIRestrictStdin On\nWSGIRestrictStdout On\n\
             WSGIScriptAlias / ${HTDOCS}/wsgi/probe.wsgi",
        )
        .start();
    let code = "
        import in_more, signal, warnings
        out(sys.flags.optimize, sys.path[0].rsplit('/', 1)[1], sys.path[1].rsplit('/', 1)[1], os.environ['PYTHON_EGG_CACHE'])
        out(sys.dont_write_bytecode, round(sys.getswitchinterval(), 4), warnings.filters[0][0], warnings.filters[0][2].__name__)
        for use in (lambda: sys.stdin.read(), lambda: print('x'), lambda: iter(sys.stdin)):
            try:
                use()
            except OSError as error:
                out(error)
        out(signal.signal(signal.SIGUSR2, lambda *_: None) == signal.getsignal(signal.SIGUSR2))
    ";
    let stream = |name: &str, directive: &str| {
        format!("sys.{name} must not be used: '{directive} On' stands in httpd's configuration")
    };
    assert_eq!(
        line_of(&server, "/", code).lines().collect::<Vec<_>>(),
        [
            "1 packages more /eggs",
            "True 0.002 error BytesWarning",
            &stream("stdin", "WSGIRestrictStdin"),
            &stream("stdout", "WSGIRestrictStdout"),
            &stream("stdin", "WSGIRestrictStdin"),
            "True",
        ]
    );
    let said = server.log_lines("MP0460");
    assert!(said.len() == 1 && said[0].contains("WSGIRestrictSignal Off"), "{said:#?}");
}

#[test]
fn signals_are_pythons_to_decide_where_that_is_said() {
    let server = site(Mpm::Event).config("WSGIRestrictSignal Off\nWSGIScriptAlias / ${HTDOCS}/wsgi/probe.wsgi").start();
    let code = "
        import signal
        try:
            signal.signal(signal.SIGUSR2, lambda *_: None)
        except ValueError as error:
            out('ValueError')
    ";
    assert_eq!(line_of(&server, "/", code), "ValueError");
}

#[test]
fn programs_are_told_that_their_process_ends() {
    let server = site(Mpm::Event).children(1).config("WSGIScriptAlias / ${HTDOCS}/wsgi/probe.wsgi").start();
    let code = "
        import mod_wsgi
        from mod_python import apache

        @mod_wsgi.subscribe_shutdown
        def ended(name, path=apache.server_root() + '/scratch/end', **event):
            with open(path, 'w') as file:
                file.write('%s %s' % (name, event['shutdown_reason']))
        out(ended.__name__)
    ";
    assert_eq!(line_of(&server, "/", code), "ended");
    server.graceful();
    let end = server.scratch().join("end");
    crate::fixture::wait_until("the end of the child", || end.exists());
    crate::fixture::wait_until("its text", || {
        std::fs::read_to_string(&end).is_ok_and(|text| text == "process_stopping shutdown_signal")
    });
}

#[test]
fn interpreters_have_gils_of_their_own_where_that_is_said() {
    let on = site(Mpm::Event).config("WSGIPerInterpreterGIL On\nWSGIScriptAlias / ${HTDOCS}/wsgi/probe.wsgi").start();
    line_of(&on, "/", "out(1)");
    match has_own_gil() {
        true => assert!(on.log().contains("own GIL"), "{}", on.log()),
        false => assert!(on.log().contains("WSGIPerInterpreterGIL: it needs Python 3.12 or later"), "{}", on.log()),
    }
}

#[test]
fn mod_wsgi_has_its_own_directives_where_it_is_loaded() {
    if !has_module("wsgi") {
        return not_tested("mod_wsgi is not installed (Debian: libapache2-mod-wsgi-py3)");
    }
    let server = site(Mpm::Event)
        .module("wsgi")
        .children(1)
        .config(
            "WSGIRestrictEmbedded On\nWSGISocketPrefix ${ROOT}/run/wsgi\nWSGIDaemonProcess theirs\n\
             WSGIScriptAlias /theirs ${HTDOCS}/wsgi/theirs.wsgi process-group=theirs application-group=%{GLOBAL}\n\
             PythonApplication /ours ${HTDOCS}/wsgi/probe.wsgi",
        )
        .file("wsgi/theirs.wsgi", "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [repr('mod_python.version' in environ).encode()]\n")
        .start();
    assert_eq!(server.get("/theirs").text(), "False", "{}", server.log());
    assert_eq!(line_of(&server, "/ours", "out('mod_python.version' in environ)"), "True");
}
