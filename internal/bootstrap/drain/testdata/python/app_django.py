"""Django in one file, for WSGI and ASGI."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

import jobs

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x")


def serve(request, name):
    jobs.threads[name](name)
    return HttpResponse(name)


async def serve_async(request, name):
    if name not in jobs.coroutines:
        return serve(request, name)
    jobs.spawn(jobs.coroutines[name](name))
    return HttpResponse(name)


urlpatterns = [path("<name>", serve_async if os.environ.get("ASYNC") else serve)]
asgi = get_asgi_application()
wsgi = get_wsgi_application()
