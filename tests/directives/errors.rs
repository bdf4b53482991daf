//! What is said about a wrong directive: its name, what is wrong, what is allowed; httpd adds the file and the line.

use crate::fixture::{Httpd, Mpm};
use crate::who::{has_own_gil, site};

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
];

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
fn in_a_htaccess_file_it_is_the_request_that_fails() {
    let mut site = site(Mpm::Prefork).config("PythonHandler who");
    let wrong: Vec<_> = WRONG
        .iter()
        .filter(|(line, _)| {
            !["PythonImport", "PythonOptimize", "PythonInterpreterOptions"].iter().any(|name| line.starts_with(name))
        })
        .collect();
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
