//! `AuthDigestProvider python`: a function behind httpd's own Digest authentication.

use super::with_module;
use crate::fixture::{Httpd, Mpm, Response, Server, for_each_mpm};

const USERS: &str = r#"
    from hashlib import md5
    from urllib.parse import unquote
    from mod_python import apache

    def hashed(text):
        return md5(text.encode("utf-8", "surrogateescape")).hexdigest()

    def get_realm_hash(req, user, realm):
        assert req.phase == "PythonAuthDigestProvider"
        if user == "broken":
            raise ValueError("no database")
        if user == "unknown":
            return None
        text = hashed("%s:%s:right" % (user, realm))
        return text.upper() if user == "upper" else text

    def answer(req, user, realm):
        return eval(user, {"apache": apache})

    def handler(req):
        req.write("%s by %s" % (req.user, req.ap_auth_type))
        return apache.OK

    def tool(req):
        # The test's client has no MD5 of its own.
        req.write(hashed(req.read().decode()))
        return apache.OK
"#;

fn site(mpm: Mpm) -> Httpd {
    with_module(mpm, "users", USERS).module("auth_digest").config(
        r#"
        <Location />
            SetHandler mod_python
            PythonHandler users
        </Location>
        <Location /md5>
            PythonHandler users::tool
        </Location>
        "#,
    )
}

fn section(path: &str, lines: &str) -> String {
    format!(
        "<Location {path}>\n    AuthType Digest\n    AuthName \"the realm\"\n    Require valid-user\n{lines}\n</Location>\n"
    )
}

#[track_caller]
fn md5(server: &Server, text: &str) -> String {
    let hash = server.request("POST", "/md5").body(text).send().text();
    assert_eq!(hash.len(), 32, "{hash}");
    hash
}

/// Asks once for the question, and again with the answer to it.
#[track_caller]
fn ask(server: &Server, path: &str, user: &str, password: &str) -> Response {
    let question = server.get(path);
    assert_eq!(question.status, 401);
    let question = question.header("WWW-Authenticate").expect("a question").to_owned();
    assert!(question.starts_with("Digest realm=\"the realm\""), "{question}");
    let nonce = question.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
    let secret = md5(server, &format!("{user}:the realm:{password}"));
    let what = md5(server, &format!("GET:{path}"));
    let response = md5(server, &format!("{secret}:{nonce}:00000001:abcdef:auth:{what}"));
    let answer = format!(
        "Digest username=\"{user}\", realm=\"the realm\", nonce=\"{nonce}\", uri=\"{path}\", algorithm=MD5, qop=auth, \
         nc=00000001, cnonce=\"abcdef\", response=\"{response}\""
    );
    server.request("GET", path).header("Authorization", answer).send()
}

for_each_mpm! {
    fn it_knows_the_hash_of_a_password(mpm) {
        let server = site(mpm).config(section("/x", "AuthDigestProvider python\nPythonAuthDigestProvider users")).start();
        let right = ask(&server, "/x", "one", "right");
        assert_eq!((right.status, right.text().as_str()), (200, "one by Digest"), "{}", server.log());
        assert_eq!(ask(&server, "/x", "upper", "right").status, 200, "{}", server.log());
        for (user, password) in [("one", "wrong"), ("unknown", "right")] {
            assert_eq!(ask(&server, "/x", user, password).status, 401, "{user} {password}");
        }
        assert_eq!(server.log_count("MP04"), 0, "{}", server.log());

        assert_eq!(ask(&server, "/x", "broken", "right").status, 500);
        let entries = server.log_lines("MP04");
        assert_eq!(entries.len(), 1, "{entries:?}");
        for part in ["MP0401: PythonAuthDigestProvider 'users' (", "httpd.conf:", "ValueError: no database"] {
            assert!(entries[0].contains(part), "{part} in {entries:?}");
        }
    }
}

#[test]
fn what_is_no_digest_does_not_reach_it() {
    let server = site(Mpm::Worker)
        .children(1)
        .config(section("/x", "AuthDigestProvider python\nPythonAuthDigestProvider users::answer"))
        .start();
    let children = server.child_pids();
    for garbage in
        [&b"Digest"[..], b"Digest ", b"Digest =,=,\xff", b"Digest username=\"broken", b"Basic eDp5", b"\xff\xfe"]
    {
        let response = server.request("GET", "/x").header("Authorization", garbage).send();
        assert!(matches!(response.status, 400 | 401), "{garbage:?}: {response:?}");
    }
    assert_eq!(server.log_count("MP04"), 0, "{}", server.log());
    assert_eq!(server.child_pids(), children);
}

#[test]
fn a_handler_asks_as_authtype_has_it() {
    let source = "
        from mod_python import apache
        def authenhandler(req):
            return apache.HTTP_UNAUTHORIZED
    ";
    let server =
        site(Mpm::OneChild).file("lib/asks.py", source).config(section("/x", "PythonAuthenHandler asks")).start();
    let response = server.get("/x");
    let question = response.header("WWW-Authenticate").expect("a question");
    assert!(response.status == 401 && question.starts_with("Digest realm=\"the realm\", nonce="), "{question}");
}

#[test]
fn answers_are_hashes_none_and_httpds_own() {
    let server = site(Mpm::OneChild)
        .config(section("/x", "AuthDigestProvider python\nPythonAuthDigestProvider users::answer"))
        .config(section("/unnamed", "AuthDigestProvider python"))
        .start();
    let status = |answer: &str| {
        server.forget_log();
        ask(&server, "/x", answer, "right").status
    };
    for (answer, expected) in [
        ("None", 401),
        ("apache.AUTH_USER_NOT_FOUND", 401),
        ("apache.AUTH_DENIED", 401),
        ("apache.AUTH_GENERAL_ERROR", 500),
    ] {
        assert_eq!(status(answer), expected, "{answer}");
        assert_eq!(server.log_count("MP04"), 0, "{answer}: {}", server.log());
    }
    for (answer, shown) in [
        ("True", "not True"),
        ("False", "not False"),
        ("apache.AUTH_GRANTED", "not 1"),
        ("'short'", "not an object of the class str"),
        ("'x' * 32", "not an object of the class str"),
        ("b'a' * 32", "not an object of the class bytes"),
    ] {
        assert_eq!(status(answer), 500, "{answer}");
        let entries = server.log_lines("MP04");
        assert!(entries.len() == 1 && entries[0].contains("must return the 32 hexadecimal digits"), "{entries:?}");
        assert!(entries[0].contains(shown), "{answer}: {entries:?}");
    }

    server.forget_log();
    assert_eq!(ask(&server, "/unnamed", "one", "right").status, 500);
    let entries = server.log_lines("MP04");
    assert!(entries.len() == 1 && entries[0].contains("MP0415: 'AuthDigestProvider python'"), "{entries:?}");
}
