//! `mod_python.testhandler`.

use crate::fixture::{Httpd, Mpm, for_each_lasting_mpm};

const CONFIG: &str = r#"
    DirectoryIndex disabled
    <Directory "${HTDOCS}/test">
        DirectorySlash Off
        SetHandler mod_python
        PythonHandler mod_python.testhandler
        PythonOption greeting "<hello>"
        PythonOption db.password hunter2
    </Directory>
"#;

for_each_lasting_mpm! {
    fn the_page_shows_what_there_is(mpm) {
        let server = Httpd::new(mpm).config(CONFIG).file("test/x", "").shared();
        let answer = server.request("GET", "/test?<script>").header("X-Evil", "<script>").header("Cookie", "pysid=abc").send();
        let page = answer.text();
        assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("text/html; charset=utf-8")), "{}", server.log());
        let pid = server.child_pids()[0];
        let parts = [
            format!("<code>{mpm_name}</code>", mpm_name = name(mpm)),
            format!("<code>{pid}, child of"),
            "Process model".into(),
            "Python interpreter name</code></td><td><code>localhost</code>".into(),
            "&lt;hello&gt;".into(),
            "&lt;script&gt;".into(),
            "PythonOption greeting".into(),
            "mod_python.psp available</code></td><td><code>Yes</code>".into(),
        ];
        for part in parts {
            assert!(page.contains(&part), "{part} is not in {page}");
        }
        for secret in ["hunter2", "pysid=abc", "<script>", "<hello>"] {
            assert!(!page.contains(secret), "{secret} is in {page}");
        }
        let threads = if mpm == Mpm::Prefork { "with one request at a time in each process" } else { "with threads" };
        assert!(page.contains(threads), "{page}");
        assert_eq!(server.request("HEAD", "/test").send().status, 200);
    }
}

fn name(mpm: Mpm) -> &'static str {
    match mpm {
        Mpm::Prefork => "prefork",
        Mpm::Worker => "worker",
        Mpm::Event | Mpm::OneChild => "event",
    }
}

#[test]
fn the_end_of_the_log_is_shown_where_it_may_be_read() {
    let server = Httpd::new(Mpm::Event).config(CONFIG).file("test/x", "").start();
    let answer = server.get("/test?view_log=1");
    match answer.status {
        200 => assert!(answer.text().contains("resuming normal operations"), "{}", answer.text()),
        status => {
            assert_eq!(status, 403);
            assert!(answer.text().contains("cannot be shown"), "{}", answer.text());
        }
    }
    assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=utf-8"));
}
