"""One box for everything: customers, groups and parameters that this person sees, at most six of each."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from shouxin.parties.selectors import search_filter, with_list_columns
from shouxin.policy import load_book
from shouxin.reporting.selectors import list_group_rows
from shouxin.web.access import Visit, page
from shouxin.web.charts import group_url

HITS_MAX = 6


@page()
def show(request: HttpRequest, visit: Visit) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    customers, groups, parameters = [], [], []
    if len(text) > 1:
        found = visit.customers.filter(search_filter(text, finds_part_of_phone=visit.sees_full_phones))
        customers = list(with_list_columns(found)[:HITS_MAX])
        rows = list_group_rows(scope=visit.scope, as_of=visit.as_of)
        groups = [(row, group_url(row)) for row in rows if text in row.name or text in row.label][:HITS_MAX]
        book = load_book()
        parameters = [
            parameter
            for parameter in map(book.parameter, book)
            if text.lower() in parameter.key or text in parameter.title
        ][:HITS_MAX]
    context = {"text": text, "customers": customers, "groups": groups, "parameters": parameters}
    return render(request, "pages/search.html", context)
