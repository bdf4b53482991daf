"""Planted: a number in a file, without a lock: right in any child, one after the other."""

import os
import time

FILE = os.path.join(os.environ["STATE"], "number")


def handler(req):
    req.content_type = "text/plain"
    if req.method == "PUT":
        write(0)
    elif req.method == "POST":
        number = read()
        time.sleep(0.005)
        write(number + 1)
    else:
        req.write(f"{read()}\n")
    return 0


def read():
    with open(FILE, encoding="ascii") as file:
        return int(file.read() or 0)


def write(number):
    with open(FILE, "w", encoding="ascii") as file:
        file.write(str(number))
