import falcon


class Hello:
    def on_get(self, request, response, name):
        response.text = f"{name} {request.get_param('q', required=True)} {request.prefix.partition('localhost')[2].lstrip(':0123456789')}/echo"


class Echo:
    def on_post(self, request, response):
        form = request.get_media()
        response.text = f"{form['a']} {form['b']} {request.content_length}"


class Fail:
    def on_get(self, request, response):
        raise ValueError("on purpose")


class Stream:
    def on_get(self, request, response):
        response.content_type = falcon.MEDIA_TEXT
        response.stream = (f"{number}\n".encode() for number in range(20_000))


app = falcon.App()
app.add_route("/hello/{name}", Hello())
app.add_route("/echo", Echo())
app.add_route("/fail", Fail())
app.add_route("/stream", Stream())
