"""What every page shows around its content."""

from django.http import HttpRequest


def navigation(request: HttpRequest) -> dict[str, object]:  # noqa: ARG001
    return {}
