"""Addresses that only take a form: opened in a browser they say so in words, with a way back."""

import re
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse

from shouxin.bank.models import Staff
from shouxin.facilities.models import Deal
from shouxin.web.access import visit_of

_NOT_ALLOWED: Final = 405
_PAGES: Final = re.compile(r"(_detail|_list|_credit|_overview|_version|_question|_change|^portfolio)$")
"""Names of addresses that can be opened: a part of the path above may itself be one that only takes a form."""


class FormOnlyMiddleware:
    """A browser that opens an address for forms only gets a page with a link back instead of an empty answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        is_page = request.method in {"GET", "HEAD"} and not request.path.startswith("/api/")
        if answer.status_code != _NOT_ALLOWED or not is_page:
            return answer
        shown = render(request, "405.html", {"back_url": page_above(request)}, status=_NOT_ALLOWED)
        shown.headers["Allow"] = answer.headers.get("Allow", "POST")
        return shown


def page_above(request: HttpRequest) -> str:
    """The page that the form stands on: the customer of a deal, else the nearest page further up the address."""
    match = request.resolver_match
    if match and match.url_name == "deal_act" and isinstance(request.user, Staff):
        deals = Deal.objects.filter(pk=match.kwargs["pk"], customer__in=visit_of(request).customers)
        number = deals.values_list("customer__number", flat=True).first()
        return reverse("customer_credit", args=[number]) if number else ""
    path = request.path
    while (path := path.rstrip("/").rpartition("/")[0] + "/") != "/":
        try:
            found = resolve(path)
        except Resolver404:
            continue
        if _PAGES.search(found.url_name or ""):
            return path
    return ""
