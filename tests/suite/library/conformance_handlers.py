"""Small handlers that answer alike on a server and on mod_python.testing, and the requests for them."""

import json
import threading

from mod_python import apache

CASES = []  # name, method, URL behind the handler's, headers, body


def case(method="GET", url="", headers=(), body=None):
    """Add a request for a handler."""

    def add(function):
        CASES.append((function.__name__, method, url, dict(headers), body))
        return function

    return add


def shown(req, **facts):
    """Answer with facts as JSON."""
    req.content_type = "application/json"
    req.write(json.dumps(facts, sort_keys=True))
    return apache.OK


def error(call, *arguments):
    """The class of the exception that a call raises."""
    try:
        return repr(call(*arguments))
    except Exception as error:
        return type(error).__name__


@case(url="?a=1&b=%20c", headers={"X-Seen": "yes", "Accept": "text/html"})
@case("POST", "/more%20path/x?", {"Content-Type": "text/plain"}, b"body")
@case("PUT", body=b"")
@case("HEAD", "?x")
@case("PROPFIND")
@case("UNHEARD-OF")
def members(req):
    return shown(
        req,
        method=[req.method, req.method_number, req.header_only, req.protocol, req.proto_num, req.the_request],
        file=[req.path_info, req.filename.rpartition("/")[2], req.canonical_filename == req.filename, req.document_root() in req.filename, req.extension],
        uri=[req.uri, req.args, req.unparsed_uri, req.hostname],
        parsed=req.parsed_uri,
        body=[req.read_chunked, req.remaining, req.read_length, req.read_body, req.expecting_100, req.clength],
        state=[req.status, req.status_line, req.content_type, req._content_type_set, req._bytes_queued, req.bytes_sent, req.sent_bodyct, req.eos_sent],
        flags=[req.assbackwards, req.proxyreq, req.no_cache, req.no_local_copy, req.used_path_info, req.chunked],
        others=[req.user, req.ap_auth_type, req.range, req.content_encoding, req.content_languages, req.vlist_validator, req.allowed, req.allowed_methods],
        related=[req.next, req.prev, req.main],
        phase=[req.phase, req.handler],
        headers=[req.headers_in.get("x-seen"), "ACCEPT" in req.headers_in, req.headers_in.get("Host")],
        address=[req.useragent_ip, req.connection.client_ip, len(req.connection.client_addr), req.connection.local_ip, req.connection.aborted],
        remote=[req.get_remote_host(), req.get_remote_host(apache.REMOTE_NOLOOKUP, ""), req.is_https()],
        server=[req.server.server_hostname, type(req.server).__name__, req.server.is_virtual],
        auth=[req.auth_type(), req.auth_name(), req.get_basic_auth_pw()],
    )


@case()
def assigning(req):
    found = {}
    for name in ("uri", "filename", "path_info", "args", "content_type", "handler", "user", "ap_auth_type", "status_line", "canonical_filename"):
        before = getattr(req, name)
        found[name] = [error(setattr, req, name, value) for value in ("plain", b"bytes", "é", None, 3, "a\0b")]
        if before is not None:
            setattr(req, name, before)
    for name in ("status", "no_cache", "chunked", "proxyreq", "assbackwards"):
        found[name] = [error(setattr, req, name, value) for value in ("1", None, getattr(req, name))]
    for name in ("method", "hostname", "headers_in", "connection", "mtime", "phase"):
        found[name] = error(setattr, req, name, "x")
    req.status_line = "200 OK"
    req.handler = "mod_python"
    req.mine = 3
    return shown(req, mine=req.mine, other=error(lambda: req.other), **found)


@case()
def tables(req):
    table = apache.table([("A", "1"), ("a", "2"), ("B", "3")])
    table.add("b", "4")
    steps = [table.items(), table["A"], table["b"], table.get("B"), len(table), table.has_key("x"), "a" in table, repr(table)]
    table["b"] = "5"
    copied = table.copy()
    del table["A"], table["none"]
    steps += [table.items(), copied.items(), table == {"b": "5"}, table == {"B": "5"}, table != copied, table.setdefault("c"), table.setdefault("B", "x")]
    steps += [table.keys(), table.values(), list(table), list(table.iteritems()), table.popitem(), table.items()]
    table.update({"n": 3, 4: None})
    steps += [table.items(), apache.table({"x": 1}).items()]
    for call, *arguments in (
        (table.__getitem__, "none"),
        (table.__setitem__, "k", None),
        (table.__setitem__, "k", 3),
        (table.__setitem__, 3, "v"),
        (table.add, "k", "a\0b"),
        (table.__setitem__, "Ā", "v"),
        (table.get, None),
        (hash, table),
        (req.headers_out.__setitem__, "a b", "v"),
        (req.headers_out.__setitem__, "a", "v\r\nx: y"),
        (req.headers_out.__setitem__, "", "v"),
        (req.headers_out.__setitem__, "Content-Length", "x"),
        (req.err_headers_out.add, "a:", "v"),
        (table.pop if hasattr(table, "pop") else len, "x"),
    ):
        steps.append(error(call, *arguments))
    table["Ā"[:0] + "k"] = "Ā é"
    steps.append(table["k"])
    table["latin"] = b"\xe9"
    steps.append(table["latin"])
    table.clear()
    steps += [error(table.popitem), len(table), repr(table)]
    return shown(req, steps=steps)


@case("POST", body=b"one\ntwo\nthree\nlast")
def reading(req):
    steps = [req.read(2), req.readline(), req.readline(2), req.readline(), req.read(0), req.remaining, req.readlines(), req.read(), req.readline(), req.readlines()]
    return shown(req, steps=[str(step) for step in steps])


@case("POST", body=b"a\nb\n\nc")
def iterating(req):
    return shown(req, lines=[str(line) for line in req], rest=str(req.read(5)))


@case("POST", body=b"12\n345\n6\n7")
def read_some_lines(req):
    return shown(req, lines=[str(line) for line in req.readlines(6)], rest=str(req.read()))


@case("POST", body=b"dropped")
def discarding(req):
    return shown(req, result=req.discard_request_body(), rest=str(req.read()))


@case(headers={"Cookie": "a=b"})
@case("HEAD")
def writing(req):
    req.content_type = "text/plain; charset=utf-8"
    req.headers_out.add("Set-Cookie", "a=1")
    req.headers_out.add("Set-Cookie", "b=2")
    req.err_headers_out["X-Always"] = "é"
    req.write("text é\n")
    req.write(b"bytes\xff")
    req.write(bytearray(b"array"), 0)
    req.write(memoryview(b"view"))
    req.write("")
    refused = [error(req.write, value) for value in (None, 3, ["x"])]
    req.write(json.dumps([refused, req._bytes_queued, req.bytes_sent]))
    req.headers_out["X-After"] = "still there"
    return apache.OK


@case()
def nothing(req):
    return apache.OK


@case()
def too_late(req):
    req.write("begun")
    req.flush()
    req.headers_out["X-Late"] = "lost"
    req.status = 404
    req.write(f" {req.sent_bodyct}")
    return apache.OK


@case()
def status_of_its_own(req):
    req.status = 404
    req.headers_out["X-Kept"] = "yes"
    req.write("own page")
    return apache.OK


@case()
def status_line_of_its_own(req):
    req.status = 299
    req.status_line = "299 Fine"
    req.write("x")
    return apache.OK


@case()
def done(req):
    req.write("done")
    return apache.DONE


@case()
def not_found_late(req):
    req.write("kept")
    req.headers_out["X-Kept"] = "kept"
    return apache.HTTP_NOT_FOUND


@case()
def raises_late(req):
    req.write("kept")
    raise KeyError("x")


@case()
def raises_after_flush(req):
    req.write("", 1)
    req.flush()
    raise KeyError("x")


@case()
def not_found(req):
    req.write("lost", 0)
    req.headers_out["X-Lost"] = "lost"
    req.err_headers_out["X-Kept"] = "kept"
    return apache.HTTP_NOT_FOUND


@case()
def unauthorized(req):
    req.err_headers_out["WWW-Authenticate"] = 'Basic realm="x"'
    return apache.HTTP_UNAUTHORIZED


@case("DELETE")
def refused_method(req):
    req.allow_methods(["GET", "POST"], 1)
    return apache.HTTP_METHOD_NOT_ALLOWED


@case()
def redirect(req):
    req.headers_out["Location"] = "http://example.com/"
    req.headers_out["X-Lost"] = "lost"
    return apache.HTTP_MOVED_TEMPORARILY


@case()
def redirect_with_page(req):
    req.headers_out["Location"] = "http://example.com/"
    req.status = 303
    req.write("there")
    return apache.OK


@case()
def not_modified(req):
    req.headers_out["ETag"] = '"x"'
    return apache.HTTP_NOT_MODIFIED


@case()
def raises(req):
    req.write("lost", 0)
    req.headers_out["X-Lost"] = "lost"
    raise KeyError("x")


@case()
def exits(req):
    raise SystemExit(3)


@case()
def declined(req):
    req.write("lost", 0)
    return apache.DECLINED


@case()
def returns_none(req):
    req.write("lost", 0)


@case()
def returns_true(req):
    return True


@case()
def returns_a_text(req):
    return "200"


@case()
def returns_nonsense(req):
    return 17


@case()
def server_return(req):
    req.write("lost", 0)
    raise apache.SERVER_RETURN(apache.HTTP_GONE)


@case()
def server_return_done(req):
    req.write("kept")
    raise apache.SERVER_RETURN(apache.DONE, apache.HTTP_ACCEPTED)


@case()
def server_return_of_nonsense(req):
    raise apache.SERVER_RETURN((404, 404))


@case()
def content_length(req):
    req.set_content_length(4)
    req.write("four and more")
    return apache.OK


@case()
@case("HEAD")
def much(req):
    req.content_type = "text/plain"
    for _ in range(5):
        req.write("x" * 8000, 0)
    req.headers_out["X-Late"] = "lost"
    req.write(f"{req.sent_bodyct} {req._bytes_queued}")
    return apache.OK


@case()
def a_file(req):
    wrong = error(req.sendfile, "/no/such/file")
    sent = [req.sendfile("/etc/passwd", 2, 5), req.sendfile(b"/etc/passwd", 0, 1), req.sendfile("/etc/passwd") > 10]
    req.write(f"{sent} {wrong}")
    return apache.OK


@case()
def times(req):
    req.update_mtime(1700000000.9)
    req.update_mtime(5)
    req.set_last_modified()
    return shown(req, mtime=req.mtime)


@case()
def redirects_within(req):
    if req.prev is None:
        req.notes["seen"] = "yes"
        wrong = [error(req.internal_redirect, None), error(req.internal_redirect, "/a\nb")]
        req.headers_out["X-Wrong"] = " ".join(wrong)
    return apache.HTTP_FORBIDDEN


@case(headers={"Authorization": "Basic dcO8OnBhc3M6d29yZA=="})
def credentials(req):
    return shown(req, header=req.headers_in["Authorization"], password=req.get_basic_auth_pw())


@case("POST", "/info?x=1&y", {"Content-Type": "a/b", "X-Odd.Name": "1", "Authorization": "Basic eA==", "Proxy": "evil"}, b"123")
def variables(req):
    req.add_common_vars()
    common = dict(req.subprocess_env.items())
    req.add_cgi_vars()
    env = apache.build_cgi_env(req)
    names = ("HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_X_ODD_NAME", "HTTP_AUTHORIZATION", "HTTP_PROXY", "SERVER_NAME", "SERVER_ADDR", "REMOTE_ADDR", "REQUEST_SCHEME")
    own = ("GATEWAY_INTERFACE", "SERVER_PROTOCOL", "REQUEST_METHOD", "QUERY_STRING", "REQUEST_URI", "SCRIPT_NAME", "PATH_INFO")
    return shown(
        req,
        common=[common.get(name) for name in names],
        early=[common.get(name) for name in own],
        own=[req.subprocess_env.get(name) for name in own],
        python=[env.get(name) for name in (*own, "HTTP_AUTHORIZATION")],
    )


@case()
def options(req):
    req.get_options()["changed"] = "x"
    return shown(req, own=req.get_options().get("own"), changed=req.get_options().get("changed"), of_server=req.server.get_options().get("own"))


@case()
def finfo_of_a_folder(req):
    info = apache.stat("/", apache.APR_FINFO_NORM)
    none = apache.stat("/no/such/file", apache.APR_FINFO_NORM)
    return shown(
        req,
        folder=[info.fname, info.filetype, info.user, info.nlink == info[apache.FINFO_NLINK], info[apache.FINFO_FILETYPE], info.protection, info.size is not None],
        none=[none.fname, none.filetype, none.size, none.valid, none.mtime],
        wrong=[error(lambda: info[13]), error(setattr, req, "finfo", 3)],
    )


@case()
def adding(req):
    req.write("first, ")
    req.add_handler("PythonHandler", f"{__name__}::added")
    wrong = [error(req.add_handler, "PythonCleanupHandler", "a::b"), error(req.add_handler, "Nonsense", "a::b")]
    req.write(f"{wrong}, {req.hlist.handler.rpartition('::')[2]}, ")
    return apache.OK


def added(req):
    req.write(f"second, {req.hlist.handler.rpartition('::')[2]}")
    return apache.OK


@case()
def logging(req):
    wrong = [error(req.log_error, 3), error(apache.log_error, 3), error(req.register_cleanup, 3), error(apache.register_cleanup, 3)]
    wrong.append(error(apache.log_error, "x", 3, "no server"))
    req.log_error(None)
    req.log_error("a message", apache.APLOG_WARNING)
    return shown(req, wrong=wrong)


cleaned = []
all_are_done = threading.Event()


@case()
def cleanups(req):
    before = list(cleaned)
    cleaned.clear()
    all_are_done.clear()
    # The last one registered runs first, so the event comes last
    req.register_cleanup(lambda _: all_are_done.set())
    req.register_cleanup(cleaned.append, 1)
    req.register_cleanup(cleaned.append, 2)
    return shown(req, before=before)


@case()
def after_cleanups(req):
    # A client has the whole response before the request's pool goes, so its next request may overtake the cleanups
    return shown(req, done=all_are_done.wait(20), order=list(cleaned))


@case()
def queries(req):
    import _apache

    texts = ("a=1&b=2;c=3", "x=10", "a+b=%20c&%41=%c3%a9", "a==b&=c&&d", "a=%zz&b=%ff", "a=1%00b&c=2", "a=&b", "a=1\0&b=2")
    found = [[_apache.parse_qsl(text), _apache.parse_qs(text, 1), str(_apache.parse_qsl(text.encode(), 1))] for text in texts]
    return shown(req, found=found, wrong=error(_apache.parse_qs, None))


@case()
def current(req):
    import _apache

    apache.allow_methods("GET", apache.M_POST)
    return shown(req, same=_apache._current_request() is req, allowed=req.allowed, mpm=[error(apache.mpm_query, "x")])


def handler(req):
    """Call the one that the URL names."""
    found = req.uri.split("/")
    return globals()[found[2]](req)
