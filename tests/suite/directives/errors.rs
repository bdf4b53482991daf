//! What is said about a wrong directive: its name, what is wrong, what is allowed; httpd adds the file and the line.

use crate::common::who::site;
use crate::fixture::{Httpd, Mpm, has_own_gil};

/// Lines of a configuration, and what the message about the last one has to contain.
const WRONG: &[(&str, &[&str])] = &[
    ("PythonHandler", &["MP0201: PythonHandler", "module::object", "| .ext"]),
    ("PythonHandler | .py", &["MP0201: PythonHandler"]),
    ("PythonHandler who |", &["MP0202: PythonHandler", "| .py .html"]),
    ("PythonHandler who | py", &["MP0202: PythonHandler", "'py'", "dot"]),
    ("PythonHandler who | .py | .html", &["MP0202: PythonHandler"]),
    ("PythonHandler /srv/app.py", &["MP0203: PythonHandler", "'/srv/app.py'", "module"]),
    ("PythonHandler who::", &["MP0203: PythonHandler", "'who::'"]),
    ("PythonHandler ::handler", &["MP0203: PythonHandler", "'::handler'"]),
    ("PythonHandler a..b", &["MP0203: PythonHandler", "'a..b'"]),
    ("PythonHandler good bad::", &["MP0203: PythonHandler", "'bad::'"]),
    ("PythonInterpreter", &["PythonInterpreter takes one argument", "the name of the interpreter"]),
    ("PythonInterpreter a b", &["PythonInterpreter takes one argument", "the name of the interpreter"]),
    ("PythonInterpreter \"\"", &["PythonInterpreter takes one argument", "the name of the interpreter"]),
    ("PythonInterpPerDirectory", &["PythonInterpPerDirectory must be On or Off"]),
    ("PythonInterpPerDirectory Yes", &["PythonInterpPerDirectory must be On or Off"]),
    ("PythonInterpPerDirective 1", &["PythonInterpPerDirective must be On or Off"]),
    ("PythonAutoReload Never", &["PythonAutoReload must be On or Off"]),
    ("PythonDebug Maybe", &["PythonDebug must be On or Off"]),
    ("PythonOptimize 2", &["PythonOptimize must be On or Off"]),
    ("PythonPath", &["PythonPath takes one argument", "expression"]),
    ("PythonPath \"\"", &["PythonPath takes one argument", "expression"]),
    ("PythonPath \"  \"", &["MP0207: PythonPath"]),
    ("PythonPath ['/srv/a', '/srv/b']", &["PythonPath takes one argument", "expression"]),
    ("PythonOption", &["PythonOption takes 1-2 arguments"]),
    ("PythonOption a b c", &["PythonOption takes 1-2 arguments"]),
    ("PythonImport", &["PythonImport takes two arguments", "module[::function]", "interpreter"]),
    ("PythonImport who", &["PythonImport takes two arguments", "interpreter"]),
    ("PythonImport who:: some", &["MP0208: PythonImport", "'who::'", "module::function"]),
    ("PythonImport /srv/who.py some", &["MP0208: PythonImport", "'/srv/who.py'"]),
    ("PythonImport who \"\"", &["PythonImport takes two arguments", "interpreter"]),
    ("PythonInterpreterOptions", &["MP0209: PythonInterpreterOptions", "gil=shared|own"]),
    ("PythonInterpreterOptions some", &["MP0209: PythonInterpreterOptions", "gil=shared|own"]),
    ("PythonInterpreterOptions some gil", &["MP0209: PythonInterpreterOptions some", "'gil'", "gil=shared|own"]),
    ("PythonInterpreterOptions some gil=", &["MP0209: PythonInterpreterOptions some", "gil= ", "gil=shared|own"]),
    (
        "PythonInterpreterOptions some gil=mine",
        &["MP0209: PythonInterpreterOptions some", "gil=mine", "gil=shared|own"],
    ),
    ("PythonInterpreterOptions * color=red", &["MP0209: PythonInterpreterOptions *", "'color=red'", "gil=shared|own"]),
    ("PythonInterpreterOptions * gil=shared gil", &["MP0209: PythonInterpreterOptions *", "'gil'"]),
    ("PythonHandlr who", &["Invalid command 'PythonHandlr'"]),
    ("PythonHandlerModule", &["MP0215: PythonHandlerModule names no module", "dotted Python name", "accesshandler"]),
    ("PythonHandlerModule who::handler", &["MP0215: PythonHandlerModule", "'who::handler'", "accesshandler"]),
    ("PythonHandlerModule who | .py", &["MP0215: PythonHandlerModule", "'|'"]),
    ("PythonHandlerModule good /srv/who.py", &["MP0215: PythonHandlerModule", "'/srv/who.py'"]),
    ("PythonHandlerModule a..b", &["MP0215: PythonHandlerModule", "'a..b'"]),
    ("PythonEnablePdb Always", &["PythonEnablePdb must be On or Off"]),
    ("PythonConnectionHandler", &["MP0201: PythonConnectionHandler"]),
    ("PythonConnectionHandler who::", &["MP0203: PythonConnectionHandler", "'who::'"]),
    ("PythonConnectionHandler who other", &["MP0213: PythonConnectionHandler", "one handler"]),
    ("PythonConnectionHandler who | .py", &["MP0213: PythonConnectionHandler", "no extensions"]),
    ("PythonInputFilter", &["PythonInputFilter takes 1-2 arguments"]),
    ("PythonInputFilter a b c", &["PythonInputFilter takes 1-2 arguments"]),
    ("PythonInputFilter who:: named", &["MP0203: PythonInputFilter", "'who::'"]),
    ("PythonInputFilter who \"two words\"", &["MP0216: PythonInputFilter", "'two words'", "SetInputFilter"]),
    ("PythonOutputFilter", &["PythonOutputFilter takes 1-2 arguments"]),
    ("PythonOutputFilter /srv/who.py named", &["MP0203: PythonOutputFilter", "'/srv/who.py'"]),
    ("PythonOutputFilter who one;two", &["MP0216: PythonOutputFilter", "'one;two'"]),
    ("PythonOutputFilter who one,two", &["MP0216: PythonOutputFilter", "'one,two'"]),
];

/// Those that take a list of handlers, and may have extensions behind it.
const PHASES: [&str; 10] = [
    "PythonInitHandler",
    "PythonHeaderParserHandler",
    "PythonAccessHandler",
    "PythonAuthenHandler",
    "PythonAuthzHandler",
    "PythonTypeHandler",
    "PythonFixupHandler",
    "PythonHandler",
    "PythonLogHandler",
    "PythonCleanupHandler",
];

/// Those that take a list of handlers before there is a file.
const BEFORE_FILE: [&str; 2] = ["PythonPostReadRequestHandler", "PythonTransHandler"];

#[track_caller]
fn said(lines: &str) -> String {
    let test = Httpd::new(Mpm::Event).file("wrong.conf", lines).config("Include ${HTDOCS}/wrong.conf").configtest();
    assert!(!test.accepted, "accepted: {lines}");
    let place = format!("Syntax error on line {} of ", lines.lines().count());
    assert!(test.output.contains(&place), "{place} for {lines} in {}", test.output);
    assert!(test.output.contains("/htdocs/wrong.conf:"), "{}", test.output);
    test.output
}

#[test]
fn a_wrong_directive_is_named_with_what_is_wrong_and_what_is_allowed() {
    for (line, parts) in WRONG {
        let output = said(&format!("# A comment.\n\n{line}"));
        for part in *parts {
            assert!(output.contains(part), "{part:?} for {line:?} in {output}");
        }
    }
}

#[test]
fn a_wrong_directive_stops_the_start() {
    let output = Httpd::new(Mpm::Event).config("<Location /x>\n    PythonHandler who::\n</Location>").start_fails();
    assert!(output.contains("MP0203: PythonHandler"), "{output}");
}

#[test]
fn an_argument_that_is_not_utf_8_is_refused() {
    let test = Httpd::new(Mpm::Event)
        .binary_file("wrong.conf", b"PythonPath \"['/srv/\xe4']\"\n")
        .config("Include ${HTDOCS}/wrong.conf")
        .configtest();
    assert!(!test.accepted);
    assert!(test.output.contains("MP0204: PythonPath") && test.output.contains("UTF-8"), "{}", test.output);
}

#[test]
fn each_phases_directive_says_what_it_takes() {
    let wrong = [
        ("", "MP0201", "names no handler"),
        ("who |", "MP0202", "'|' without an extension"),
        ("who | py", "MP0202", "'py' is not an extension"),
        ("/srv/who", "MP0203", "'/srv/who' is not a handler"),
        ("who::a::b", "MP0203", "'who::a::b' is not a handler"),
    ];
    for directive in PHASES.into_iter().chain(BEFORE_FILE) {
        for (arguments, number, part) in wrong {
            let output = said(&format!("{directive} {arguments}"));
            assert!(output.contains(&format!("{number}: {directive}")) && output.contains(part), "{output}");
        }
    }
    for directive in BEFORE_FILE {
        for arguments in ["who | .py", "who|.py .html"] {
            let output = said(&format!("{directive} {arguments}"));
            assert!(output.contains(&format!("MP0214: {directive} takes no extensions")), "{output}");
            assert!(output.contains("req.uri"), "what to do instead: {output}");
        }
    }
}

#[test]
fn providers_say_what_they_take() {
    for directive in ["PythonAuthBasicProvider", "PythonAuthDigestProvider"] {
        for (arguments, parts) in [
            ("", ["takes one argument", "module[::object]"]),
            ("a b", ["takes one argument", "module[::object]"]),
            ("\"\"", ["takes one argument", "module[::object]"]),
            ("who::", ["MP0203", "'who::' is not a handler"]),
            ("/srv/who.py", ["MP0203", "'/srv/who.py' is not a handler"]),
        ] {
            let line = format!("{directive} {arguments}");
            let test = Httpd::new(Mpm::Event)
                .file("wrong.conf", format!("<Location /x>\n    {line}\n</Location>"))
                .config("Include ${HTDOCS}/wrong.conf")
                .configtest();
            assert!(!test.accepted, "accepted: {line}");
            assert!(test.output.contains("Syntax error on line 2 of "), "{}", test.output);
            assert!(test.output.contains(directive), "{}", test.output);
            for part in parts {
                assert!(test.output.contains(part), "{part:?} for {line:?} in {}", test.output);
            }
        }
    }
}

#[test]
fn what_is_said_twice_is_accepted() {
    let lists = PHASES.into_iter().map(|directive| format!("{directive} who | .py\n{directive} who other\n"));
    let mut config: String = lists.clone().collect();
    config += &BEFORE_FILE.map(|directive| format!("{directive} who\n{directive} who\n")).concat();
    for line in [
        "PythonHandlerModule who",
        "PythonConnectionHandler who",
        "PythonInputFilter who named",
        "PythonOutputFilter who named",
        "PythonInterpreter one",
        "PythonInterpPerDirectory On",
        "PythonInterpPerDirective On",
        "PythonPath sys.path",
        "PythonOption one two",
        "PythonAutoReload On",
        "PythonDebug On",
        "PythonEnablePdb On",
        "PythonImport who one",
        "PythonOptimize On",
        "PythonInterpreterOptions one gil=shared",
    ] {
        config += &format!("{line}\n{line}\n");
    }
    let mut inside: String = lists.collect();
    for line in ["PythonAuthBasicProvider who", "PythonAuthDigestProvider who", "Require python who"] {
        inside += &format!("{line}\n{line}\n");
    }
    let test = Httpd::new(Mpm::Event).config(format!("{config}<Location /x>\n{inside}</Location>")).configtest();
    assert!(test.accepted, "{}", test.output);
}

#[test]
fn in_a_htaccess_file_it_is_the_request_that_fails() {
    // httpd refuses these there, whatever they say.
    const NOT_THERE: [&str; 6] = [
        "PythonImport",
        "PythonOptimize",
        "PythonInterpreterOptions",
        "PythonConnectionHandler",
        "PythonInputFilter",
        "PythonOutputFilter",
    ];
    let mut site = site(Mpm::Prefork).config("PythonHandler who");
    let wrong: Vec<_> = WRONG.iter().filter(|(line, _)| !NOT_THERE.iter().any(|name| line.starts_with(name))).collect();
    for (i, (line, _)) in wrong.iter().enumerate() {
        site = site.file(format!("{i}/.htaccess"), line);
    }
    let server = site.start();
    for (i, (line, parts)) in wrong.iter().enumerate() {
        server.forget_log();
        let response = server.get(&format!("/{i}/x"));
        assert_eq!(response.status, 500, "{line}");
        assert!(!response.text().contains("MP02"), "the client is not told: {}", response.text());
        let lines = server.log_lines(&format!("/htdocs/{i}/.htaccess"));
        assert_eq!(lines.len(), 1, "{line}: {}", server.log());
        for part in *parts {
            assert!(lines[0].contains(part), "{part:?} for {line:?} in {lines:?}");
        }
    }
}

#[test]
fn a_gil_of_its_own_needs_a_python_that_has_it() {
    for line in ["PythonInterpreterOptions some gil=own", "PythonInterpreterOptions * gil=own"] {
        if has_own_gil() {
            let test = Httpd::new(Mpm::Event).config(line).configtest();
            assert!(test.accepted, "{line}: {}", test.output);
        } else {
            let output = said(line);
            for part in ["MP0210: ", line, "Python 3.12 or later", "built for Python 3."] {
                assert!(output.contains(part), "{part:?} in {output}");
            }
        }
    }
}

#[test]
fn the_main_interpreter_has_the_shared_gil() {
    let output = said("PythonInterpreterOptions main_interpreter gil=own");
    assert!(
        output.contains(if has_own_gil() { "MP0211: PythonInterpreterOptions main_interpreter" } else { "MP0210" }),
        "{output}"
    );
    let shared = Httpd::new(Mpm::Event).config("PythonInterpreterOptions main_interpreter gil=shared").configtest();
    assert!(shared.accepted, "{}", shared.output);
}

#[test]
fn settings_of_one_name_must_not_contradict_each_other() {
    let same = "
        PythonInterpreterOptions some gil=shared
        PythonInterpreterOptions some gil=shared gil=shared
        PythonInterpreterOptions * gil=shared
        <VirtualHost *:80>
            PythonInterpreterOptions some gil=shared
            PythonInterpreterOptions * gil=shared
        </VirtualHost>
    ";
    let test = Httpd::new(Mpm::Event).config(same).configtest();
    assert!(test.accepted, "to say the same again is allowed: {}", test.output);

    if !has_own_gil() {
        // With a single mode there is nothing to contradict: `own` is refused itself.
        return;
    }
    let different = Httpd::new(Mpm::Event)
        .config("PythonInterpreterOptions * gil=own\nPythonInterpreterOptions some gil=shared")
        .configtest();
    assert!(different.accepted, "a name wins over the star: {}", different.output);
    for lines in [
        "PythonInterpreterOptions some gil=shared\nPythonInterpreterOptions some gil=own",
        "PythonInterpreterOptions * gil=own\nPythonInterpreterOptions * gil=shared",
        "PythonInterpreterOptions some gil=own gil=shared",
        "<VirtualHost *:80>\nPythonInterpreterOptions some gil=own\n</VirtualHost>\nPythonInterpreterOptions some gil=shared",
    ] {
        let output = said(lines);
        for part in ["MP0212: PythonInterpreterOptions", "contradicts", "gil=own", "gil=shared"] {
            assert!(output.contains(part), "{part:?} in {output}");
        }
    }
}

#[test]
fn a_configuration_test_starts_no_python() {
    // What Python would say about these shows at a request.
    let test = Httpd::new(Mpm::Event)
        .config(
            "PythonHandler no.such.module\nPythonPath \"no such expression(\"\nPythonImport no_such main_interpreter",
        )
        .configtest();
    assert!(test.accepted && !test.output.contains("no_such"), "{}", test.output);
}
