from django.contrib import admin
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_exempt


def hello(request, name):
    return HttpResponse(f"{name} {request.GET['q']} {reverse('echo')}")


@csrf_exempt
def echo(request):
    return HttpResponse(f"{request.POST['a']} {request.POST['b']} {request.META['CONTENT_LENGTH']}")


def fail(request):
    raise ValueError("on purpose")


def stream(request):
    return StreamingHttpResponse((f"{number}\n" for number in range(20_000)), content_type="text/plain")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("hello/<str:name>", hello),
    path("echo", echo, name="echo"),
    path("fail", fail),
    path("stream", stream),
]
