"""Connection handlers, chosen by the first line that the client sends."""

from mod_python import apache


def connectionhandler(conn):
    what = conn.readline()
    if what is None:
        return apache.OK
    if what.startswith(b"GET "):
        # Whoever wants to know whether httpd has started.
        conn.write("HTTP/1.0 404 Not Found\r\n\r\n")
        return apache.OK
    return globals()["do_" + what.decode().strip()](conn)


def do_echo(conn):
    while True:
        try:
            line = conn.readline()
        except OSError as error:
            conn.write("end: %s\n" % type(error).__name__)
            return apache.OK
        if not line:
            conn.write("end: %r\n" % (line,))
            return apache.OK
        conn.write(line)


def do_facts(conn):
    facts = ["client_ip", "local_ip", "aborted", "keepalives", "keepalive", "local_host", "remote_host", "double_reverse",
             "remote_logname"]
    for name in facts:
        conn.write("%s %r\n" % (name, getattr(conn, name)))
    conn.write("hlist %r %r %r\n" % (conn.hlist.handler, conn.hlist.directory, conn.hlist.silent))
    conn.write("server %r\n" % conn.base_server.server_hostname)
    conn.write("config %r\n" % sorted(conn.base_server.get_config().items()))
    conn.write("interpreter %r\n" % apache.interpreter)
    conn.write("notes %r\n" % dict(conn.notes))
    conn.write(b"type %s\n" % str(type(conn)).encode())
    for line in ("conn.write()", "conn.write(5)", "conn.read('x')", "conn.readline('x')", "conn.unknown", "conn.log_error()"):
        try:
            outcome = repr(eval(line))
        except Exception as error:
            outcome = type(error).__name__
        conn.write("%s: %s\n" % (line, outcome))
    return apache.OK


def do_read(conn):
    conn.write("read(3): %r\n" % conn.read(3))
    conn.write("readline(): %r\n" % conn.readline())
    conn.write("readline(2): %r\n" % conn.readline(2))
    conn.write("readline(): %r\n" % conn.readline())
    conn.write("read(-1): %r\n" % conn.read(-1))
    conn.write("at the end: %r %r\n" % (conn.read(), conn.readline()))
    return apache.OK


def do_raise(conn):
    conn.write("before\n")
    raise ValueError("the connection")


def do_none(conn):
    conn.write("returns nothing\n")


def do_server_return(conn):
    conn.write("returns by exception\n")
    raise apache.SERVER_RETURN(apache.OK)


def do_declined(conn):
    return apache.DECLINED


def do_500(conn):
    conn.write("returns 500\n")
    return apache.HTTP_INTERNAL_SERVER_ERROR


def do_bytes(conn):
    conn.write(bytes(range(256)))
    return apache.OK
