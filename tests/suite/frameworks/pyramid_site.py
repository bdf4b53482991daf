from pyramid.config import Configurator
from pyramid.response import Response


def hello(request):
    return Response(f"{request.matchdict['name']} {request.params['q']} {request.route_path('echo')}")


def echo(request):
    return Response(f"{request.POST['a']} {request.POST['b']} {request.content_length}")


def fail(request):
    raise ValueError("on purpose")


def stream(request):
    return Response(content_type="text/plain", app_iter=(f"{number}\n".encode() for number in range(20_000)))


def make():
    with Configurator() as config:
        for view, pattern in (hello, "/hello/{name}"), (echo, "/echo"), (fail, "/fail"), (stream, "/stream"):
            config.add_route(view.__name__, pattern)
            config.add_view(view, route_name=view.__name__)
        return config.make_wsgi_app()
