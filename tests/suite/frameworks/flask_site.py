from flask import Flask, request, url_for

app = Flask(__name__)


@app.get("/hello/<name>")
def hello(name):
    return f"{name} {request.args['q']} {url_for('echo')}"


@app.post("/echo")
def echo():
    return f"{request.form['a']} {request.form['b']} {request.content_length}"


@app.get("/fail")
def fail():
    raise ValueError("on purpose")


@app.get("/stream")
def stream():
    return (f"{number}\n" for number in range(20_000)), {"Content-Type": "text/plain"}
