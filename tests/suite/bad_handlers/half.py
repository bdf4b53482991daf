from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    if req.args == "buffer":
        for i in range(2000):
            req.write("0123456789abcdef", 0)
    elif req.args == "little":
        req.write("half", 0)
    elif req.args:
        if req.args == "length":
            req.set_content_length(100)
        req.write("half")
    else:
        req.write("fine")
        return apache.OK
    if req.args == "result":
        return None
    raise ValueError("half-way")
