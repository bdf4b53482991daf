//! The end of a request: what the log phase sees, and when everything that cleans up runs.

use std::time::Duration;

use super::with_module;
use crate::fixture::{Httpd, Mpm, for_each_mpm, wait_until};

const END: &str = r#"
    import gc

    from mod_python import apache

    def say(req, what):
        req.log_error("SAID %s" % what, apache.APLOG_WARNING)

    def loghandler(req):
        say(req, "%s: log status=%s queued=%s sent=%s phase=%s" % (
            req.uri, req.status, req._bytes_queued, req.bytes_sent, req.phase))
        req.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlog")
        req.flush()
        return apache.OK

    def cleanuphandler(req):
        say(req, "%s: cleanup by handler, %s, %s" % (req.uri, req.phase, getattr(req, "mark", None)))
        req.register_cleanup(later, (req, "after the handler"))
        req.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")
        return apache.OK

    def later(data):
        req, text = data
        say(req, "%s: cleanup %s" % (req.uri, text))

    def handler(req):
        req.mark = "marked"
        for text in ("first", "second"):
            req.register_cleanup(later, (req, text))
        if req.args == "missing":
            return apache.HTTP_NOT_FOUND
        if req.args == "redirect":
            req.internal_redirect("/end/target")
            return apache.OK
        if req.args == "endless":
            while True:
                req.write("x" * 65536)
        if req.args == "count":
            gc.collect()
            req.write(str(sum(type(each).__name__ == "mp_request" for each in gc.get_objects())))
            return apache.OK
        if req.args == "main":
            req.register_cleanup(of_main, req)
        req.write("content, ")
        req.write("more", 0)
        return apache.OK

    def of_main(req):
        say(req, "%s is a part of %s" % (req.uri, req.main.uri))
"#;

fn site(mpm: Mpm) -> Httpd {
    with_module(mpm, "end", END)
        .config("PythonLogHandler end\nPythonCleanupHandler end")
        .config("<Location /end>\n    SetHandler mod_python\n    PythonHandler end\n</Location>")
}

/// What is said at the end of a request, in order, once `count` of it is there.
#[track_caller]
fn said(server: &crate::fixture::Server, uri: &str, count: usize) -> Vec<String> {
    let begin = format!("SAID {uri}: ");
    let entries = server.wait_for_log(&begin, count);
    entries.iter().filter_map(|entry| entry.split(&begin).nth(1)).map(str::to_owned).collect()
}

const CLEANUPS: [&str; 4] = [
    "cleanup second",
    "cleanup first",
    "cleanup by handler, PythonCleanupHandler, marked",
    "cleanup after the handler",
];

for_each_mpm! {
    fn the_log_phase_sees_the_whole_and_cleanups_follow_the_last_first(mpm) {
        let server = site(mpm).start();
        let mut connection = server.raw();
        for i in 0..3 {
            let uri = format!("/end/{i}");
            let response = connection.exchange(&server.request("GET", &uri).keep_alive());
            assert_eq!((response.status, response.text().as_str()), (200, "content, more"));
            let said = said(&server, &uri, 5);
            assert_eq!(said[0], "log status=200 queued=13 sent=13 phase=PythonLogHandler");
            assert_eq!(said[1..], CLEANUPS, "{uri}");
        }
        connection.finish_sending();
        assert_eq!(connection.read_to_end(), b"", "what is written behind the response goes nowhere");
        assert_eq!(server.log_count("MP0"), server.log_count("MP0301"), "{}", server.log());
    }

    fn a_client_that_goes_away_is_cleaned_up_after(mpm) {
        let server = site(mpm).start();
        let mut connection = server.raw();
        connection.set_timeout(Duration::from_secs(20));
        connection.send(server.request("GET", "/end/gone?endless").to_bytes());
        connection.read_bytes(100_000);
        connection.abort();
        let said = said(&server, "/end/gone", 5);
        assert!(said[0].starts_with("log status=200 queued="), "{said:?}");
        assert_eq!(said[1..], CLEANUPS);
        assert_eq!(server.log_count("MP0401"), 0, "{}", server.log());
        assert_eq!(server.get("/end/next").text(), "content, more");
    }
}

#[test]
fn an_error_page_and_a_file_have_an_end_too() {
    let server = site(Mpm::OneChild).file("file.txt", "as it is").start();
    assert_eq!(server.get("/end/x?missing").status, 404);
    let of_missing = said(&server, "/end/x", 5);
    assert!(of_missing[0].starts_with("log status=404 queued=0 sent="), "{of_missing:?}");
    assert_eq!(of_missing[1..], CLEANUPS);

    assert_eq!(server.get("/file.txt").text(), "as it is\n");
    let of_file = said(&server, "/file.txt", 3);
    assert_eq!(of_file[0], "log status=200 queued=0 sent=9 phase=PythonLogHandler");
    assert_eq!(of_file[1..], ["cleanup by handler, PythonCleanupHandler, None", "cleanup after the handler"]);
}

#[test]
fn a_redirected_request_has_an_end_of_its_own() {
    let server = site(Mpm::OneChild).start();
    assert_eq!(server.get("/end/first?redirect").text(), "content, more");
    assert_eq!(said(&server, "/end/first", 5)[1..], CLEANUPS);
    // It is not logged by itself.
    assert_eq!(said(&server, "/end/target", 4), CLEANUPS);
    assert_eq!(server.log_count("SAID /end/first: log"), 1);
}

#[test]
fn a_part_of_a_page_has_an_end_of_its_own_and_its_page_is_still_there() {
    let server = site(Mpm::OneChild)
        .children(1)
        .config("AddOutputFilter INCLUDES .shtml")
        .file("page.shtml", "[<!--#include virtual=\"/end/part?main\" -->]")
        .start();
    for turn in 1..=3 {
        assert_eq!(server.get("/page.shtml").text(), "[content, more]\n");
        let said = said(&server, "/end/part", 4 * turn);
        assert_eq!(said[said.len() - 4..], CLEANUPS);
        server.wait_for_log("SAID /end/part is a part of /page.shtml", turn);
    }
    assert_eq!(server.log_count("MP0401") + server.log_count("MP05"), 0, "{}", server.log());
    // Neither of them is left behind, though the page was asked for once more when its own end was over.
    wait_until("none but the one that counts", || server.get("/end/count?count").text() == "1");
}

#[test]
fn cleanups_alone_are_enough() {
    let source = "
        from mod_python import apache
        def cleanuphandler(req):
            req.log_error('CLEANED %s' % req.uri, apache.APLOG_WARNING)
            return apache.OK
    ";
    let server = with_module(Mpm::Prefork, "clean", source)
        .config("PythonCleanupHandler clean")
        .file("file.txt", "as it is")
        .file("not/.htaccess", "PythonCleanupHandler clean::nothing")
        .start();
    let mut connection = server.raw();
    for turn in 1..=3 {
        assert_eq!(connection.exchange(&server.request("GET", "/file.txt").keep_alive()).text(), "as it is\n");
        assert_eq!(server.wait_for_log("CLEANED /file.txt", turn).len(), turn);
    }
    drop(connection);
    server.get("/not/there");
    assert!(server.wait_for_log("MP0401", 1)[0].contains("contains no 'nothing'"), "{}", server.log());
}
