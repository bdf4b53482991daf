"""Planted: an update that is lost, and a global used as a local variable, under threads. In one thread both are right."""

import time

total = 0
current = None


def handler(req):
    req.content_type = "text/plain"
    return {"reset": reset, "add": add, "total": show, "greet": greet}[req.uri.rpartition("/")[2]](req)


def reset(req):
    global total
    total = 0
    req.write("0\n")
    return 0


def add(req):
    global total
    before = total
    time.sleep(0.005)
    total = before + 1
    req.write("added\n")
    return 0


def show(req):
    req.write(f"{total}\n")
    return 0


def greet(req):
    global current
    current = req.args
    time.sleep(0.005)
    req.write(f"hello {current}\n")
    return 0
