"""``POST /api/v1/credit/{act}``: what people do on a credit file, one address an act, each once per Idempotency-Key."""

from typing import Any

from django.http import HttpRequest
from ninja import Body, Router, Schema
from ninja.responses import Status

from shouxin.web.api.common import ERRORS, Asked, Key, business_date_now, client_of, key_of, once
from shouxin.web.api.credit_acts import ACTS, carry_out

router = Router(tags=["credit file"])


class DoneOut(Schema):
    """What was written; amounts of the answer in 分."""

    act: str
    done: dict[str, Any]


def _add(name: str) -> None:
    """One address for one act, so that the schema shows what each takes."""
    act = ACTS[name]

    def call(request: HttpRequest, data: Any) -> Status[dict[str, Any]]:
        client, asked = client_of(request), data.model_dump(mode="json")

        def do() -> tuple[int, dict[str, Any]]:
            return carry_out(client.account, name, data, business_date_now())

        return once(client, key_of(request), {name: asked}, do)

    call.__annotations__["data"] = Body[act.shape]  # type: ignore[misc, name-defined]
    call.__name__ = f"credit_{name.replace('-', '_')}"
    call.__doc__ = act.shape.__doc__ if act.shape is not Asked else ""
    router.post(f"/credit/{name}", auth=Key("cases"), response={200: DoneOut, **ERRORS}, summary=act.title)(call)


for _name in ACTS:
    _add(_name)
