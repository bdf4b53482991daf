from bottle import Bottle, request, response

app = Bottle()


@app.get("/hello/<name>", name="hello")
def hello(name):
    return f"{name} {request.query.q} {request.script_name}echo"


@app.post("/echo")
def echo():
    return f"{request.forms.a} {request.forms.b} {request.content_length}"


@app.get("/fail")
def fail():
    raise ValueError("on purpose")


@app.get("/stream")
def stream():
    response.content_type = "text/plain"
    for number in range(20_000):
        yield f"{number}\n"
