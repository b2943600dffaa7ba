"""Turn away addresses with a NUL in them before anything reads them: no text of ours has one, no column takes one."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse


class RefuseNulMiddleware:
    """400 for a NUL in the path or the query. Form fields refuse it by themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            if request.path.startswith("/api/"):
                finding = {"code": "REQUEST_UNREADABLE", "severity": "refuse", "message": "地址中含有不允许的字符。"}
                return JsonResponse({"findings": [finding]}, status=400)
            return HttpResponseBadRequest("地址中含有不允许的字符。", content_type="text/plain; charset=utf-8")
        return self.get_response(request)
