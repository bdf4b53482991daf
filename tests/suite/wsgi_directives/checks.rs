//! Scripts that are asked about requests.

use crate::fixture::{Httpd, Mpm, for_each_mpm};

const SCRIPT: &str = r#"
import hashlib
from mod_python import apache

def note(environ, what):
    environ['wsgi.errors'].write('%s in %s: %s %s %s\n' % (
        what, apache.interpreter, environ['REQUEST_METHOD'], environ.get('SET'), 'wsgi.input' in environ))

def allow_access(environ, host):
    note(environ, 'access for %s' % host)
    return {'/no': False, '/none': None, '/wrong': 'yes'}.get(environ['SCRIPT_NAME'].replace('/folder', ''), True)

def check_password(environ, user, password):
    note(environ, 'password of %s' % user)
    if user == 'alias':
        return 'spy'
    if user == '\xc3\xbc':
        return user
    if user == 'nul':
        return 'spy\0'
    if user == 'raises':
        raise ValueError('no database')
    return password == 'secret' if user in ('spy', 'other') else None

def get_realm_hash(environ, user, realm):
    return hashlib.md5(('%s:%s:secret' % (user, realm)).encode()).hexdigest() if user == 'spy' else None

def groups_for_user(environ, user):
    note(environ, 'groups of %s' % user)
    return ['secret-agents', 'x'] if user == 'spy' else []
"#;

const SHOW: &str = "
def application(environ, start_response):
    start_response('200 OK', [])
    return [('%s %s %s' % (environ['SCRIPT_NAME'] + environ['PATH_INFO'], environ.get('REMOTE_USER'), environ.get('AUTH_TYPE'))).encode('latin-1')]
";

fn credentials(text: &str) -> &'static str {
    match text {
        "spy:secret" => "Basic c3B5OnNlY3JldA==",
        "spy:wrong" => "Basic c3B5Ondyb25n",
        "other:secret" => "Basic b3RoZXI6c2VjcmV0",
        "alias:x" => "Basic YWxpYXM6eA==",
        "nobody:x" => "Basic bm9ib2R5Ong=",
        "raises:x" => "Basic cmFpc2VzOng=",
        "\u{fc}:x" => "Basic w7w6eA==",
        "nul:x" => "Basic bnVsOng=",
        other => panic!("{other}"),
    }
}

for_each_mpm! {
    fn scripts_say_who_may_have_it(mpm) {
        let server = Httpd::new(mpm)
            .file("auth/auth.wsgi", SCRIPT)
            .file("wsgi/show.wsgi", SHOW)
            .config(
                "WSGIScriptAlias /folder ${HTDOCS}/wsgi/show.wsgi\n\
                 SetEnv SET by-httpd\n\
                 <Location /folder>\n\
                     WSGIAccessScript ${HTDOCS}/auth/auth.wsgi\n\
                 </Location>\n\
                 <Location /folder/users>\n\
                     AuthType Basic\n    AuthName x\n    AuthBasicProvider wsgi\n\
                     WSGIAuthUserScript ${HTDOCS}/auth/auth.wsgi\n    Require valid-user\n\
                 </Location>\n\
                 <Location /folder/groups>\n\
                     AuthType Basic\n    AuthName x\n    AuthBasicProvider wsgi\n\
                     WSGIAuthUserScript ${HTDOCS}/auth/auth.wsgi application-group=users\n\
                     WSGIAuthGroupScript ${HTDOCS}/auth/auth.wsgi application-group=groups\n\
                     Require wsgi-group nobodies secret-agents\n\
                 </Location>\n\
                 <Location /folder/nothing>\n\
                     AuthType Basic\n    AuthName x\n    AuthBasicProvider wsgi\n    Require valid-user\n\
                 </Location>",
            )
            .shared();
        let ask = |path: &str, who: &str| match who {
            "" => server.get(path),
            who => server.request("GET", path).header("Authorization", credentials(who)).send(),
        };
        for (path, who, status, text) in [
            ("/folder/page", "", 200, "/folder/page None None"),
            ("/folder/none", "", 200, "/folder/none None None"),
            ("/folder/no", "", 403, ""),
            ("/folder/wrong", "", 500, ""),
            ("/folder/users", "", 401, ""),
            ("/folder/users", "spy:secret", 200, "/folder/users spy Basic"),
            ("/folder/users", "spy:wrong", 401, ""),
            ("/folder/users", "nobody:x", 401, ""),
            ("/folder/users", "alias:x", 200, "/folder/users spy Basic"),
            ("/folder/users", "\u{fc}:x", 200, "/folder/users \u{fc} Basic"),
            ("/folder/users", "nul:x", 500, ""),
            ("/folder/users", "raises:x", 500, ""),
            ("/folder/groups", "spy:secret", 200, "/folder/groups spy Basic"),
            ("/folder/groups", "other:secret", 401, ""),
            ("/folder/nothing", "spy:secret", 500, ""),
        ] {
            let response = ask(path, who);
            assert_eq!(response.status, status, "{path} {who}: {}", server.log());
            assert!(text.is_empty() || response.text() == text, "{path} {who}: {}", response.text());
        }
        let log = server.log();
        for part in [
            "access for 127.0.0.1 in main_interpreter: GET None False",
            "password of spy in main_interpreter: GET None False",
            "password of spy in users: GET None False",
            "groups of spy in groups: GET None False",
            "allow_access() must return True, False or None, not an object of the class str",
            "raised ValueError: no database",
            "MP0469: 'AuthBasicProvider wsgi' has no script to ask",
        ] {
            assert!(log.contains(part), "{part} in {log}");
        }
    }
}

/// `<AuthnProviderAlias>` gives a script another name.
#[test]
fn a_script_can_be_a_provider_of_another_name() {
    let server = Httpd::new(Mpm::Event)
        .file("auth/auth.wsgi", SCRIPT)
        .file("wsgi/show.wsgi", SHOW)
        .config(
            "<AuthnProviderAlias wsgi mine>\n    WSGIAuthUserScript ${HTDOCS}/auth/auth.wsgi application-group=mine\n</AuthnProviderAlias>\n\
             WSGIScriptAlias /x ${HTDOCS}/wsgi/show.wsgi\n\
             <Location /x>\n    AuthType Basic\n    AuthName x\n    AuthBasicProvider mine\n    Require valid-user\n</Location>",
        )
        .start();
    let response = server.request("GET", "/x").header("Authorization", credentials("spy:secret")).send();
    assert_eq!((response.status, response.text().as_str()), (200, "/x spy Basic"));
    assert!(server.log().contains("password of spy in mine"), "{}", server.log());
}
