//! What a filter object says and does.

use super::{got, input, logged_nothing, output, posted, route, site};
use crate::fixture::{Mpm, for_each_lasting_mpm, for_each_mpm};

const PROGRAMS: &str = r#"
    def raises(exception, call, *arguments, says=""):
        try:
            call(*arguments)
        except Exception as error:
            assert type(error) is exception and says in str(error), repr(error)
        else:
            raise AssertionError("nothing raised")

    def check_members(filter, direction):
        assert str(type(filter)) == "<class 'mp_filter'>"
        assert (filter.closed, filter.is_input) == (0, direction == "input")
        assert type(filter.closed) is int and type(filter.is_input) is int
        assert filter.name == "mixedname" and filter.handler == "f::" + direction, filter.handler
        assert filter.dir == "/" + direction, filter.dir
        assert str(type(filter.req)) == "<class 'mp_request'>" and filter.req.uri.startswith("/" + direction)
        assert filter.softspace == 0
        filter.softspace = 1
        assert filter.softspace == 1
        raises(TypeError, setattr, filter, "softspace", "a")
        for name in "closed", "name", "is_input", "handler", "dir":
            raises(AttributeError, setattr, filter, name, 1)
            raises(AttributeError, delattr, filter, name)
        for name in "req", "softspace":
            raises(AttributeError, delattr, filter, name)
        raises(AttributeError, getattr, filter, "nothing")
        raises(AttributeError, setattr, filter, "nothing", 1)
        raises(TypeError, type(filter))
        req = filter.req
        assert filter.req is req
        filter.req = None
        assert filter.req is None
        filter.req = req
        assert req.interpreter == apache.interpreter

    def check_methods(filter):
        import array
        for wrong in None, 1, 1.5, ["a"], object():
            raises(TypeError, filter.write, wrong)
        for call in filter.write, filter.flush, filter.close, filter.pass_on, filter.disable:
            raises(TypeError, call, 1, 2)
        raises(TypeError, filter.write)
        for call in filter.read, filter.readline:
            raises(TypeError, call, "a")
            raises(TypeError, call, 1, 2)
        filter.write("t\u00e9xt ")
        filter.write("")
        filter.write(b"bytes ")
        filter.write(b"")
        filter.write(bytearray(b"bytearray "))
        filter.write(memoryview(b"xviewx")[1:5])
        raises(BufferError, filter.write, memoryview(b"a_b_c_")[::2])
        filter.write(array.array("B", b" array "))

    def check_closed(filter):
        filter.close()
        assert filter.closed == 1
        filter.close()
        for call in (filter.read, filter.readline, filter.flush, filter.pass_on, lambda: filter.write("x"),
                     lambda: filter.read(1), lambda: filter.write("")):
            raises(ValueError, call, says="closed")
        raises(TypeError, filter.write, None)

    def output(filter):
        check_members(filter, "output")
        check_methods(filter)
        rest = filter.read(-1)
        filter.write(rest)
        assert filter.read() is None and filter.read(5) is None and filter.readline() is None
        filter.flush()
        check_closed(filter)

    def input(filter):
        check_members(filter, "input")
        check_methods(filter)
        rest = filter.read(-1)
        filter.write(rest)
        assert filter.read() is None and filter.read(5) is None and filter.readline() is None
        filter.flush()
        check_closed(filter)

    kept = []

    def keeps(filter):
        kept.append(filter)
        same(filter)

    def afterwards(filter):
        old = kept.pop()
        assert old is not filter
        for call in (old.read, old.readline, lambda: old.write("x"), old.flush, old.close, old.pass_on, old.disable):
            raises(RuntimeError, call, says="the filter is no longer valid")
        for name in "closed", "name", "handler", "dir":
            raises(RuntimeError, getattr, old, name, says="no longer valid")
        assert old.is_input == 0 and old.softspace == 0
        raises(RuntimeError, getattr, old.req, "uri", says="no longer valid")
        same(filter)

    calls = []

    def every_call(filter):
        """Each call has a filter object of its own, and the same request."""
        calls.append((filter, filter.req))
        filter.write(b"%d:" % len(calls))
        filter.write(filter.read(2) or b"")
        assert len({id(each) for each, _ in calls}) == len(calls) and len({id(req) for _, req in calls}) == 1

    def other_threads(filter):
        """Another thread may use it during the call."""
        import threading
        data = []
        thread = threading.Thread(target=lambda: data.append(filter.read(-1)))
        thread.start()
        thread.join()
        thread = threading.Thread(target=lambda: filter.write(b"thread " + data[0]))
        thread.start()
        thread.join()
        assert filter.read() is None
"#;

for_each_mpm! {
    fn members_and_methods(mpm) {
        let httpd = route(site(mpm, PROGRAMS), "output", "PythonOutputFilter f::output MixedName\nSetOutputFilter MixedName");
        let httpd = route(httpd, "input", "PythonInputFilter f::input MixedName\nSetInputFilter MixedName");
        let server = output(httpd, &["other_threads"]).start();
        let written = "téxt bytes bytearray view array ";
        assert_eq!(got(&server, "/output/doc.txt"), format!("{written}Hello, world!"));
        assert_eq!(posted(&server, "/input/echo", "the body"), format!("{written}the body"));
        assert_eq!(got(&server, "/other_threads/doc.txt"), "thread Hello, world!");
        logged_nothing(&server);
    }
}

for_each_lasting_mpm! {
    fn a_filter_object_is_good_for_one_call(mpm) {
        let server = output(site(mpm, PROGRAMS), &["keeps", "afterwards", "every_call"]).children(1).start();
        assert_eq!(got(&server, "/keeps/doc.txt"), "Hello, world!");
        assert_eq!(got(&server, "/afterwards/doc.txt"), "Hello, world!");
        // The last call finds the end.
        assert_eq!(got(&server, "/every_call/doc.txt"), "1:He2:ll3:o,4: w5:or6:ld7:!8:");
        logged_nothing(&server);
    }
}

/// What `read` and `readline` give, for a text that comes in one piece, in both directions.
const READS: &str = r#"
    def take(filter, *calls):
        found = []
        for name, *sizes in calls:
            found.append(getattr(filter, name)(*sizes))
        assert filter.read() is None
        filter.write(repr(found))

    def read(filter):
        take(filter, ["read"])

    def read_all(filter):
        take(filter, ["read", -1])

    def read_none(filter):
        take(filter, ["read", 0], ["readline", 0], ["read", -5])

    def read_sizes(filter):
        take(filter, ["read", 1], ["read", 2], ["read", 10 ** 9], ["read", 3])

    def read_huge(filter):
        try:
            filter.read(10 ** 30)
        except OverflowError:
            take(filter, ["read", 2 ** 62])

    def lines(filter):
        take(filter, *[["readline"]] * 4)

    def line_sizes(filter):
        take(filter, ["readline", 2], ["readline", 100], ["readline", 3], ["readline", -1], ["read", 1], ["readline"])
"#;

#[test]
fn reading_gives_what_was_asked_for() {
    let names = ["read", "read_all", "read_none", "read_sizes", "read_huge", "lines", "line_sizes"];
    let text = "one\n\ntwo\nlast";
    let expected = [
        r"[b'one\n\ntwo\nlast']",
        r"[b'one\n\ntwo\nlast']",
        r"[b'', b'', b'one\n\ntwo\nlast']",
        r"[b'o', b'ne', b'\n\ntwo\nlast', None]",
        r"[b'one\n\ntwo\nlast']",
        r"[b'one\n', b'\n', b'two\n', b'last']",
        r"[b'on', b'e\n', b'\n', b'two\n', b'l', b'ast']",
    ];
    let server = output(site(Mpm::Event, READS), &names).binary_file("docs/text.txt", text).start();
    for (name, expected) in names.iter().zip(expected) {
        assert_eq!(got(&server, &format!("/{name}/text.txt")), expected, "{name}");
    }
    let server = input(site(Mpm::Event, READS), &names).start();
    for (name, expected) in names.iter().zip(expected) {
        assert_eq!(posted(&server, &format!("/{name}/echo"), text), expected, "{name}");
        // What has come is not kept back for what is still to come, unless a whole line or all is asked for.
        if !["read", "read_sizes", "read_huge"].contains(name) {
            let chunks = text.bytes().map(|byte| [byte]);
            let response = server.request("POST", format!("/{name}/echo")).chunked(chunks).send();
            assert_eq!(response.text(), expected, "{name} in chunks");
        }
    }
    logged_nothing(&server);
}
