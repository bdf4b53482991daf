//! PythonAuthenHandler and PythonAuthzHandler: in front of httpd's own modules, which are asked about what they decline.

use super::{basic, with_module};
use crate::fixture::{Httpd, Mpm, Response, Server, for_each_mpm};

const WHO: &str = r#"
    from mod_python import apache

    def authenhandler(req):
        password = req.get_basic_auth_pw()
        if req.user == "httpd":
            return apache.DECLINED
        if password is None or password != "right":
            return apache.HTTP_UNAUTHORIZED
        return apache.OK

    def nobody(req):
        return apache.OK

    def set_user(req):
        req.user = "anybody"
        return apache.OK

    def own_question(req):
        req.err_headers_out["WWW-Authenticate"] = 'Bearer realm="own"'
        return apache.HTTP_UNAUTHORIZED

    def question(req):
        return apache.HTTP_UNAUTHORIZED

    def raised(req):
        raise apache.SERVER_RETURN(apache.HTTP_UNAUTHORIZED)

    def authzhandler(req):
        if req.user == "httpd":
            return apache.DECLINED
        return apache.OK if req.user in ("one", "anybody") else apache.HTTP_FORBIDDEN

    def kept(req):
        try:
            password = req.get_basic_auth_pw()
        except UnicodeError as error:
            password = error
        req.write("%r %r %r" % (req.user, password, req.ap_auth_type))
        return apache.OK

    def handler(req):
        req.write("%s by %s" % (req.user, req.ap_auth_type))
        return apache.OK
"#;

/// The user `httpd` of the password file has the password `httpd`.
const PASSWORDS: &str = "httpd:{SHA}nRf4ikKzGwJ3k89ihQ07qIBZcUg=\n";

fn site(mpm: Mpm) -> Httpd {
    with_module(mpm, "who", WHO).file("passwords", PASSWORDS).config(
        r#"
        <Location />
            SetHandler mod_python
            PythonHandler who
        </Location>
        "#,
    )
}

/// A section that lets users in, with these lines in it.
fn section(path: &str, lines: &str) -> String {
    format!(
        "<Location {path}>\n    AuthType Basic\n    AuthName \"the realm\"\n    AuthUserFile \"${{HTDOCS}}/passwords\"\n    \
         Require valid-user\n{lines}\n</Location>\n"
    )
}

#[track_caller]
fn ask(server: &Server, path: &str, user: Option<&str>) -> Response {
    let request = server.request("GET", path);
    match user {
        Some(user) => request.header("Authorization", basic(user)).send(),
        None => request.send(),
    }
}

fn question(response: &Response) -> Vec<&str> {
    response.headers.all("WWW-Authenticate")
}

for_each_mpm! {
    fn it_says_who_it_is_or_asks_or_leaves_it_to_httpd(mpm) {
        let server = site(mpm).config(section("/x", "PythonAuthenHandler who")).start();
        for user in [None, Some("one:wrong"), Some("one:"), Some("httpd:wrong"), Some("httpd:right")] {
            let response = ask(&server, "/x", user);
            assert_eq!(response.status, 401, "{user:?}");
            assert_eq!(question(&response), ["Basic realm=\"the realm\""], "{user:?}");
        }
        assert_eq!(ask(&server, "/x", Some("one:right")).text(), "one by Basic", "{}", server.log());
        assert_eq!(ask(&server, "/x", Some("httpd:httpd")).text(), "httpd by Basic", "{}", server.log());
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }

    fn it_says_what_a_user_may_or_leaves_it_to_httpd(mpm) {
        let server = site(mpm)
            .config(section("/x", "PythonAuthenHandler who\nPythonAuthzHandler who"))
            .config(section("/group", "PythonAuthenHandler who\nPythonAuthzHandler who\nRequire user two\nAuthMerging Off"))
            .start();
        assert_eq!(ask(&server, "/x", Some("one:right")).status, 200);
        assert_eq!(ask(&server, "/x", Some("two:right")).status, 403);
        assert_eq!(ask(&server, "/x", Some("httpd:httpd")).status, 200);
        assert_eq!(ask(&server, "/x", Some("two:wrong")).status, 401);
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    }
}

#[test]
fn what_a_handler_accepts_httpd_is_not_asked_about() {
    let server = site(Mpm::OneChild)
        .config(
            section("/declines", "PythonAuthenHandler who\nPythonAuthzHandler who").replace("valid-user", "user two"),
        )
        .start();
    // Alone, mod_authz_core would let in `two` only.
    assert_eq!(ask(&server, "/declines", Some("one:right")).status, 200);
    assert_eq!(ask(&server, "/declines", Some("httpd:httpd")).status, 401);
}

#[test]
fn ok_without_a_user_is_an_error() {
    let server = site(Mpm::OneChild).config(section("/x", "PythonAuthenHandler who::nobody")).start();
    for user in [None, Some("one:right")] {
        server.forget_log();
        assert_eq!(ask(&server, "/x", user).status, 500);
        let entries = server.log_lines("MP04");
        assert!(entries.len() == 1 && entries[0].contains("MP0410: PythonAuthenHandler returned OK"), "{entries:?}");
        assert!(entries[0].contains("[client 127.0.0.1"), "{entries:?}");
    }
}

#[test]
fn a_question_is_httpds_unless_the_handler_has_one_of_its_own() {
    let server = site(Mpm::OneChild)
        .config(section("/basic", "PythonAuthenHandler who::question"))
        .config(section("/raised", "PythonAuthenHandler who::raised"))
        .config(section("/own", "PythonAuthenHandler who::own_question"))
        .config(section("/other", "PythonAuthenHandler who::own_question").replace("AuthType Basic", "AuthType Own"))
        .config(section("/nameless", "PythonAuthenHandler who::question").replace("AuthName", "#"))
        .config(section("/nameless-own", "PythonAuthenHandler who::own_question").replace("AuthName", "#"))
        .start();
    for path in ["/basic", "/raised"] {
        assert_eq!(question(&ask(&server, path, None)), ["Basic realm=\"the realm\""], "{path}");
    }
    for path in ["/own", "/other", "/nameless-own"] {
        let response = ask(&server, path, None);
        assert_eq!((response.status, question(&response)), (401, vec!["Bearer realm=\"own\""]), "{path}");
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    // No client could do anything with it.
    assert_eq!(ask(&server, "/nameless", None).status, 500);
    let entries = server.log_lines("MP04");
    assert!(entries.len() == 1 && entries[0].contains("MP0409: ") && entries[0].contains("AuthName"), "{entries:?}");
}

#[test]
fn basic_needs_no_module_of_httpds() {
    let server = site(Mpm::OneChild)
        .without_module("auth_basic")
        .without_module("authn_file")
        .config(section("/python", "PythonAuthenHandler who").replace("AuthUserFile", "#"))
        .start();
    assert_eq!(question(&ask(&server, "/python", None)), ["Basic realm=\"the realm\""]);
    assert_eq!(ask(&server, "/python", Some("one:right")).text(), "one by Basic");
    // Nobody else is there to be asked.
    assert_eq!(ask(&server, "/python", Some("httpd:httpd")).status, 500);
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

#[test]
fn without_require_or_authtype_it_runs_all_the_same() {
    let server = site(Mpm::OneChild)
        .config(
            r#"
            <Directory "${HTDOCS}">
                PythonAuthenHandler who::set_user
                PythonAuthzHandler who
            </Directory>
            <Location /open>
                Require all granted
            </Location>
            <Location /users>
                Require valid-user
            </Location>
            "#,
        )
        .start();
    // Who is let in without a name is not asked for one.
    assert_eq!(ask(&server, "/open/x", None).text(), "None by None");
    assert_eq!(ask(&server, "/users/x", None).text(), "anybody by None", "{}", server.log());
}

#[test]
fn credentials_of_any_bytes_are_read() {
    let server = site(Mpm::OneChild)
        .config(section("/bytes", "PythonAuthenHandler who::set_user\nPythonHandler who::kept"))
        .start();
    let kept = |value: &[u8]| {
        let response = server.request("GET", "/bytes").header("Authorization", value).send();
        assert_eq!(response.status, 200, "{}", server.log());
        response.text()
    };
    assert_eq!(kept(basic("üser:pässword").as_bytes()), r"'Ã¼ser' 'pÃ¤ssword' 'Basic'");
    assert_eq!(kept(basic(b"\xfcser:p\xe4ss\xff").as_bytes()), "'üser' 'pässÿ' 'Basic'");
    assert_eq!(kept(basic("no colon").as_bytes()), "'no colon' '' 'Basic'");
    assert_eq!(kept(basic(":nameless").as_bytes()), "'' 'nameless' 'Basic'");
    assert_eq!(kept(basic("a:b:c").as_bytes()), "'a' 'b:c' 'Basic'");
    // What is no Basic credentials at all leaves the user that was set.
    for garbage in [&b"Basic"[..], b"Basic ", b"Bearer x", b"\xff\xfe", b"Basic \xff\xff", b"Basic ====", b","] {
        let text = kept(garbage);
        assert!(text.starts_with("'anybody' None") || text.starts_with("''"), "{garbage:?}: {text}");
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
}

#[test]
fn garbage_is_no_way_in() {
    let server = site(Mpm::Worker).children(1).config(section("/x", "PythonAuthenHandler who")).start();
    let children = server.child_pids();
    let values: [&[u8]; 9] = [
        b"Basic",
        b"Basic ",
        b"Bearer x",
        b"\xff\xfe",
        b"Basic \xff\xff",
        b"Basic ====",
        b",",
        b"Digest username=\"one\"",
        b"Basic b25l",
    ];
    for garbage in values {
        let response = server.request("GET", "/x").header("Authorization", garbage).send();
        assert_eq!(response.status, 401, "{garbage:?}");
        assert_eq!(question(&response), ["Basic realm=\"the realm\""], "{garbage:?}");
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    assert_eq!(server.child_pids(), children);
}
