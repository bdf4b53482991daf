//! `mod_python.Cookie` over HTTP: what is sent and what comes back, and whatever clients send.

use crate::common::checks::{passed, serving, sharing};
use crate::fixture::{Httpd, Mpm, for_each_mpm};

/// The cookies of a request, and what is sent for `?EXPRESSION`.
const SITE: &str = r#"
    from urllib.parse import unquote

    from mod_python import Cookie, apache

    SECRET = 'secret007'

    def handler(req):
        if req.args == 'sign':
            return sign(req)
        if req.args:
            arguments = eval('dict(%s)' % unquote(req.args))
            Cookie.add_cookie(req, **arguments)
        kind = getattr(Cookie, req.headers_in.get('X-Class', 'Cookie'))
        more = {} if kind is Cookie.Cookie else {'secret': SECRET, 'mismatch': int(req.headers_in.get('X-Mismatch', '0'))}
        for name, cookie in Cookie.get_cookies(req, kind, **more).items():
            found = Cookie.get_cookie(req, name, kind, **more)
            assert (type(found), str(found), found.name) == (type(cookie), str(cookie), name)
            req.write(f"{type(cookie).__name__} {name!a}={cookie.value!a}\n")
        return apache.OK

    def sign(req):
        for kind, value in ((Cookie.SignedCookie, 'eggs'), (Cookie.MarshalCookie, {'eggs': [1, None]})):
            Cookie.add_cookie(req, kind(kind.__name__, value, SECRET, path='/'))
        return apache.OK
"#;

for_each_mpm! {
    fn cookies_come_and_go(mpm) {
        let server = Httpd::new(mpm).handler("c", SITE).start();
        let response = server.get("/c?cookie='a',value='b',path='/',httponly=1,samesite='Lax',max_age=60");
        assert_eq!(response.status, 200, "{}", server.log());
        assert_eq!(response.headers.all("Set-Cookie"), ["a=b; path=/; max-age=60; samesite=Lax; httponly"]);
        assert_eq!(response.header("Cache-Control"), Some("no-cache=\"set-cookie\""));
        let response = server.request("GET", "/c").header("Cookie", "a=b; c=\"d;e\"; $Path=/; f").send();
        assert_eq!(response.text(), "Cookie 'a'='b'\nCookie 'c'='\"d;e\"'\nCookie 'f'=''\n", "{}", server.log());
        assert_eq!(server.get("/c").text(), "");
        // Any text comes back as what it was
        let response = server.get("/c?cookie='a',value='caf\\xe9\\u20ac'");
        let sent: Vec<u8> = response.headers.all("Set-Cookie").concat().chars().map(|byte| byte as u8).collect();
        assert_eq!(sent, "a=café€".as_bytes());
        let back = server.request("GET", "/c").header("Cookie", &sent).send();
        assert_eq!(back.text(), "Cookie 'a'='caf\\xe9\\u20ac'\n", "{sent:?}");
    }

    fn signatures_hold(mpm) {
        let server = Httpd::new(mpm).handler("c", SITE).start();
        let sign = server.get("/c?sign");
        let sent: Vec<String> = sign
            .headers
            .all("Set-Cookie")
            .iter()
            .filter_map(|cookie| cookie.strip_suffix("; path=/").map(String::from))
            .collect();
        assert_eq!(sent.len(), 2, "{}", server.log());
        let ask = |cookie: &str, class: &str, mismatch: &str| {
            let request = server.request("GET", "/c").header("Cookie", cookie);
            request.header("X-Class", class).header("X-Mismatch", mismatch).send()
        };
        assert_eq!(ask(&sent[0], "SignedCookie", "0").text(), "SignedCookie 'SignedCookie'='eggs'\n");
        assert_eq!(ask(&sent[1], "MarshalCookie", "0").text(), "MarshalCookie 'MarshalCookie'={'eggs': [1, None]}\n");
        for (cookie, class) in [(&sent[0], "SignedCookie"), (&sent[1], "MarshalCookie")] {
            for end in (class.len() + 1)..cookie.len() {
                let forged = &cookie[..end];
                let value = &forged[class.len() + 1..];
                assert_eq!(ask(forged, class, "0").text(), format!("Cookie '{class}'='{value}'\n"));
                assert_eq!(ask(forged, class, "1").text(), "");
            }
            let response = ask(&cookie[..cookie.len() - 1], class, "3");
            assert_eq!(response.status, 500);
            server.wait_for_log(&format!("CookieError: the signature of cookie '{class}' is wrong"), 1);
        }
        assert!(!server.log().contains("secret007"), "{}", server.log());
    }
}

#[test]
fn what_would_break_the_header_is_refused() {
    let (server, path) = sharing(
        Mpm::Event,
        r#"
        from mod_python import Cookie

        def check(req):
            for bad in ("a\r\nX-Evil: 1", "a; domain=evil.test", "a\0", "\x1f", "\x7f"):
                raises(ValueError, Cookie.add_cookie, req, "n", bad, says="semicolon or a control character")
                raises(ValueError, Cookie.add_cookie, req, bad, "v", says="cannot be the name of a cookie")
                raises(ValueError, Cookie.add_cookie, req, Cookie.Cookie("n", "v", path=bad), says="the path")
            raises(UnicodeEncodeError, Cookie.add_cookie, req, "n", "\udc80")
            assert "Set-Cookie" not in req.headers_out
        "#,
    );
    let response = server.get(&path);
    passed(&server, &response);
    assert_eq!((response.header("X-Evil"), response.header("Set-Cookie")), (None, None));
}

/// A number that is different each time, the same in each run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn whatever_clients_send_is_no_error() {
    let server = Httpd::new(Mpm::Event).handler("c", SITE).start();
    let mut state = 0x0510_2026;
    let usual = b"=;\" \\$,abc";
    for round in 0..400 {
        let length = next(&mut state) % 80;
        let cookie: Vec<u8> = (0..length)
            .map(|_| match next(&mut state) % 3 {
                0 => usual[next(&mut state) as usize % usual.len()],
                _ => match next(&mut state) as u8 {
                    // httpd refuses such a header
                    byte if byte < b' ' || byte == 0x7f => b';',
                    byte => byte,
                },
            })
            .collect();
        let class = ["Cookie", "SignedCookie", "MarshalCookie"][round % 3];
        let response = server.request("GET", "/c").header("Cookie", &cookie).header("X-Class", class).send();
        assert_eq!(response.status, 200, "{:?}: {}", String::from_utf8_lossy(&cookie), server.log());
    }
    assert_eq!(server.log_count("Traceback"), 0, "{}", server.log());
}

/// The examples of mod_python's manual, but for has_key() of a dict, which Python 3 has not.
#[test]
fn the_examples_of_mod_pythons_manual_run() {
    let server = serving(
        Mpm::Prefork,
        r#"
        import time
        from mod_python import Cookie

        def check(req):
            cookie = Cookie.Cookie('eggs', 'spam')
            cookie.expires = time.time() + 300
            Cookie.add_cookie(req, cookie)
            cookies = Cookie.get_cookies(req, Cookie.MarshalCookie, secret='secret007')
            if 'spam' in cookies:
                spamcookie = cookies['spam']
                req.headers_out['X-Raw'] = str(spamcookie)
                req.headers_out['X-Kind'] = type(spamcookie).__name__
                req.headers_out['X-Value'] = '%s=%s' % (spamcookie.name, spamcookie.value)
            else:
                value = {'egg_count': 32, 'color': 'white'}
                Cookie.add_cookie(req, Cookie.MarshalCookie('spam', value, 'secret007'))
        "#,
    )
    .start();
    let first = server.get("/t");
    passed(&server, &first);
    let cookies = first.headers.all("Set-Cookie");
    assert!(cookies.len() == 2 && cookies[0].starts_with("eggs=spam; expires="), "{cookies:?}");
    let second = server.request("GET", "/t").header("Cookie", cookies[1]).send();
    assert_eq!(second.header("X-Kind"), Some("MarshalCookie"));
    assert_eq!(second.header("X-Value"), Some("spam={'egg_count': 32, 'color': 'white'}"));
    assert_eq!(second.header("X-Raw"), Some(cookies[1]));
    let forged = cookies[1].replace("=", "=0");
    assert_eq!(server.request("GET", "/t").header("Cookie", forged).send().header("X-Kind"), Some("Cookie"));
}

#[test]
fn names_of_the_module() {
    let (server, path) = sharing(
        Mpm::Event,
        r#"
        from mod_python import Cookie

        def check(req):
            assert (Cookie.DOWNGRADE, Cookie.IGNORE, Cookie.EXCEPTION) == (0, 1, 3)
            assert (Cookie.Cookie.DOWNGRADE, Cookie.Cookie.IGNORE, Cookie.Cookie.EXCEPTION) == (0, 1, 3)
            text = str(Cookie.SignedCookie('a', 'b', 's')).removeprefix('a=')
            cookie = Cookie.SignedCookie('a', text, 's')
            assert cookie.hexdigest('b') + 'b' == text
            cookie.unsign('s')
            assert cookie.value == 'b'
            raises(Cookie.CookieError, cookie.unsign, 's', says='is wrong')
            cookie = Cookie.MarshalCookie('a', str(Cookie.MarshalCookie('a', [1], 's')).removeprefix('a='), 's')
            cookie.unmarshal('s')
            assert cookie.value == [1]
            cookie.expires = 0
            assert cookie.expires == 'Thu, 01-Jan-1970 00:00:00 GMT'
            assert Cookie.Cookie.parse('a=b')['a'].value == 'b'
            assert Cookie.get_cookies(req) == {} and Cookie.get_cookie(req, 'a') is None
            Cookie.add_cookie(req, 'a')
        "#,
    );
    passed(&server, &server.get(&path));
}
