"""A request in the hands of many threads: the serving one, some of the handler's, and some that it leaves behind.

Each takes one random step after the other, over every object and method. What a step finds must be right: a wrong value is noted,
and the client finds it in the response. A thread that is left behind ends when it is told that the request is over.
"""

import itertools
import random
import threading
import traceback

from mod_python import apache

LINE = 16
wrong = []
ended = itertools.count()


def right(is_right, *what):
    if not is_right:
        raise AssertionError(repr(what))


class Shared:
    """What the threads of one request know of it."""

    def __init__(self, req):
        self.req = req
        self.name = req.headers_in["X-Name"]
        self.uri = req.uri
        self.lock = threading.Lock()
        self.lines = []
        self.cleanups = []
        self.server = req.server
        self.environment = None


class Steps:
    """The steps of one thread."""

    def __init__(self, shared, number, seed):
        self.shared, self.req, self.number = shared, shared.req, number
        self.random = random.Random(seed)
        self.count = 0
        self.key = "X-Of-%d" % number
        self.all = [getattr(self, name) for name in dir(self) if name.startswith("step_")]

    def take(self):
        self.count += 1
        try:
            self.random.choice(self.all)()
        except RuntimeError as error:
            # As a dict says it.
            if "changed size during iteration" not in str(error):
                raise

    # ---- members

    def step_members(self):
        req, name = self.req, self.shared.name
        right(req.uri == self.shared.uri, req.uri)
        right(req.method == "POST" and req.protocol == "HTTP/1.1", req.method, req.protocol)
        right(req.the_request == "POST %s HTTP/1.1" % req.unparsed_uri, req.the_request)
        right(req.hostname == req.headers_in["Host"], req.hostname)
        right(name in req.args, req.args)
        right(req.parsed_uri[6] == req.uri, req.parsed_uri)
        right(req.interpreter == apache.interpreter, req.interpreter)
        right(req.main is None and req.next is None and req.prev is None, "related")

    def step_all_members(self):
        for name in dir(self.req):
            if not name.startswith("__"):
                getattr(self.req, name)

    def step_assign(self):
        req = self.req
        req.user = "user"
        right(req.user == "user", req.user)
        req.content_type = "text/plain"
        right(req.content_type == "text/plain", req.content_type)
        req.uri = req.uri
        req.filename = req.filename
        req.finfo = req.finfo
        req.no_cache = 0

    def step_attributes(self):
        setattr(self.req, "of_%d" % self.number, self.count)
        right(getattr(self.req, "of_%d" % self.number) == self.count)
        right(self.req == self.req and hash(self.req) == hash(self.req) and "mp_request" in repr(self.req))

    # ---- tables

    def step_headers_in(self):
        table = self.req.headers_in
        right(table["X-Name"] == self.shared.name, table)
        right(dict(table.items())["X-Name"] == self.shared.name)
        right("x-name" in table and len(table) >= 3 and self.shared.name in table.values())
        right(table.copy()["x-NAME"] == self.shared.name)

    def step_own_entries(self):
        environment = self.req.subprocess_env
        for table in (self.req.notes, environment, self.req.headers_out, self.req.connection.notes):
            value = "%s-%d" % (self.shared.name, self.count)
            table[self.key] = value
            right(table[self.key] == value, table[self.key], value)
            # httpd leaves one value of each variable when it adds its own.
            if table is not environment:
                table.add(self.key, "second")
                right(table[self.key] == [value, "second"], table[self.key])
                keys = table.keys()
                right(keys.count(self.key) == 2, keys)
            del table[self.key]
            right(self.key not in table)

    def step_iterate(self):
        found = dict(self.req.subprocess_env.iteritems())
        right(found.get("X-Fixed") == "fixed", found)

    def step_environment(self):
        self.req.add_common_vars()
        self.req.add_cgi_vars()
        environment = self.req.subprocess_env
        right(environment["SERVER_PROTOCOL"] == "HTTP/1.1", environment["SERVER_PROTOCOL"])
        right(environment["HTTP_X_NAME"] == self.shared.name, environment["HTTP_X_NAME"])
        right(apache.build_cgi_env(self.req)["REQUEST_METHOD"] == "POST")

    def step_wsgi_environment(self):
        environment = self.req.build_wsgi_env()
        right(environment["HTTP_X_NAME"] == self.shared.name, environment)

    # ---- the body and the response

    def step_read(self):
        with self.shared.lock:
            line = self.req.readline()
            if line:
                self.shared.lines.append(line)
        right(not line or len(line) == LINE, line)

    def step_write(self):
        piece = "[%s %d %d]\n" % (self.shared.name, self.number, self.count)
        self.req.write(piece * self.random.choice((1, 1, 1, 2, 30)), self.random.choice((0, 1)))

    def step_flush(self):
        self.req.flush()

    def step_sendfile(self):
        right(self.req.sendfile(self.req.get_options()["piece"]) == len("[file]\n"))

    # ---- the rest

    def step_methods(self):
        req = self.req
        right(req.construct_url("/x").endswith("/x"), req.construct_url("/x"))
        right(req.get_remote_host(apache.REMOTE_NOLOOKUP) == "127.0.0.1")
        right(req.is_https() == 0 and req.ssl_var_lookup("HTTPS") in (None, "off", ""))
        right(req.get_config()["PythonHandler"] if "PythonHandler" in req.get_config() else True)
        right(req.get_options()["piece"])
        right(req.document_root() and req.auth_name() is None and req.auth_type() is None)
        req.get_addhandler_exts()
        req.update_mtime(1.0)
        req.allow_methods(["GET", "POST"])

    def step_log(self):
        self.req.log_error("logged by %d" % self.number, apache.APLOG_DEBUG)
        apache.log_error("logged by %d" % self.number, apache.APLOG_DEBUG, self.shared.server)
        self.req.server.log_error("logged", apache.APLOG_DEBUG) if hasattr(self.req.server, "log_error") else None

    def step_print(self):
        if self.random.random() < 0.02:
            print("printed by", self.number)

    def step_connection(self):
        connection = self.req.connection
        right(connection.remote_ip == "127.0.0.1" and connection.base_server.server_hostname, connection.remote_ip)
        right(connection.keepalives >= 0 and connection.local_addr[0] == "127.0.0.1")

    def step_server(self):
        server = self.req.server
        right(server.server_hostname and server.port >= 0 and server.timeout > 0)
        right(server.get_config() is not None and server.get_options() is not None)

    def step_hlist(self):
        hlist = self.req.hlist
        # While a filter runs after the handlers, there is none.
        handler = hlist.handler
        right(handler is None or handler.startswith("stress"), handler)
        right(hlist.is_location in (None, 0, 1) and hlist.silent in (None, 0), hlist.is_location, hlist.silent)

    def step_cleanup(self):
        self.req.register_cleanup(self.shared.cleanups.append, self.number)

    def step_add_handler(self):
        if self.random.random() < 0.05:
            self.req.add_handler("PythonLogHandler", "stress::added")

    def step_current_request(self):
        import _apache

        current = _apache._current_request()
        right(current is None or current.headers_in["X-Name"], current)


def added(req):
    right(req.headers_in["X-Name"] in req.args)
    return apache.OK


def noted(work):
    try:
        work()
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)]
        wrong.append("%r in lines %s" % (error, lines))


def work(steps, count):
    for _ in range(count):
        steps.take()


def work_until_the_end(steps):
    """For a thread that the handler leaves behind."""
    try:
        while True:
            steps.take()
    except RuntimeError as error:
        if "no longer valid" not in str(error):
            wrong.append(repr(error))
    except OSError as error:
        # The client has all of it and has gone.
        if not isinstance(error, ConnectionError):
            wrong.append(repr(error))
    finally:
        next(ended)


def handler(req):
    shared = Shared(req)
    req.content_type = "text/plain"
    req.subprocess_env["X-Fixed"] = "fixed"
    seed = req.headers_in["X-Seed"]
    count = int(req.headers_in["X-Steps"])
    threads = [
        threading.Thread(target=noted, args=(lambda steps=Steps(shared, number, seed + str(number)): work(steps, count),))
        for number in range(1, 4)
    ]
    left = [
        threading.Thread(target=noted, args=(lambda steps=Steps(shared, number, seed + str(number)): work_until_the_end(steps),), daemon=True)
        for number in range(4, 6)
    ]
    for thread in threads + left:
        thread.start()
    noted(lambda: work(Steps(shared, 0, seed), count))
    for thread in threads:
        thread.join()
    with shared.lock:
        shared.lines.extend(req.readlines())
        right(len(shared.lines) == len(set(shared.lines)) == int(req.headers_in["X-Lines"]), len(shared.lines))
    req.write("== end of %s: %d wrong %s\n" % (shared.name, len(wrong), wrong[:3]))
    return apache.OK


def outputfilter(filter):
    """A filter of the response that uses its request too."""
    name = filter.req.headers_in["X-Name"]
    while piece := filter.read():
        right(filter.req.headers_in["X-Name"] == name)
        filter.req.notes["X-Of-Filter"] = name
        filter.write(piece)
    if piece is None:
        filter.close()


def inputfilter(filter):
    while piece := filter.read():
        right(filter.req.headers_in["X-Name"])
        filter.write(piece)
    if piece is None:
        filter.close()
