"""Planted: a login that is kept in a global."""

users = {}


def handler(req):
    req.content_type = "text/plain"
    if req.method == "POST":
        users["ada"] = "in"
        req.headers_out["Set-Cookie"] = "who=ada; Path=/"
        req.write("welcome\n")
    else:
        who = req.headers_in.get("Cookie", "").partition("=")[2]
        req.write(f"{who}: {users.get(who, 'unknown')}\n")
    return 0
