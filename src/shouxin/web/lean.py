"""The way of the API's calls through Django: without sessions, people, messages and CSRF, which belong to pages.

A call carries its key and is judged by it alone (``shouxin.web.api.common.Key``); what protects the host, the
transport and the language stays. Everything that is not under ``/api/v1/``, the page about the API included, takes
the ordinary way.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.utils.module_loading import import_string

PREFIX = "/api/v1/"
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class LeanHandler(WSGIHandler):
    """Django's handler with the few middlewares of ``API_MIDDLEWARE``, none of which has hooks of its own for views."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: ARG002 - Django's signature
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        chain = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        for name in reversed(settings.API_MIDDLEWARE):
            chain = convert_exception_to_response(import_string(name)(chain))
        self._middleware_chain = chain


def two_ways(site: Wsgi) -> Wsgi:
    """Calls of the API by the lean way, all else by the site's."""
    lean = LeanHandler()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        way = lean if environ.get("PATH_INFO", "").startswith(PREFIX) else site
        return way(environ, start_response)

    return application
