"""Has C code call back into Python by GILState, and says when a callback does not run in the interpreter of its caller."""

import ctypes
import sqlite3
import sys as sys_here
import threading
import who

from mod_python import apache

here = who
Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
state = threading.local()


def check():
    """A function's globals are its own wherever it runs; an import looks into the modules of the interpreter that runs it."""
    import who
    state.calls = getattr(state, "calls", 0) + 1
    if who is not here:
        raise RuntimeError("ran in another interpreter than " + apache.interpreter)


def counted(work):
    state.calls = 0
    work()
    assert state.calls > 0, "it was never called back"


def sqlite():
    def double(n):
        check()
        return 2 * n

    class Total:
        def __init__(self):
            check()
            self.total = 0

        def step(self, n):
            check()
            self.total += n

        def finalize(self):
            check()
            return self.total

    database = sqlite3.connect(":memory:")
    database.create_function("double", 1, double)
    database.create_aggregate("total_of", 1, Total)
    database.create_collation("backwards", lambda a, b: check() or (a < b) - (a > b))
    database.set_authorizer(lambda *arguments: check() or sqlite3.SQLITE_OK)
    database.set_progress_handler(check, 1)
    database.set_trace_callback(lambda statement: check())
    rows = [(n,) for n in range(20)]
    database.execute("create table t (n integer)")
    database.executemany("insert into t values (?)", rows)
    assert database.execute("select sum(double(n)), total_of(n) from t").fetchone() == (380, 190)
    names = database.execute("select cast(n as text) as name from t order by name collate backwards").fetchall()
    assert names == sorted(((str(n),) for n, in rows), reverse=True), names
    database.close()


def sort(library):
    def compare(a, b):
        check()
        return a[0] - b[0]

    numbers = (ctypes.c_int * 40)(*(n * 7 % 40 for n in range(40)))
    library(None).qsort(numbers, len(numbers), ctypes.sizeof(ctypes.c_int), Compare(compare))
    assert list(numbers) == list(range(40)), list(numbers)


def cdll():
    sort(ctypes.CDLL)


def pydll():
    sort(ctypes.PyDLL)


def thread():
    """A thread of Python's own has a thread state that httpd's threads know nothing of."""
    failures = []

    def run():
        try:
            for work in (sqlite, cdll, pydll):
                counted(work)
        except BaseException as failure:
            failures.append(failure)

    started = threading.Thread(target=run)
    started.start()
    started.join()
    if failures:
        raise failures[0]


def foreign():
    """A thread that C starts belongs to no interpreter, so that Python takes the main one."""
    seen = []

    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    def run(argument):
        import sys
        seen.append("here" if sys is sys_here else "elsewhere")

    pthread = ctypes.CDLL(None)
    started = ctypes.c_ulong()
    assert pthread.pthread_create(ctypes.byref(started), None, run, None) == 0
    pthread.pthread_join(started, None)
    return seen[0]


def tells_foreign(req):
    return who.tell(req, foreign=foreign())


def everything():
    for work in (sqlite, cdll, pydll):
        counted(work)
    thread()


def handler(req):
    everything()
    return who.tell(req)


def write_and_sort(req):
    """Writes from within callbacks: what filters do meanwhile must not change whose callbacks these are."""
    def write(n):
        check()
        req.write("%d " % n)
        req.flush()
        pydll()
        return n

    database = sqlite3.connect(":memory:")
    database.create_function("write", 1, write)
    database.execute("select write(1), write(2)").fetchone()

    def compare(a, b):
        write(3)
        return 0

    numbers = (ctypes.c_int * 2)(1, 2)
    ctypes.PyDLL(None).qsort(numbers, 2, ctypes.sizeof(ctypes.c_int), Compare(compare))
    everything()


def nested(req):
    req.content_type = "text/plain"
    write_and_sort(req)
    if req.args == "thread":
        failures = []

        def run():
            try:
                write_and_sort(req)
            except BaseException as failure:
                failures.append(failure)

        started = threading.Thread(target=run)
        started.start()
        started.join()
        if failures:
            raise failures[0]
    req.write("end of " + apache.interpreter)
    return apache.OK


def outputfilter(filter):
    everything()
    piece = filter.read()
    while piece:
        filter.write(piece)
        pydll()
        piece = filter.read()
    if piece is None:
        filter.write(" through " + apache.interpreter)
        filter.close()
