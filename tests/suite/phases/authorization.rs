//! `Require python`: a function that says who may, among httpd's other requirements.

use super::{basic, with_module};
use crate::fixture::{Httpd, Mpm, Response, Server, for_each_mpm};

const MAY: &str = r#"
    from mod_python import apache

    calls = []

    def authorize(req, *arguments):
        assert req.phase == "Require python" and req.hlist.handler in ("may", "may::authorize"), (req.phase, req.hlist)
        return "yes" in arguments

    def arguments(req, *arguments):
        req.err_headers_out["X-Arguments"] = repr(arguments)
        return True

    def member(req, *members):
        asked = getattr(req, "asked", [])
        req.asked = asked + [req.user]
        req.err_headers_out["X-Asked"] = repr(req.asked)
        return req.user in members

    def answer(req):
        return eval(req.args, {"apache": apache, "req": req})

    def check_password(req, user, password):
        return password == "right"

    def handler(req):
        req.write("let in: %s" % req.user)
        return apache.OK
"#;

fn site(mpm: Mpm) -> Httpd {
    with_module(mpm, "may", MAY).config("<Location />\n    SetHandler mod_python\n    PythonHandler may\n</Location>")
}

/// Users whose password is "right".
const USERS: &str = "AuthType Basic\nAuthName realm\nAuthBasicProvider python\nPythonAuthBasicProvider may";

fn section(path: &str, lines: &str) -> String {
    format!("<Location {path}>\n{lines}\n</Location>\n")
}

#[track_caller]
fn ask(server: &Server, path: &str, user: Option<&str>) -> Response {
    let request = server.request("GET", path);
    match user {
        Some(user) => request.header("Authorization", basic(user)).send(),
        None => request.send(),
    }
}

for_each_mpm! {
    fn it_counts_like_any_other_requirement(mpm) {
        let cases = [
            ("Require python may yes", 200),
            ("Require python may::authorize yes", 200),
            ("Require python may no", 403),
            ("Require python may", 403),
            ("Require not python may yes\nRequire all granted", 403),
            ("Require python may no\nRequire python may yes", 200),
            ("<RequireAny>\nRequire python may no\nRequire all granted\n</RequireAny>", 200),
            ("<RequireAny>\nRequire python may no\nRequire all denied\n</RequireAny>", 403),
            ("<RequireAll>\nRequire python may yes\nRequire all granted\n</RequireAll>", 200),
            ("<RequireAll>\nRequire python may no\nRequire all granted\n</RequireAll>", 403),
            ("<RequireAll>\nRequire python may yes\nRequire all denied\n</RequireAll>", 403),
            ("<RequireAll>\nRequire all granted\nRequire not python may no\n</RequireAll>", 200),
            ("<RequireAll>\nRequire all granted\nRequire not python may yes\n</RequireAll>", 403),
            ("<RequireAll>\nRequire all granted\n<RequireNone>\nRequire python may yes\n</RequireNone>\n</RequireAll>", 403),
            ("<RequireAll>\nRequire all granted\n<RequireNone>\nRequire python may no\n</RequireNone>\n</RequireAll>", 200),
            ("<Limit GET>\nRequire python may no\n</Limit>", 403),
            ("<LimitExcept GET>\nRequire python may no\n</LimitExcept>", 200),
        ];
        let cases: Vec<_> = cases
            .into_iter()
            // httpd refuses a section of which nothing but what is denied can come.
            .filter(|(lines, _)| !lines.starts_with("Require not"))
            .collect();
        let server = cases
            .iter()
            .enumerate()
            .fold(site(mpm), |site, (i, (lines, _))| site.config(section(&format!("/{i}"), lines)))
            .start();
        for (i, (lines, status)) in cases.iter().enumerate() {
            let response = ask(&server, &format!("/{i}"), None);
            assert_eq!(response.status, *status, "{lines}\n{}", server.log());
            assert_eq!(response.header("WWW-Authenticate"), None, "{lines}");
        }
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }

    fn users_are_asked_for_when_that_may_help(mpm) {
        let server = site(mpm)
            .config(section("/members", &format!("{USERS}\nRequire python may::member one two")))
            .config(section("/either", &format!("{USERS}\nRequire python may yes\nRequire python may::member one")))
            .start();
        // First without a user; httpd asks for one, and asks the function again when there is one.
        let unknown = ask(&server, "/members", None);
        assert_eq!((unknown.status, unknown.header("WWW-Authenticate")), (401, Some("Basic realm=\"realm\"")));
        assert_eq!(unknown.header("X-Asked"), Some("[None]"));
        let one = ask(&server, "/members", Some("one:right"));
        assert_eq!((one.status, one.text().as_str()), (200, "let in: one"), "{}", server.log());
        assert_eq!(one.header("X-Asked"), Some("[None, 'one']"));
        assert_eq!(ask(&server, "/members", Some("one:wrong")).status, 401);
        let three = ask(&server, "/members", Some("three:right"));
        assert_eq!((three.status, three.header("X-Asked")), (401, Some("[None, 'three']")));
        // Where nobody is needed nobody is asked.
        let either = ask(&server, "/either", None);
        assert_eq!((either.status, either.text().as_str()), (200, "let in: None"));
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}

#[test]
fn arguments_are_the_words_behind_it() {
    let server = site(Mpm::OneChild)
        .config(section("/none", "Require python may::arguments"))
        .config(section("/some", "Require python may::arguments one \"two words\" 'three more'   last"))
        .config(section("/bytes", "Require python may::arguments grüße"))
        .config(
            "<AuthzProviderAlias python named \"may::arguments by alias\">\n</AuthzProviderAlias>\n\
             <Location /alias>\n    Require named\n</Location>",
        )
        .start();
    for (path, arguments) in
        [("/none", "()"), ("/some", "('one', 'two words', 'three more', 'last')"), ("/alias", "('by', 'alias')")]
    {
        let response = ask(&server, path, None);
        assert_eq!(
            (response.status, response.header("X-Arguments")),
            (200, Some(arguments)),
            "{path}: {}",
            server.log()
        );
    }
    assert_eq!(ask(&server, "/bytes", None).header("X-Arguments"), Some("('gr\u{fc}\u{df}e',)"));
}

#[test]
fn in_a_htaccess_file_it_has_its_folder() {
    let server = Httpd::new(Mpm::Worker)
        .file("own/local.py", "def authorize(req, word):\n    return word == 'open'\n")
        .file("own/.htaccess", "<Files open.txt>\n    Require python local open\n</Files>\n<Files shut.txt>\n    Require python local shut\n</Files>")
        .file("own/open.txt", "open")
        .file("own/shut.txt", "shut")
        .file("own/wrong/.htaccess", "Require python local::")
        .start();
    assert_eq!(server.get("/own/open.txt").text(), "open\n", "{}", server.log());
    assert_eq!(server.get("/own/shut.txt").status, 403);
    assert_eq!(server.get("/own/wrong/x").status, 500);
    assert!(server.log().contains("MP0203: Require python: 'local::'"), "{}", server.log());
}

#[test]
fn answers_are_truth_values_and_httpds_own() {
    let server = site(Mpm::OneChild)
        .config(section("/answer", "Require python may::answer"))
        .config(section("/users", &format!("{USERS}\nRequire python may::answer")))
        .config(section("/neutral", "<RequireAny>\nRequire python may::answer\nRequire all granted\n</RequireAny>"))
        .start();
    let status = |path: &str, answer: &str| {
        server.forget_log();
        ask(&server, &format!("{path}?{answer}"), None).status
    };
    for (answer, expected, with_users) in [
        ("True", 200, 200),
        ("apache.AUTHZ_GRANTED", 200, 200),
        ("False", 403, 401),
        ("apache.AUTHZ_DENIED", 403, 403),
        // Nobody says who it is: httpd has that for an error of the configuration.
        ("apache.AUTHZ_DENIED_NO_USER", 500, 401),
        ("apache.AUTHZ_NEUTRAL", 403, 403),
        ("apache.AUTHZ_GENERAL_ERROR", 500, 500),
    ] {
        assert_eq!(status("/answer", answer), expected, "{answer}");
        assert_eq!(status("/users", answer), with_users, "{answer} with users");
        assert_eq!(server.log_count("MP04"), 0, "{answer}: {}", server.log());
    }
    assert_eq!(status("/neutral", "apache.AUTHZ_NEUTRAL"), 200);
    for (answer, shown) in [
        ("None", "not an object of the class NoneType"),
        ("'yes'", "not an object of the class str"),
        ("[1]", "not an object of the class list"),
        ("17", "not 17"),
        ("-1", "not -1"),
        ("10**30", "not 1000000000000000000000000000000"),
        ("1/0", "ZeroDivisionError"),
        ("exit(1)", "SystemExit: 1"),
    ] {
        assert_eq!(status("/answer", answer), 500, "{answer}");
        let entries = server.log_lines("MP04");
        assert!(entries.len() == 1 && entries[0].contains("MP0401: Require python 'may::answer' ("), "{entries:?}");
        assert!(entries[0].contains("httpd.conf:") && entries[0].contains(shown), "{answer}: {entries:?}");
    }
    for (function, why) in [("nowhere", "contains no 'nowhere'"), ("calls", "TypeError: 'list' object is not callable")]
    {
        let server = site(Mpm::Prefork).config(section("/x", &format!("Require python may::{function}"))).start();
        assert_eq!(ask(&server, "/x", None).status, 500);
        let entries = server.log_lines("MP04");
        assert!(entries.len() == 1 && entries[0].contains(why), "{entries:?}");
    }
}

#[test]
fn a_wrong_one_stops_the_start() {
    for (line, parts) in [
        ("Require python", &["MP0217: Require python", "module[::object]"][..]),
        ("Require python may::", &["MP0203: Require python", "'may::'"]),
        ("Require python /srv/may.py", &["MP0203: Require python", "'/srv/may.py'"]),
        ("Require python \"\"", &["MP0217: Require python"]),
        ("Require pyton may", &["Unknown Authz provider: pyton"]),
    ] {
        let test = Httpd::new(Mpm::Event)
            .file("wrong.conf", format!("<Location /x>\n    {line}\n</Location>\n"))
            .config("Include ${HTDOCS}/wrong.conf")
            .configtest();
        assert!(!test.accepted, "{line}");
        assert!(
            test.output.contains("Syntax error on line 2 of ") && test.output.contains("/wrong.conf:"),
            "{}",
            test.output
        );
        for part in parts {
            assert!(test.output.contains(part), "{line}: {part:?} in {}", test.output);
        }
    }
    let test = Httpd::new(Mpm::Event)
        .binary_file("wrong.conf", b"<Location /x>\n    Require python may \xff\n</Location>\n")
        .config("Include ${HTDOCS}/wrong.conf")
        .configtest();
    assert!(!test.accepted && test.output.contains("MP0204: Require python"), "{}", test.output);
}
