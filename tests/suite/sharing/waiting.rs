//! A thread that waits for another one, which waits for the request: nobody has the request's turn while Python runs.

use crate::common::who::site;
use crate::fixture::{Httpd, Mpm, for_each_mpm};

/// What the programs have in common: several threads look at a request, and all are waited for.
const LOOKS: &str = r#"
    from concurrent.futures import ThreadPoolExecutor

    from mod_python import apache

    def looked(*requests):
        """What threads of their own find in requests."""
        def look(req):
            return [req.headers_in.get("X-Name"), req.uri, req.connection.remote_ip, len(req.subprocess_env) >= 0]
        with ThreadPoolExecutor(4) as threads:
            return [found[0] for found in threads.map(look, requests * 4, timeout=20)]

    def handler(req):
        req.content_type = "text/plain"
        req.write("looked at by " + ",".join(sorted(set(looked(req)))))
        return apache.OK
"#;

fn looking(mpm: Mpm) -> Httpd {
    site(mpm).children(1).config("PythonHandler looks").file("lib/looks.py", LOOKS)
}

for_each_mpm! {
    fn a_redirect_whose_handler_waits_for_threads_that_use_both_requests(mpm) {
        let server = looking(mpm)
            .config("<Location /outer>\n    PythonHandler outer\n</Location>\n<Location /inner>\n    PythonHandler inner\n</Location>")
            .file(
                "lib/outer.py",
                "
                def handler(req):
                    req.internal_redirect('/inner')
                    return 0
                ",
            )
            .file(
                "lib/inner.py",
                "
                from looks import looked
                def handler(req):
                    req.content_type = 'text/plain'
                    req.write('|'.join(looked(req, req.prev)))
                    return 0
                ",
            )
            .start();
        for _ in 0..3 {
            let response = server.request("GET", "/outer").header("X-Name", "me").send();
            assert_eq!(response.text(), ["me"; 8].join("|"));
        }
    }

    fn a_part_of_a_page_that_waits_for_threads_that_use_the_page(mpm) {
        let server = looking(mpm)
            .config("AddOutputFilter INCLUDES .shtml\n<Files *.shtml>\n    SetHandler none\n</Files>")
            .config("<Location /part>\n    PythonHandler part\n</Location>")
            .file("page.shtml", "[<!--#include virtual=\"/part\" -->]")
            .file(
                "lib/part.py",
                "
                from looks import looked
                def handler(req):
                    req.write('|'.join(looked(req, req.main)))
                    return 0
                ",
            )
            .start();
        for _ in 0..3 {
            let response = server.request("GET", "/page.shtml").header("X-Name", "me").send();
            assert_eq!(response.text().trim(), format!("[{}]", ["me"; 8].join("|")));
        }
    }

    fn a_filter_that_waits_for_threads_that_use_its_request(mpm) {
        let server = looking(mpm)
            .config("PythonOutputFilter waits OUT\nPythonInputFilter waits IN")
            .config("<Location /out>\n    PythonHandler waits\n    SetOutputFilter OUT\n</Location>")
            .config("<Location /in>\n    PythonHandler waits\n    SetInputFilter IN\n</Location>")
            .file(
                "lib/waits.py",
                "
                from looks import looked
                def handler(req):
                    req.content_type = 'text/plain'
                    # Within either of these, the filter runs.
                    body = req.read()
                    req.write(b'read ' + body)
                    req.flush()
                    req.write(' end')
                    return 0

                def copies(filter):
                    while piece := filter.read():
                        filter.write(piece + b'<' + b','.join(sorted({name.encode() for name in looked(filter.req)})) + b'>')
                    if piece is None:
                        filter.close()
                inputfilter = outputfilter = copies
                ",
            )
            .start();
        for _ in 0..3 {
            let ask = |path| server.request("POST", path).header("X-Name", "me").body("body").send().text();
            assert_eq!(ask("/in"), "read body<me> end");
            assert_eq!(ask("/out"), "read body<me> end<me>");
        }
    }
}

/// A waits for B's request, and B for A's.
#[test]
fn two_requests_whose_filters_look_at_each_other() {
    for mpm in [Mpm::Worker, Mpm::Event] {
        let server = looking(mpm)
            .config("PythonOutputFilter pairs OUT\n<Location /pair>\n    PythonHandler pairs\n    SetOutputFilter OUT\n</Location>")
            .file(
                "lib/pairs.py",
                "
                import threading
                from mod_python import apache

                meet = threading.Barrier(2)
                requests = {}

                def handler(req):
                    req.content_type = 'text/plain'
                    name = req.headers_in['X-Name']
                    requests[name] = req
                    meet.wait(20)
                    req.write(name)
                    req.flush()
                    meet.wait(20)
                    return apache.OK

                def outputfilter(filter):
                    piece = filter.read()
                    if piece:
                        meet.wait(20)
                        other = requests['b' if piece == b'a' else 'a']
                        # Each is in the midst of its own write, and uses the other's request.
                        seen = [other.headers_in.get('X-Name') for _ in range(200)]
                        other.notes['seen by'] = piece
                        meet.wait(20)
                        filter.write(piece + b' sees ' + seen[-1].encode())
                        while piece := filter.read():
                            filter.write(piece)
                    if piece is None:
                        filter.close()
                ",
            )
            .start();
        for _ in 0..5 {
            let names = ["a", "b"];
            let responses = server.parallel(2, |index| server.request("GET", "/pair").header("X-Name", names[index]));
            let texts: Vec<_> = responses.iter().map(|response| response.text()).collect();
            assert_eq!(texts, ["a sees b", "b sees a"], "{}", server.log());
        }
    }
}
