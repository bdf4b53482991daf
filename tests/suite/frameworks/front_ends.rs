//! Applications that bring a front end for mod_python, as PyPI has them: Trac, Roundup and CherryPy. Nothing of theirs is changed.

use std::path::Path;
use std::process::Command;

use super::{cookies, gils, site, text, venv::Venv};
use crate::fixture::{Server, for_each_mpm};

/// What CherryPy serves.
const CHERRY: &str = include_str!("cherry_site.py");

for_each_mpm! {
    fn cherrypy_serves_its_tree(mpm) {
        let Some(venv) = Venv::with_front_ends() else { return };
        for gil in gils() {
            let server = site(mpm, venv, gil)
                .file("lib/cherry_site.py", CHERRY)
                .config(
                    "<Location /cherry>\n    SetHandler mod_python\n    PythonHandler cherrypy._cpmodpy::handler\n    \
                     PythonOption cherrypy.setup cherry_site::setup\n</Location>",
                )
                .start();
            cherry(&server);
        }
    }

    fn trac_serves_a_project(mpm) {
        let Some(venv) = Venv::with_front_ends() else { return };
        let server = site(mpm, venv, "shared")
            .config(
                "<Location /trac>\n    SetHandler mod_python\n    PythonHandler trac.web.modpython_frontend\n    \
                 PythonOption TracEnv ${SCRATCH}/trac\n    PythonOption TracUriRoot /trac\n</Location>",
            )
            .start();
        place(&venv.root().join("trac"), &server);
        trac(&server);
    }

    fn roundup_serves_a_tracker(mpm) {
        let Some(venv) = Venv::with_front_ends() else { return };
        let server = site(mpm, venv, "shared").file("roundup", "").config(roundup_config()).start();
        place(&venv.root().join("tracker"), &server);
        roundup(&server);
    }
}

/// The class of items is the first name of the path_info: there is a file that the rest of the path comes after.
fn roundup_config() -> &'static str {
    "<Location /roundup>\n    SetHandler python-program\n    \
     PythonHandler roundup.cgi.apache\n    PythonOption TrackerHome ${SCRATCH}/tracker\n</Location>"
}

/// Copies a folder to where httpd's user may write.
#[track_caller]
fn place(folder: &Path, server: &Server) {
    let copied = Command::new("cp").arg("-r").arg(folder).arg(server.scratch()).status().expect("cp");
    let opened = Command::new("chmod").args(["-R", "a+rwX"]).arg(server.scratch()).status().expect("chmod");
    assert!(copied.success() && opened.success());
}

#[track_caller]
fn cherry(server: &Server) {
    let ok = |body: &str| (200, body.to_owned());
    assert_eq!(text(&server.get("/cherry/?a=1&b=%C3%A9")), ok("[('a', '1'), ('b', 'é')]"), "{}", server.log());
    assert_eq!(text(&server.get("/cherry/hello/World")), ok("Hello World"));
    let form = server.request("POST", "/cherry/hello").header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(text(&form.body("name=J%C3%B6rg").send()), ok("Hello Jörg"));
    let upload = server.request("POST", "/cherry/upload").header("Content-Type", "multipart/form-data; boundary=b");
    let body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";
    assert_eq!(text(&upload.body(body).send()), ok("a.txt 5"));
    let numbers: String = (0..3000).map(|number| format!("{number}\n")).collect();
    assert!(text(&server.get("/cherry/stream")) == ok(&numbers));
    assert_eq!(server.get("/cherry/nothing").status, 404);
    let failed = server.get("/cherry/fail");
    assert!(failed.status == 500 && failed.text().contains("ValueError: on purpose"), "{failed:?}\n{}", server.log());
    for (number, response) in
        (0..).zip(server.parallel(8, |number| server.request("GET", format!("/cherry/hello/{number}"))))
    {
        assert_eq!(text(&response), ok(&format!("Hello {number}")), "{}", server.log());
    }
}

#[track_caller]
fn trac(server: &Server) {
    let wiki = server.get("/trac/wiki");
    assert!(wiki.status == 200 && wiki.text().contains("Welcome to Trac"), "{wiki:?}\n{}", server.log());
    let style = server.get("/trac/chrome/common/css/trac.css");
    assert_eq!((style.status, style.header("Content-Type")), (200, Some("text/css")));
    // What an unknown user may not do, and what is not there
    assert_eq!(server.get("/trac/newticket").status, 403);
    assert_eq!(server.get("/trac/nothing").status, 404);
    let found = server.get("/trac/search?q=TracGuide&noquickjump=1");
    assert!(found.status == 200 && found.text().contains("TracGuide"), "{}", server.log());
    for response in server.parallel(8, |_| server.request("GET", "/trac/wiki/TracGuide")) {
        assert!(response.status == 200 && response.text().contains("TracAdmin"), "{}", server.log());
    }
}

#[track_caller]
fn roundup(server: &Server) {
    let ask = |request: crate::fixture::Request| request.host("tracker.test").send();
    let index = ask(server.request("GET", "/roundup/"));
    assert!(index.status == 200 && index.text().contains("List of issues"), "{index:?}\n{}", server.log());
    let form = |fields: &str| {
        let request = server.request("POST", "/roundup/").header("Referer", "http://tracker.test/roundup/");
        request.header("Content-Type", "application/x-www-form-urlencoded").body(fields).host("tracker.test")
    };
    let refused = form("@action=login&__login_name=admin&__login_password=wrong").send();
    assert!(refused.text().contains("Invalid login"), "{refused:?}\n{}", server.log());
    let entered = form("@action=login&__login_name=admin&__login_password=a-password").send();
    let cookie = cookies(&entered);
    assert!(!cookie.is_empty(), "{entered:?}\n{}", server.log());
    let mine = ask(server.request("GET", "/roundup/issue?@template=item").header("Cookie", &cookie));
    assert!(mine.status == 200 && mine.text().contains("admin"), "{mine:?}\n{}", server.log());
    let style = ask(server.request("GET", "/roundup/@@file/style.css"));
    assert_eq!((style.status, style.header("Content-Type")), (200, Some("text/css")), "{}", server.log());
    for response in server.parallel(8, |_| server.request("GET", "/roundup/issue").host("tracker.test")) {
        assert_eq!(response.status, 200, "{}", server.log());
    }
}
