"""Planted: files by relative paths. One is there from / only, the other nowhere."""


def handler(req):
    req.content_type = "text/plain"
    name = "etc/passwd" if req.args == "root" else "nowhere.txt"
    with open(name, encoding="utf-8") as file:
        req.write(file.readline())
    return 0
