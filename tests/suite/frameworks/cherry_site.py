import cherrypy


class Root:
    @cherrypy.expose
    def index(self, **fields):
        return repr(sorted(fields.items()))

    @cherrypy.expose
    def hello(self, name="nobody"):
        return f"Hello {name}"

    @cherrypy.expose
    def upload(self, file):
        return f"{file.filename} {len(file.file.read())}"

    @cherrypy.expose
    def stream(self):
        return (f"{number}\n" for number in range(3000))

    stream._cp_config = {"response.stream": True}

    @cherrypy.expose
    def fail(self):
        raise ValueError("on purpose")


def setup():
    cherrypy.tree.mount(Root(), "/cherry")
