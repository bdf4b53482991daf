//! mod_python.publisher: where URLs lead, who is admitted, what functions get, how pages are loaded. The sites are those of the manual's
//! tutorial, and a wiki.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use crate::common::checks::serving;
use crate::fixture::{Httpd, Mpm, Request, Response, Server, for_each_lasting_mpm, for_each_mpm};

const CONFIG: &str = "
<Directory \"${HTDOCS}/site\">
    SetHandler mod_python
    PythonHandler mod_python.publisher
    DirectoryIndex disabled
    PythonOption wiki ${SCRATCH}/wiki
</Directory>
";

fn publishing(mpm: Mpm) -> Httpd {
    Httpd::new(mpm)
        .file("site/form.py", include_str!("form.py"))
        .file("site/hello.py", include_str!("hello.py"))
        .file("site/objects.py", include_str!("objects.py"))
        .file("site/members.py", include_str!("members.py"))
        .file("site/wiki.py", include_str!("wiki.py"))
        .file(
            "site/index.py",
            "def index(req):\n    return 'the index'\n\ndef other(req, a='b'):\n    return 'other ' + a\n",
        )
        .config(CONFIG)
}

fn text(response: &Response) -> (u16, String) {
    (response.status, response.text())
}

fn page(server: &Server, path: &str) -> (u16, String) {
    text(&server.get(&format!("/site/{path}")))
}

fn basic(request: Request, credentials: &str) -> Request {
    request.header("Authorization", format!("Basic {credentials}"))
}

// eggs:spam, joe:eoj, editor:sandbox
const EGGS: &str = "ZWdnczpzcGFt";
const JOE: &str = "am9lOmVvag==";
const EDITOR: &str = "ZWRpdG9yOnNhbmRib3g=";

for_each_lasting_mpm! {
    fn a_page_is_loaded_once_and_again_when_it_changes(mpm) {
        const COUNTED: &str = "import os, time\nfrom mod_python import apache\nwith open(os.path.join(apache.server_root(), 'scratch', 'loads'), 'a') as file:\n    file.write('WHICH\\n')\ntime.sleep(0.2)\ndef index(req):\n    return 'WHICH'\n";
        let server = publishing(mpm).children(1).file("site/counted.py", COUNTED.replace("WHICH", "one")).start();
        let loads = || fs::read_to_string(server.scratch().join("loads")).unwrap_or_default();
        for response in server.parallel(6, |_| server.request("GET", "/site/counted")) {
            assert_eq!(text(&response), (200, "one".into()), "{}", server.log());
        }
        assert_eq!(loads(), "one\n");
        server.write("site/counted.py", COUNTED.replace("WHICH", "other"));
        for response in server.parallel(6, |_| server.request("GET", "/site/counted.py")) {
            assert_eq!(text(&response), (200, "other".into()), "{}", server.log());
        }
        assert_eq!(loads(), "one\nother\n");

        server.write("site/counted.py", "def index(req):\n    return 1 +\n");
        for _ in 0..2 {
            server.forget_log();
            assert_eq!(server.get("/site/counted").status, 500);
            let log = server.wait_for_log("SyntaxError", 1);
            assert!(log[0].contains("counted.py\\\", line 2") || server.log().contains("counted.py\", line 2"), "{log:?}");
        }
        server.write("site/counted.py", "def index(req):\n    return 'mended'\n");
        assert_eq!(page(&server, "counted"), (200, "mended".into()));
        fs::remove_file(server.root().join("htdocs/site/counted.py")).expect("the page");
        assert_eq!(page(&server, "counted").0, 404);
    }
}

for_each_mpm! {
    fn functions_get_what_the_request_has(mpm) {
        let server = publishing(mpm).shared();
        for (path, expected) in [
            ("hello/say", "I am saying NOTHING"),
            ("hello/say/", "I am saying NOTHING"),
            ("hello.py/say?what=%C3%A9+x&unused=1", "I am saying é x"),
            ("hello/both?what=x&times=3", "xxx"),
            ("hello/both?what=", ""),
            ("hello/fields?a=1&b=&a=2", "a=1\nb=\na=2"),
            ("hello/where", "hello.py /where"),
            ("", "the index"),
            ("index", "the index"),
            ("index.py/other?a=x", "other x"),
            ("other?a=y", "other y"),
        ] {
            assert_eq!(page(&server, path), (200, expected.to_owned()), "{path}: {}", server.log());
        }
        let posted = server.request("POST", "/site/hello/both?times=2").body("what=%C3%A9&req=evil");
        let posted = posted.header("Content-Type", "application/x-www-form-urlencoded").send();
        assert_eq!((text(&posted), posted.header("Content-Type")), ((200, "éé".into()), Some("text/plain; charset=utf-8")));
        let upload = "--XX\r\nContent-Disposition: form-data; name=\"upload\"; filename=\"x.txt\"\r\nContent-Type: text/css\r\n\r\n\u{e9}\r\n--XX--\r\n";
        let request = server.request("POST", "/site/hello/file").header("Content-Type", "multipart/form-data; boundary=XX");
        assert_eq!(text(&request.clone().body(upload).send()), (200, "x.txt: 2 bytes, text/css".into()));
        assert_eq!(text(&request.chunked([&upload[..50], &upload[50..]]).send()), (200, "x.txt: 2 bytes, text/css".into()));
        let head = server.request("HEAD", "/site/hello/say").send();
        assert_eq!((head.status, head.header("Content-Type"), head.body.len()), (200, Some("text/plain"), 0));
        server.forget_log();
        assert_eq!(page(&server, "hello/both?times=3").0, 400);
        assert!(server.wait_for_log("MP0505", 1)[0].contains("both() needs what, which the request does not have"));
    }

    fn paths_lead_to_objects_that_are_published(mpm) {
        let server = publishing(mpm).shared();
        let children = server.child_pids();
        for (path, expected) in [
            ("menu", "the menu"),
            ("menu/breakfast", "omelette of eggs, spam"),
            ("menu/breakfast/name", "omelette"),
            ("menu.lunch/taste?with_=bread", "soup with bread"),
            ("count", "3"),
            ("nothing", ""),
        ] {
            assert_eq!(page(&server, &format!("objects/{path}")), (200, expected.to_owned()), "{path}: {}", server.log());
        }
        for path in ["os", "os/path", "os/system", "Food", "Food/taste", "Menu", "made", "made/gi_frame", "_secret", "__builtins__", "__name__",
            "menu/breakfast/_price", "menu/__class__", "menu/__init__/__globals__", "menu/breakfast/taste/im_func", "menu/breakfast/taste/__func__",
            "menu/breakfast/name/upper", "menu/breakfast/ingredients/count"]
        {
            assert_eq!(page(&server, &format!("objects/{path}")).0, 403, "{path}: {}", server.log());
        }
        for path in ["objects/none", "objects/menu/none", "objects", "objects/", "none", "none/x", "hello/%C3%A9", "hello/say%00", "objects.txt/menu",
            "../site/none", "%2e%2e/site/none", "hello/..%2findex", "members%00.py"]
        {
            assert!([400, 404].contains(&page(&server, path).0), "{path}: {}", server.log());
        }
        assert_eq!(server.log_count("Traceback"), 0, "{}", server.log());
        assert_eq!(server.child_pids(), children);
    }

    fn methods_are_get_head_and_post(mpm) {
        let server = publishing(mpm).shared();
        for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
            let response = server.request(method, "/site/hello/say").send();
            assert_eq!(response.status, 405, "{method}");
            let allowed = response.header("Allow").unwrap_or_default();
            assert!(["GET", "HEAD", "POST"].iter().all(|method| allowed.split(',').any(|known| known == *method)), "{allowed}");
        }
    }

    fn rules_admit_and_refuse(mpm) {
        let server = publishing(mpm).shared();
        let ask = |path: &str, credentials: &str| {
            let request = server.request("GET", format!("/site/members/{path}"));
            let response = if credentials.is_empty() { request.send() } else { basic(request, credentials).send() };
            (response.status, response.header("WWW-Authenticate").unwrap_or_default().to_owned())
        };
        let members = "Basic realm=\"Members only\"".to_owned();
        for (path, credentials, expected) in [
            ("", "", (401, members.clone())),
            ("", EDITOR, (401, members.clone())),
            ("", EGGS, (200, String::new())),
            ("index", JOE, (200, String::new())),
            ("sensitive", EGGS, (200, String::new())),
            ("sensitive", JOE, (401, "Basic realm=\"The kitchen\"".into())),
            ("listed", EGGS, (403, String::new())),
            ("listed", JOE, (200, String::new())),
            ("account/balance", EGGS, (403, String::new())),
            ("account/balance", JOE, (200, String::new())),
            ("account/balance", "", (401, members)),
            ("", "!!!", (400, String::new())),
        ] {
            assert_eq!(ask(path, credentials), expected, "{path} {credentials}: {}", server.log());
        }
        let digest = server.request("GET", "/site/hello/say").header("Authorization", "Digest username=\"x\"").send();
        assert_eq!(digest.status, 200);
        assert!(!server.log().contains("spam") && !server.log().contains(EGGS), "{}", server.log());
    }

    fn the_tutorials_form_sends_email(mpm) {
        let mail = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = mail.local_addr().expect("a port").port();
        let received = thread::spawn(move || receive_mail(&mail));
        let server = publishing(mpm).config(format!("PythonOption smtp_port {port}\n")).start();

        let form = server.get("/site/form");
        assert_eq!((form.status, form.header("Content-Type")), (200, Some("text/html")));
        assert!(form.text().contains("action=\"form/email\" method=\"POST\""));
        let post = |body: &str| {
            let request = server.request("POST", "/site/form/email").header("Content-Type", "application/x-www-form-urlencoded");
            request.body(body).send()
        };
        assert_eq!(text(&post("name=x&email=&comment=")).1, "A required parameter is missing, please go back and correct the error");
        assert_eq!(post("name=x").status, 400);
        let sent = post("name=Joe+Doe&email=joe%40localhost&comment=nice%0D%0Asite");
        assert_eq!((sent.status, sent.header("Content-Type")), (200, Some("text/html")), "{}", server.log());
        assert!(sent.text().contains("Dear Joe Doe,<br>"));
        let message = received.join().expect("mail");
        assert!(message.contains("From: joe@localhost\r\n") && message.contains("nice\r\nsite"), "{message}");
    }

    fn a_wiki_is_written_by_many(mpm) {
        let server = publishing(mpm).start();
        fs::create_dir(server.scratch().join("wiki")).expect("a folder");
        open_to_all(&server.scratch().join("wiki"));
        let save = |name: &str, words: &str| {
            let request = server.request("POST", "/site/wiki/save").header("Content-Type", "application/x-www-form-urlencoded");
            request.body(format!("name={name}&text={words}"))
        };
        assert_eq!(save("FrontPage", "x").send().status, 401);
        let responses = server.parallel(6, |at| basic(save("FrontPage", &format!("See+WikiName+%3C{at}%3E+%C3%A9")), EDITOR));
        for response in &responses {
            assert_eq!((response.status, response.header("Location")), (302, Some("show?name=FrontPage")), "{}", server.log());
        }
        assert_eq!(page(&server, "wiki/history?name=FrontPage").1.lines().count(), 6);
        let shown = page(&server, "wiki/show?name=FrontPage").1;
        assert!(shown.starts_with("<html><title>FrontPage</title>See <a href=\"show?name=WikiName\">WikiName</a> &lt;"), "{shown}");
        assert!(shown.ends_with("&gt; é</html>"), "{shown}");
        assert_eq!(page(&server, "wiki"), (200, "<html><title>Index</title><a href=\"show?name=FrontPage\">FrontPage</a></html>".into()));
        for name in ["../etc", "front", "FrontPage%00", ""] {
            assert_eq!(page(&server, &format!("wiki/show?name={name}")).0, 404, "{name}");
        }
        let content: Vec<u8> = (0..200_000u32).map(|at| (at % 253) as u8).collect();
        let head = "--XX\r\nContent-Disposition: form-data; name=name\r\n\r\nFrontPage\r\n--XX\r\nContent-Disposition: form-data; name=attachment; filename=\"C:\\\\x\\\\é.bin\"\r\n\r\n";
        let body = [head.as_bytes(), &content, b"\r\n--XX--\r\n"].concat();
        let attached = server.request("POST", "/site/wiki/attach").header("Content-Type", "multipart/form-data; boundary=XX").body(body).send();
        assert_eq!(text(&attached), (200, "attachment-é.bin".into()), "{}", server.log());
        assert_eq!(server.get("/site/wiki/attachment?name=FrontPage&file=%C3%A9.bin").body, content);
    }

    fn a_page_that_fails_says_so(mpm) {
        let server = publishing(mpm).config("<Directory \"${HTDOCS}/site\">\nPythonDebug On\n</Directory>\n").shared();
        for (path, says) in [
            ("hello/unhappy", "ValueError: the page is unhappy"),
            ("hello/later", "TypeError: later() is a coroutine: the publisher calls ordinary functions"),
            ("hello/one_by_one", "TypeError: one_by_one() returned a generator: return its pieces as one text"),
        ] {
            let (status, shown) = page(&server, path);
            assert_eq!(status, 500);
            assert!(shown.contains(says), "{shown}");
        }
        assert_eq!(server.log_count("never awaited"), 0, "{}", server.log());
    }
}

/// Takes one message, as an SMTP server does.
fn receive_mail(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().expect("a client");
    let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok);
    let mut message = String::new();
    stream.write_all(b"220 ready\r\n").expect("the client");
    while let Some(line) = lines.next() {
        let answer = match line.split(' ').next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n").expect("the client");
                for line in lines.by_ref().take_while(|line| line != ".") {
                    message += &format!("{line}\r\n");
                }
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 yes",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).expect("the client");
        if answer.starts_with("221") {
            break;
        }
    }
    message
}

#[test]
fn a_page_stays_with_autoreload_off() {
    let server = publishing(Mpm::Event)
        .children(1)
        .config("<Directory \"${HTDOCS}/site\">\nPythonAutoReload Off\n</Directory>\n")
        .start();
    assert_eq!(page(&server, "hello/say"), (200, "I am saying NOTHING".into()));
    server.write("site/hello.py", "def say(req):\n    return 'changed'\n");
    assert_eq!(page(&server, "hello/say"), (200, "I am saying NOTHING".into()));
    server.graceful();
    assert_eq!(page(&server, "hello/say"), (200, "changed".into()));
}

#[test]
fn suffixes_are_those_of_handlers() {
    let server = publishing(Mpm::Event)
        .config("<Directory \"${HTDOCS}/ext\">\nAddHandler mod_python .html .do\nPythonHandler mod_python.publisher\n</Directory>\n")
        .file("ext/page.py", "def index(req):\n    return 'page'\n\ndef other(req):\n    return 'other'\n")
        .file("ext/page.html", "")
        .file("ext/page.do", "")
        .start();
    for (path, expected) in [("/ext/page.html", "page"), ("/ext/page.do", "page"), ("/ext/page.html/other", "other")] {
        assert_eq!(text(&server.get(path)), (200, expected.into()), "{path}: {}", server.log());
    }
}

#[test]
fn what_a_form_lacks_or_breaks_is_the_clients_fault() {
    let server = publishing(Mpm::Event).start();
    let ask = |kind: &str, body: &str| {
        server.request("POST", "/site/hello/say").header("Content-Type", kind).body(body).send().status
    };
    assert_eq!(ask("application/json", "{}"), 501);
    assert_eq!(ask("multipart/form-data", "x"), 400);
    assert_eq!(ask("multipart/form-data; boundary=x", "x"), 400);
    assert_eq!(ask("application/x-www-form-urlencoded", "what%00=1"), 400);
    assert_eq!(server.log_count("MP050"), 4, "{}", server.log());
    assert_eq!(server.log_count("Traceback"), 0);
}

#[test]
fn the_parts_serve_other_handlers() {
    let server = serving(
        Mpm::Event,
        r#"
        import os
        from mod_python import publisher

        class Page:
            text = "text"
            def shown(self, req):
                return "shown "

        class Closed:
            __access__ = 0

        def check(req):
            path = os.path.join(os.path.dirname(__file__), "helper.py")
            with open(path, "w") as file:
                file.write("def index(req):\n    return 'index'\n")
            page = publisher.page_cache.get(path)
            assert page is publisher.page_cache[path] and page.__file__ == path
            publisher.page_cache.clear()
            assert publisher.page_cache.get(path) is not page is not publisher.PageCache().get(path)
            assert publisher.page_cache.get(path + "none") is None
            raises(KeyError, lambda: publisher.page_cache[path + "none"])

            assert publisher.resolve_object(req, Page(), "text") == "text"
            assert publisher.process_auth(req, Page()) == ("unknown", None, None)
            raises(apache.SERVER_RETURN, publisher.process_auth, req, Closed(), says="403")
            raises(apache.SERVER_RETURN, publisher.resolve_object, req, Page(), "none", says="404")
            assert publisher.tp_rules[type(os)] == (False, False) and publisher.tp_rules[type(check)] == (False, True)
            assert publisher.publish_object(req, None) is False
            req.form = None
            assert publisher.publish_object(req, Page().shown) is True and req.form.list == []
            assert callable(publisher.handler)
        "#,
    )
    .start();
    open_to_all(&server.root().join("htdocs/t"));
    let response = server.get("/t");
    assert_eq!(text(&response), (200, "shown passed".into()), "{}", server.log());
}

/// Lets handlers write into a folder.
fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("a folder of ours");
}
