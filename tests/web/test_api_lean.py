"""The API's own way through Django, and what it remembers for a few seconds."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from shouxin.web.api import common
from shouxin.web.api.memory import ShortMemory
from shouxin.web.api_keys import revoke_client
from shouxin.wsgi import application
from tests.web.test_api import Caller, caller

__all__ = ["caller"]


def ask(
    path: str, *, host: str = "127.0.0.1", method: str = "GET", body: str = "", **headers: str
) -> tuple[int, Any, Any]:
    """One call as an application server makes it."""
    told: list[Any] = []
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": host, "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": host, "wsgi.url_scheme": "http", "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json", "wsgi.input": io.BytesIO(body.encode()), "wsgi.errors": io.StringIO(),
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }  # fmt: skip
    answer = b"".join(application(environ, lambda status, names: told.extend((status, dict(names)))))
    return int(told[0].split()[0]), told[1], answer


def hold(caller: Caller, key: str) -> tuple[int, Any, Any]:
    body = json.dumps({"facility": "HT-1", "amount": "1.00", "expires_at": "2035-01-01T00:00:00Z"})
    return ask("/api/v1/holds", method="POST", body=body, x_api_key=caller.key, idempotency_key=key)


@pytest.fixture
def open_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The end of a real request would close the test's own connection."""
    from django.core.signals import request_finished, request_started
    from django.db import close_old_connections

    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    monkeypatch.setattr(common, "_memory", ShortMemory())
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("open_connection")
def test_the_lean_way_books_and_keeps_what_protects_it(caller: Caller) -> None:
    status, headers, answer = hold(caller, "A")
    assert (status, json.loads(answer)["amount"]) == (201, "1.00")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers
    assert ask("/api/v1/ping", host="elsewhere.example")[0] == 400, "a host that is not ours"
    assert ask("/api/v1/customers")[0] == 401, "no key"
    assert ask("/api/v1/customers\0", x_api_key=caller.key)[0] == 400
    status, headers, _ = ask("/customers/")
    assert (status, headers["Location"]) == (302, "/sign-in/?next=/customers/"), "pages take the ordinary way"
    assert set(settings.API_MIDDLEWARE) < set(settings.MIDDLEWARE)


@pytest.mark.usefixtures("open_connection")
def test_a_second_booking_asks_the_database_once(caller: Caller, settings: Any, django_assert_num_queries: Any) -> None:
    settings.SHOUXIN_API_MEMORY_SECONDS = 60
    assert hold(caller, "A")[0] == 201
    with django_assert_num_queries(3):  # the ledger, between the savepoint that a test's transaction needs
        assert hold(caller, "B")[0] == 201


@pytest.mark.usefixtures("open_connection")
def test_a_revoked_key_is_believed_no_longer_than_the_setting_says(
    caller: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(common, "_memory", ShortMemory(clock=lambda: now[0]))
    settings.SHOUXIN_API_MEMORY_SECONDS = 3
    assert hold(caller, "A")[0] == 201
    revoke_client(name="核心系统")
    now[0] += 2.9
    assert hold(caller, "B")[0] == 201, "within the few seconds"
    now[0] += 0.1
    assert hold(caller, "C")[0] == 401


def test_what_is_not_found_is_asked_again(settings: Any) -> None:
    settings.SHOUXIN_API_MEMORY_SECONDS = 3
    memory, answers = ShortMemory(clock=lambda: 0.0), iter([None, "x", "y"])
    assert [memory.get("k", lambda: next(answers)) for _ in range(3)] == [None, "x", "x"]
    settings.SHOUXIN_API_MEMORY_SECONDS = 0
    assert memory.get("k", lambda: next(answers)) == "y"
