"""Nothing wrong: a cache under a lock, a store with locks of its own, a file under flock, absolute paths."""

import fcntl
import os
import sqlite3
import threading

STATE = os.environ["STATE"]
squares = {}
lock = threading.Lock()


def handler(req):
    req.content_type = "text/plain"
    return {"square": square, "store": store, "file": count}[req.uri.rpartition("/")[2]](req)


def square(req):
    number = int(req.args)
    with lock:
        if number not in squares:
            squares[number] = number * number
        answer = squares[number]
    req.write(f"{answer}\n")
    return 0


def store(req):
    database = sqlite3.connect(os.path.join(STATE, "store.sqlite"), timeout=10, isolation_level=None)
    try:
        database.execute("CREATE TABLE IF NOT EXISTS hits (n INTEGER)")
        if req.method == "PUT":
            database.executescript("BEGIN IMMEDIATE; DELETE FROM hits; INSERT INTO hits VALUES (0); COMMIT")
        elif req.method == "POST":
            database.execute("UPDATE hits SET n = n + 1")
        (number,) = database.execute("SELECT n FROM hits").fetchone()
        req.write("ok\n" if req.method == "POST" else f"{number}\n")
    finally:
        database.close()
    return 0


def count(req):
    with open(os.path.join(STATE, "count"), "a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = 0 if req.method == "PUT" else int(file.read() or 0) + (req.method == "POST")
        file.truncate(0)
        file.write(str(number))
        file.flush()
    req.write(f"{number}\n")
    return 0
