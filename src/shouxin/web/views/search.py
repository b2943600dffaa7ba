"""One box for everything: customers, groups and parameters that this person sees, at most six of each."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from shouxin.policy import load_book
from shouxin.reporting.customer_list import Filters, find_page
from shouxin.reporting.list_rows import list_rows
from shouxin.reporting.selectors import list_group_rows
from shouxin.web.access import Visit, page
from shouxin.web.charts import group_url

HITS_MAX = 6


@page()
def show(request: HttpRequest, visit: Visit) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    customers, groups, parameters = [], [], []
    if len(text) > 1:
        filters = Filters(text=text[:200], only_whole_phones=not visit.sees_full_phones)
        seen = find_page(filters, visit.customers, {}, as_of=visit.as_of, staff_id=visit.actor.pk)
        customers = list_rows(seen.ids[:HITS_MAX], as_of=visit.as_of, columns=())
        rows = list_group_rows(scope=visit.scope, as_of=visit.as_of, text=text)
        groups = [(row, group_url(row)) for row in rows][:HITS_MAX]
        book = load_book()
        parameters = [
            parameter
            for parameter in map(book.parameter, book)
            if text.lower() in parameter.key or text in parameter.title
        ][:HITS_MAX]
    context = {"text": text, "customers": customers, "groups": groups, "parameters": parameters}
    return render(request, "pages/search.html", context)
