//! Memory that is not there: whoever asked for it is told, and the child lives on.

use std::time::Duration;

use crate::common::who::site;
use crate::fixture::for_each_mpm;

/// What is tried with a limit of so many bytes above what the child uses.
const PROGRAM: &str = r#"
    import resource
    import _apache
    from mod_python import apache

    MUCH = 28 << 20
    # More than what the C library keeps for later when it is freed.
    LARGE = b"x" * (33 << 20)

    def used():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()

    class Limited:
        """Lets the process have no more than so many bytes beyond what it has."""
        def __init__(self, more):
            self.more = more
        def __enter__(self):
            self.before = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (used() + self.more, self.before[1]))
        def __exit__(self, *_):
            resource.setrlimit(resource.RLIMIT_AS, self.before)

    def ended(work):
        try:
            with Limited(MUCH):
                work()
        except MemoryError:
            return "MemoryError"
        return "done"

    def handler(req):
        text = LARGE.decode()
        table = apache.table()
        ways = {
            "read": lambda: req.read(),
            "read again": lambda: req.read(),
            "notes": lambda: req.notes.__setitem__("x", LARGE),
            "notes key": lambda: req.notes.add(LARGE, "x"),
            "headers_out": lambda: req.headers_out.add("X-Large", text),
            "table": lambda: table.__setitem__("x", text),
            "update": lambda: table.update({"x": LARGE}),
            "uri": lambda: setattr(req, "uri", LARGE),
            "filename": lambda: setattr(req, "filename", text),
            "content_type": lambda: setattr(req, "content_type", text),
            "user": lambda: setattr(req, "user", text),
            "status_line": lambda: setattr(req, "status_line", text),
            "log_error": lambda: req.log_error(text),
            "server log": lambda: apache.log_error(text),
            "print": lambda: print(text),
            "parse_qs": lambda: _apache.parse_qs(LARGE, 1),
            "parse_qsl": lambda: _apache.parse_qsl(text, 1),
            "construct_url": lambda: req.construct_url(text),
            "redirect": lambda: req.internal_redirect(text),
            "start_response": lambda: req.wsgi_start_response("200 OK", [("X-Large", text)]),
            "status": lambda: req.wsgi_start_response("200 " + text, []),
        }
        said = ["%s: %s" % (name, ended(way)) for name, way in ways.items()]
        # What was not read for want of memory is there when there is some.
        said.append("length: %d" % len(req.read()))
        for name in list(req.headers_out):
            del req.headers_out[name]
        req.content_type = "text/plain"
        req.write("\n".join(said))
        return apache.OK

    def short(req):
        req.write("dropped")
        return apache.OK

    def outputfilter(filter):
        if filter.read() is not None:
            return
        # More than what the C library has set aside for a thread.
        huge = LARGE * 3
        filter.write("write: %s, " % ended(lambda: filter.write(huge)))
        filter.write("again: %s" % ended(lambda: filter.write("still there")))
        filter.close()
"#;

for_each_mpm! {
    fn a_program_is_told_and_the_child_lives(mpm) {
        let server = site(mpm)
            .children(1)
            .config("PythonHandler limited\nPythonOutputFilter limited HOLDS\n<Location /filtered>\n    PythonHandler limited::short\n    SetOutputFilter HOLDS\n</Location>")
            .file("lib/limited.py", PROGRAM)
            .start();
        let children = server.child_pids();
        let body = vec![b'x'; 33 << 20];
        for _ in 0..2 {
            let text = server.request("POST", "/x").body(body.clone()).timeout(Duration::from_secs(60)).send().text();
            let said: Vec<&str> = text.lines().collect();
            assert!(said.len() > 20, "{text}\n{}", server.log());
            assert!(said.contains(&"read: MemoryError") && said.contains(&"read again: MemoryError"), "{text}");
            assert!(said.contains(&format!("length: {}", body.len()).as_str()), "{text}");
            let done: Vec<_> = said.iter().filter(|line| line.ends_with(": done")).collect();
            assert!(done.is_empty(), "{done:?}");
            assert_eq!(server.get("/filtered").text(), "write: MemoryError, still thereagain: done");
        }
        assert_eq!(server.child_pids(), children, "{}", server.log());
        assert_eq!(server.log_count("MP0102") + server.log_count("MP0401"), 0, "{}", server.log());
    }
}
