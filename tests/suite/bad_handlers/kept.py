"""Requests that are kept beyond their time, and used by other threads: the query names the function that is run."""

import threading

from mod_python import apache

kept, parts, told = [], {}, []
go = threading.Event()


def handler(req):
    said = globals()[req.args](req) if req.args else "fine"
    req.write(said)
    return apache.OK


def again(req):
    return apache.OK


# What does not lie in httpd's memory for the request can be read for as long as the object is there.
LASTING = ("server", "extension", "phase", "interpreter", "_bytes_queued", "_content_type_set")


def touch(thing):
    """Use all that an object has, in several ways: what it says of its time being over, and what can still be read."""
    said = set()
    for name in dir(thing) + ["keys", "args", "client_addr"]:
        if name.startswith("__") or name == "mark":
            continue
        for arguments in (), ("x",), (1,), ("x", "y"), (thing, "x"), (["x"],):
            try:
                member = getattr(thing, name)
                if callable(member):
                    member(*arguments)
                elif not (hasattr(thing, "the_request") and name in LASTING):
                    said.add("%s can be read" % name)
            except RuntimeError as error:
                said.add(str(error))
            except (AttributeError, TypeError, IndexError, KeyError, ValueError):
                pass
    for use in repr, hash, len, list, lambda thing: thing["x"], lambda thing: thing == thing:
        try:
            use(thing)
        except RuntimeError as error:
            said.add(str(error))
        except (TypeError, KeyError, IndexError):
            pass
    return "\n".join(sorted(said))


def keep(req):
    kept.append(req)
    req.mark = "kept"
    parts.update(
        headers_in=req.headers_in,
        headers_out=req.headers_out,
        environment=req.subprocess_env,
        iterator=iter(req.headers_in),
        items=req.headers_in.iteritems(),
        connection=req.connection,
        connection_notes=req.connection.notes,
        server=req.server,
        finfo=req.finfo,
        hlist=req.hlist,
        config=req.get_config(),
        write=req.write,
    )
    apache.register_cleanup(lambda data: print("at the end:", touch(data).replace("\n", "|")), req)
    return "fine"


def use(req):
    return touch(kept[0])


def use_in_thread(req):
    return in_thread(touch, kept[0])


def assign(req):
    said = []
    for name, value in ("content_type", "text/plain"), ("status", 404), ("uri", "/"), ("user", "me"):
        try:
            setattr(kept[0], name, value)
        except RuntimeError as error:
            said.append(str(error))
    return "\n".join(said)


def use_parts(req):
    for part in parts.values():
        touch(part)
    said = []
    for name in "headers_in", "headers_out", "environment", "connection_notes":
        for use in dict, len, repr, lambda table: table.add("x", "y"), lambda table: table.clear():
            try:
                said.append("%s: %r" % (name, use(parts[name])))
            except RuntimeError as error:
                said.append(str(error))
    for use in lambda: next(parts["iterator"]), lambda: next(parts["items"]), lambda: parts["write"]("x"):
        try:
            said.append(repr(use()))
        except RuntimeError as error:
            said.append(str(error))
        except StopIteration:
            pass  # an iterator that has raised is at its end
    return "\n".join(sorted(set(said)))


def lasting(req):
    """What is left of a kept request, and whether its server takes a log entry."""
    apache.log_error("on the server of a kept request", apache.APLOG_ERR, kept[0].server)
    return repr([kept[0].server.server_hostname] + [getattr(kept[0], name) for name in LASTING[1:]])


def mark(req):
    return kept[0].mark


def in_thread(function, *arguments):
    result = []
    thread = threading.Thread(target=lambda: result.append(function(*arguments)))
    thread.start()
    thread.join()
    return result[0] if result else "nothing"


def wait(req):
    in_thread(req.write, "from a thread: " + in_thread(lambda: req.uri))
    return ""


def later(req):
    def wait_and_touch():
        go.wait()
        told.append(touch(req))

    threading.Thread(target=wait_and_touch, daemon=True).start()
    return "fine"


def now(req):
    go.set()
    return "fine"


def tell(req):
    return told[0] if told else ""


def race(req):
    def hammer():
        try:
            while True:
                req.uri
                req.write("x")
        except (RuntimeError, OSError):
            pass

    threading.Thread(target=hammer, daemon=True).start()
    # The thread writes from now on, whatever becomes of the request
    while not req.bytes_sent:
        pass
    return "racing"


def lose(req):
    race(req)
    raise ValueError("lost")


def stream(req):
    begun = []
    data = b"x" * 10000000

    def write():
        try:
            while True:
                begun.append(True)
                req.write(data)
        except (RuntimeError, OSError):
            pass

    threading.Thread(target=write, daemon=True).start()
    while not begun:
        pass
    raise ValueError("in the middle of a write of another thread")
