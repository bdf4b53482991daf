//! `AuthBasicProvider python`: a function behind httpd's own Basic authentication.

use super::{basic, with_module};
use crate::fixture::{Httpd, Mpm, Response, Server, for_each_mpm};

const USERS: &str = r#"
    from mod_python import apache

    def check_password(req, user, password):
        assert req.phase == "PythonAuthBasicProvider" and req.interpreter == apache.interpreter
        if user == "broken":
            raise ValueError("no database")
        if user == "unknown" or user == "file":
            return None
        req.checked = user
        return password == "right"

    def answer(req, user, password):
        return eval(user, {"apache": apache})

    def shown(req, user, password):
        req.err_headers_out["X-Given"] = ascii((user, password))
        req.err_headers_out["X-Interpreter"] = "%s %s" % (apache.interpreter, req.hlist.directory)
        return True

    def other(req, user, password):
        return password == "other"

    def handler(req):
        req.write("%s by %s, checked %s" % (req.user, req.ap_auth_type, getattr(req, "checked", None)))
        return apache.OK
"#;

/// The user `file` has the password `httpd`.
const PASSWORDS: &str = "file:{SHA}nRf4ikKzGwJ3k89ihQ07qIBZcUg=\n";

fn site(mpm: Mpm) -> Httpd {
    with_module(mpm, "users", USERS)
        .file("passwords", PASSWORDS)
        .config("<Location />\n    SetHandler mod_python\n    PythonHandler users\n</Location>")
}

fn section(path: &str, lines: &str) -> String {
    format!(
        "<Location {path}>\n    AuthType Basic\n    AuthName \"the realm\"\n    AuthUserFile \"${{HTDOCS}}/passwords\"\n    \
         Require valid-user\n{lines}\n</Location>\n"
    )
}

#[track_caller]
fn ask(server: &Server, path: &str, user: impl AsRef<[u8]>) -> Response {
    server.request("GET", path).header("Authorization", basic(user)).send()
}

for_each_mpm! {
    fn it_says_whether_a_password_is_right(mpm) {
        let server = site(mpm).config(section("/x", "AuthBasicProvider python\nPythonAuthBasicProvider users")).start();
        let right = ask(&server, "/x", "one:right");
        assert_eq!((right.status, right.text().as_str()), (200, "one by Basic, checked one"), "{}", server.log());
        for user in ["one:wrong", "one:", "unknown:right", ":"] {
            let response = ask(&server, "/x", user);
            assert_eq!(response.status, 401, "{user}");
            assert_eq!(response.header("WWW-Authenticate"), Some("Basic realm=\"the realm\""));
        }
        assert_eq!(server.get("/x").status, 401);
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());

        let broken = ask(&server, "/x", "broken:right");
        assert_eq!(broken.status, 500);
        let entries = server.log_lines("MP04");
        assert_eq!(entries.len(), 1, "{entries:?}");
        for part in ["MP0401: PythonAuthBasicProvider 'users' (", "httpd.conf:", "ValueError: no database", "[client 127.0.0.1"] {
            assert!(entries[0].contains(part), "{part} in {entries:?}");
        }
        assert!(!server.log().contains("right"), "no password is in the log: {}", server.log());
        assert_eq!(ask(&server, "/x", "one:right").status, 200);
    }
}

#[test]
fn who_is_unknown_to_one_is_asked_of_the_next() {
    let both = "PythonAuthBasicProvider users";
    let server = site(Mpm::OneChild)
        .config(section("/python-file", &format!("AuthBasicProvider python file\n{both}")))
        .config(section("/file-python", &format!("AuthBasicProvider file python\n{both}")))
        .start();
    for path in ["/python-file", "/file-python"] {
        assert_eq!(ask(&server, path, "one:right").status, 200, "{path}: {}", server.log());
        assert_eq!(ask(&server, path, "file:httpd").status, 200, "{path}");
        assert_eq!(ask(&server, path, "file:wrong").status, 401, "{path}");
        assert_eq!(ask(&server, path, "unknown:right").status, 401, "{path}");
        assert_eq!(ask(&server, path, "one:wrong").status, 401, "{path}");
    }
}

#[test]
fn an_alias_has_a_function_of_its_own() {
    let server = site(Mpm::OneChild)
        .config(
            "<AuthnProviderAlias python first>\n    PythonAuthBasicProvider users\n</AuthnProviderAlias>\n\
             <AuthnProviderAlias python second>\n    PythonAuthBasicProvider users::other\n</AuthnProviderAlias>\n",
        )
        .config(section("/first", "AuthBasicProvider first"))
        .config(section("/second", "AuthBasicProvider second"))
        .config(section("/both", "AuthBasicProvider first second"))
        .start();
    for (path, user, status) in [
        ("/first", "one:right", 200),
        ("/first", "one:other", 401),
        ("/second", "one:other", 200),
        ("/second", "one:right", 401),
        ("/both", "one:right", 200),
        ("/both", "unknown:other", 200),
        ("/both", "one:other", 401),
    ] {
        assert_eq!(ask(&server, path, user).status, status, "{path} {user}: {}", server.log());
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

#[test]
fn answers_are_truth_values_none_and_httpds_own() {
    let server = site(Mpm::OneChild)
        .config(section("/x", "AuthBasicProvider python\nPythonAuthBasicProvider users::answer"))
        .start();
    let status = |answer: &str| {
        server.forget_log();
        ask(&server, "/x", format!("{answer}:x")).status
    };
    for (answer, expected) in [
        ("True", 200),
        ("apache.AUTH_GRANTED", 200),
        ("False", 401),
        ("None", 401),
        ("apache.AUTH_DENIED", 401),
        ("apache.AUTH_USER_NOT_FOUND", 401),
        ("apache.AUTH_GENERAL_ERROR", 500),
    ] {
        assert_eq!(status(answer), expected, "{answer}");
        assert_eq!(server.log_count("MP04"), 0, "{answer}: {}", server.log());
    }
    for (answer, shown) in [
        ("'yes'", "not an object of the class str"),
        ("2", "not 2"),
        ("401", "not 401"),
        ("1.0", "not an object of the class float"),
        ("10**30", "not 1000000000000000000000000000000"),
    ] {
        assert_eq!(status(answer), 500, "{answer}");
        let entries = server.log_lines("MP04");
        assert!(
            entries.len() == 1 && entries[0].contains("TypeError: 'users::answer' must return True, False, None"),
            "{entries:?}"
        );
        assert!(entries[0].contains(shown), "{answer}: {entries:?}");
    }
}

#[test]
fn users_and_passwords_are_text_whatever_their_bytes() {
    let server = site(Mpm::OneChild)
        .config(section("/x", "AuthBasicProvider python\nPythonAuthBasicProvider users::shown"))
        .start();
    let given = |user: &[u8]| {
        let response = ask(&server, "/x", user);
        assert_eq!(response.status, 200, "{}", server.log());
        response.header("X-Given").expect("the function sets it").to_owned()
    };
    // UTF-8 as browsers send it, else Latin-1.
    assert_eq!(given("üser:pässwörd".as_bytes()), r"('\xfcser', 'p\xe4ssw\xf6rd')");
    assert_eq!(given(b"\xfcser:p\xe4ss\xff"), r"('\xfcser', 'p\xe4ss\xff')");
    assert_eq!(given("one:日本".as_bytes()), r"('one', '\u65e5\u672c')");
    assert_eq!(given(b"a:b:c"), "('a', 'b:c')");
}

#[test]
fn what_is_no_user_and_password_does_not_reach_it() {
    let server = site(Mpm::Worker)
        .children(1)
        .config(section("/x", "AuthBasicProvider python\nPythonAuthBasicProvider users::shown"))
        .start();
    let children = server.child_pids();
    for garbage in [&b"Bearer x"[..], b"\xff\xfe", b",", b"Digest username=\"one\""] {
        let response = server.request("GET", "/x").header("Authorization", garbage).send();
        assert_eq!((response.status, response.header("X-Given")), (401, None), "{garbage:?}");
    }
    // httpd itself takes these for a user without a name.
    for garbage in [&b"Basic"[..], b"Basic ====", b"Basic \xff\xff", b"Basic Og=="] {
        let response = server.request("GET", "/x").header("Authorization", garbage).send();
        assert_eq!((response.status, response.header("X-Given")), (200, Some("('', '')")), "{garbage:?}");
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    assert_eq!(server.child_pids(), children);
}

#[test]
fn it_runs_in_the_interpreter_of_its_directive() {
    let server = site(Mpm::OneChild)
        .config(section("/default", "AuthBasicProvider python\nPythonAuthBasicProvider users::shown"))
        .config(section(
            "/named",
            "AuthBasicProvider python\nPythonAuthBasicProvider users::shown\nPythonInterpreter own",
        ))
        .config(section(
            "/section",
            "AuthBasicProvider python\nPythonAuthBasicProvider users::shown\nPythonInterpPerDirective On",
        ))
        .start();
    for (path, expected) in
        [("/default", "localhost /default"), ("/named", "own /named"), ("/section", "/section /section")]
    {
        assert_eq!(ask(&server, path, "one:any").header("X-Interpreter"), Some(expected), "{}", server.log());
    }
}

#[test]
fn a_provider_needs_a_function_and_a_realm() {
    let server = site(Mpm::OneChild)
        .config(section("/unnamed", "AuthBasicProvider python"))
        .config(section("/missing", "AuthBasicProvider python\nPythonAuthBasicProvider users::nowhere"))
        .config(
            section("/nameless", "AuthBasicProvider python\nPythonAuthBasicProvider users").replace("AuthName", "#"),
        )
        .start();
    assert_eq!(ask(&server, "/unnamed", "one:right").status, 500);
    let entries = server.log_lines("MP04");
    assert!(entries.len() == 1 && entries[0].contains("MP0415: 'AuthBasicProvider python'"), "{entries:?}");

    server.forget_log();
    assert_eq!(ask(&server, "/missing", "one:right").status, 500);
    let entries = server.log_lines("MP04");
    assert!(entries.len() == 1 && entries[0].contains("contains no 'nowhere'"), "{entries:?}");

    server.forget_log();
    assert_eq!(ask(&server, "/nameless", "one:right").status, 500);
    assert!(server.log().contains("need AuthName"), "{}", server.log());
}

#[test]
fn an_inner_section_can_have_another_function() {
    let server = site(Mpm::OneChild)
        .config(section("/x", "AuthBasicProvider python\nPythonAuthBasicProvider users"))
        .config("<Location /x/inner>\n    PythonAuthBasicProvider users::other\n</Location>")
        .config("<Location /x/unset>\n    PythonOption some thing\n</Location>")
        .file("folder/.htaccess", "AuthType Basic\nAuthName realm\nRequire valid-user\nAuthBasicProvider python\nPythonAuthBasicProvider local")
        .file("folder/local.py", "def check_password(req, user, password):\n    return user == 'local'\n")
        .config("<Location /folder>\n    PythonInterpreter separate\n    PythonPath \"sys.path + ['${HTDOCS}/lib', '${HTDOCS}/folder']\"\n</Location>")
        .start();
    for (path, user, status) in [
        ("/x", "one:right", 200),
        ("/x/unset", "one:right", 200),
        ("/x/inner", "one:right", 401),
        ("/x/inner", "one:other", 200),
        ("/folder/x", "local:any", 200),
        ("/folder/x", "one:right", 401),
    ] {
        assert_eq!(ask(&server, path, user).status, status, "{path} {user}: {}", server.log());
    }
}
