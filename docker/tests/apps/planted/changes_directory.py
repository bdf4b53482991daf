"""Planted: a handler that changes the current directory of its whole child, and back."""

import os


def handler(req):
    req.content_type = "text/plain"
    before = os.getcwd()
    os.chdir("/")
    try:
        with open("/etc/passwd", encoding="utf-8") as file:
            req.write(file.readline())
    finally:
        os.chdir(before)
    return 0
