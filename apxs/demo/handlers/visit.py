from mod_python import apache, store

def handler(req):
    req.write(f"visit {store.open().incr('visits')}")
    return apache.OK
