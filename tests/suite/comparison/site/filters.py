"""Filters, and handlers that have something to filter."""

from mod_python import apache

kept = []


def give(filter, data):
    """Writes bytes that stay where they are: mod_python 3.5 passes on what happens to be in their place later."""
    data = data.encode() if isinstance(data, str) else data
    kept.append(data)
    filter.write(data)


def page(req):
    req.content_type = "text/plain"
    for line in range(3):
        req.write("line %d of the page\n" % line, 0)
    return apache.OK


def flushing(req):
    req.content_type = "text/plain"
    for line in range(3):
        req.write("line %d of the page\n" % line)
    return apache.OK


def with_length(req):
    req.content_type = "text/plain"
    req.set_content_length(10)
    req.write("0123456789")
    return apache.OK


def empty(req):
    return apache.OK


def not_found(req):
    return apache.HTTP_NOT_FOUND


def echo(req):
    """The request's body, as read by the method that the query names."""
    how = req.args or "read"
    data = getattr(req, how)()
    req.content_type = "text/plain"
    req.write("%s: %r %s\n" % (how, data, req.notes.get("told")))
    return apache.OK


def unread(req):
    req.content_type = "text/plain"
    req.write("nothing was read\n")
    return apache.OK


def copy(filter, change):
    piece = filter.read()
    while piece:
        give(filter, change(piece))
        piece = filter.read()
    if piece is None:
        filter.close()


def upper(filter):
    copy(filter, bytes.upper)


def same(filter):
    copy(filter, lambda piece: piece)


def doubles(filter):
    copy(filter, lambda piece: piece + piece)


def brackets(filter):
    copy(filter, lambda piece: b"<" + piece + b">")


def by_line(filter):
    line = filter.readline()
    while line:
        give(filter, b"[" + line.rstrip() + b"]\n")
        line = filter.readline()
    if line is None:
        filter.close()


def by_short_line(filter):
    line = filter.readline(6)
    while line:
        give(filter, repr(line) + "\n")
        line = filter.readline(6)
    if line is None:
        filter.close()


def by_piece(filter):
    piece = filter.read(7)
    while piece:
        give(filter, repr(piece) + "\n")
        piece = filter.read(7)
    if piece is None:
        filter.close()


def facts(filter):
    """What the filter says of itself, once."""
    req = filter.req
    if not hasattr(req, "told"):
        req.told = True
        told = [
            "name %r handler %r dir %r" % (filter.name, filter.handler, filter.dir),
            "is_input %r closed %r softspace %r" % (filter.is_input, filter.closed, filter.softspace),
            "type %s %s" % (type(filter).__name__, type(filter)),
            "req %s %s phase %r" % (type(req).__name__, req.uri, req.phase),
        ]
        filter.softspace = 5
        told.append("softspace %r" % filter.softspace)
        for line in ("filter.closed = 1", "filter.name = 'x'", "filter.is_input = 1", "filter.unknown = 1", "filter.unknown",
                     "filter.write()", "filter.write(5)", "filter.read('x')", "filter.readline('x')", "filter.softspace = 'x'"):
            try:
                exec(line)
                outcome = "done"
            except Exception as error:
                outcome = type(error).__name__
            told.append("%s: %s" % (line, outcome))
        if filter.is_input:
            # No longer than what came: the handler shows it.
            req.notes["told"] = "; ".join(told)
        else:
            give(filter, "\n".join(told) + "\n")
    same(filter)


def names(filter):
    give(filter, "names %r\n" % [name for name in dir(filter) if not name.startswith("__")])
    same(filter)


def closes_early(filter):
    give(filter, "all that there is\n")
    filter.close()


def passes_on(filter):
    filter.pass_on()


def disables(filter):
    piece = filter.read()
    if piece:
        give(filter, b"(first)" + piece)
    filter.disable()
    filter.pass_on()


def raises(filter):
    raise ValueError("the filter")


def raises_late(filter):
    piece = filter.read()
    if piece:
        give(filter, piece)
        filter.flush()
    raise ValueError("the filter, later")


def returns_status(filter):
    same(filter)
    return apache.HTTP_FORBIDDEN


def server_return(filter):
    raise apache.SERVER_RETURN(apache.OK)


def server_return_status(filter):
    same(filter)
    raise apache.SERVER_RETURN(apache.OK, 202)


def sets_header(filter):
    filter.req.headers_out["X-Filter"] = filter.name
    same(filter)


def flushes(filter):
    piece = filter.read()
    while piece:
        give(filter, piece)
        filter.flush()
        piece = filter.read()
    if piece is None:
        filter.close()


def adds_output(req):
    req.add_output_filter("upper")
    return page(req)


def adds_unknown(req):
    try:
        req.add_output_filter("not-there")
        text = "done"
    except Exception as error:
        text = type(error).__name__
    req.content_type = "text/plain"
    req.write(text + "\n")
    return apache.OK


def registers(req):
    req.register_output_filter("own", "filters::brackets")
    req.add_output_filter("own")
    return page(req)


def registers_over(req):
    """A name that httpd's own filter has."""
    req.register_output_filter("deflate", "filters::brackets")
    req.add_output_filter("deflate")
    return page(req)


def registers_input(req):
    req.register_input_filter("own-in", "filters::upper")
    req.add_input_filter("own-in")
    return echo(req)


def registers_twice(req):
    req.register_output_filter("own", "filters::upper")
    req.register_output_filter("own", "filters::brackets")
    req.add_output_filter("own")
    req.add_output_filter("own")
    return page(req)


def registers_with_folder(req):
    req.register_output_filter("own", "filters::facts", "/some/where")
    req.add_output_filter("own")
    return page(req)


class Filter:
    def __init__(self, filter):
        self.filter = filter

    def run(self, filter):
        same_one = self.filter is filter
        copy(filter, lambda piece: piece + (b"same\n" if same_one else b"another\n"))
