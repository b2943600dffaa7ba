"""Keys of client systems: make, check, revoke. A key is shown once; the database keeps its SHA-256."""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import click

from shouxin.pg.session import database


def hash_of(key: str) -> str:
    """A key is 256 random bits, so a plain digest is enough to keep it."""
    return hashlib.sha256(key.encode()).hexdigest()


def create_client(*, name: str, username: str, scopes: Iterable[str], calls_per_minute: int = 6000) -> str:
    """Register a client system acting for a member of staff's account; returns its key.

    Raises:
        ValueError: the account or a scope does not exist, or the name is taken.
    """
    from django.db import transaction

    from shouxin.audit import services as audit
    from shouxin.bank.models import Staff
    from shouxin.bank.selectors import get_business_date
    from shouxin.web.models import ApiClient

    wanted = sorted(set(scopes))
    unknown = set(wanted) - set(ApiClient.Scope.values)
    account = Staff.objects.filter(username=username, is_active=True).first()
    if unknown or not wanted:
        allowed = "、".join(ApiClient.Scope.values)
        raise ValueError(f"权限须为 {allowed} 之一")
    if account is None:
        raise ValueError(f"没有在岗员工 {username}")
    if ApiClient.objects.filter(name=name).exists():
        raise ValueError(f"系统 {name} 已登记")
    key = f"sx_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        client = ApiClient.objects.create(
            name=name, account=account, scopes=wanted, key_hash=hash_of(key), key_hint=key[:8],
            calls_per_minute=calls_per_minute,
        )  # fmt: skip
        audit.record(
            actor=None, action="api.client.created", subject=("api_client", client.pk),
            summary=f"登记系统 {name}，服务账号 {username}，权限 {'、'.join(wanted)}",
            business_date=get_business_date(),
        )  # fmt: skip
    return key


def revoke_client(*, name: str) -> None:
    """End a client's key at once. Raises ValueError when there is no such client."""
    from django.db import transaction
    from django.utils import timezone

    from shouxin.audit import services as audit
    from shouxin.bank.selectors import get_business_date
    from shouxin.web.models import ApiClient

    with transaction.atomic():
        client = ApiClient.objects.select_for_update().filter(name=name, revoked_at__isnull=True).first()
        if client is None:
            raise ValueError(f"没有在用的系统 {name}")
        client.revoked_at = timezone.now()
        client.save(update_fields=["revoked_at"])
        audit.record(
            actor=None, action="api.client.revoked", subject=("api_client", client.pk), summary=f"停用系统 {name}",
            business_date=get_business_date(),
        )  # fmt: skip


class RateLimit:
    """How often a client may still call in this minute; counted in each process of the site on its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[int, tuple[int, int]] = {}

    def allows(self, client_id: int, most: int) -> bool:
        minute = int(time.monotonic() // 60)
        with self._lock:
            seen, count = self._counts.get(client_id, (minute, 0))
            count = count + 1 if seen == minute else 1
            self._counts[client_id] = (minute, count)
        return count <= most


@click.group("api-key")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where the private database lives.")
@click.pass_context
def api_key(context: click.Context, data: Path | None) -> None:
    """Make, list and revoke the keys of client systems."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
    context.with_resource(database(data))
    import django

    django.setup()


@api_key.command("create")
@click.argument("name")
@click.option("--account", required=True, help="User name of the service account; its data scope applies.")
@click.option(
    "--scope", "scopes", multiple=True, default=("read",), help="read, book, reverse, cases; may be given again."
)
@click.option("--calls-per-minute", type=click.IntRange(1), default=6000, show_default=True)
def create(name: str, account: str, scopes: tuple[str, ...], calls_per_minute: int) -> None:
    """Register a client system and print its key once."""
    try:
        click.echo(create_client(name=name, username=account, scopes=scopes, calls_per_minute=calls_per_minute))
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@api_key.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """End the key of a client system."""
    try:
        revoke_client(name=name)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"{name}: revoked")


@api_key.command("list")
def list_clients() -> None:
    """Every client system with its account and scopes."""
    from shouxin.web.models import ApiClient

    for client in ApiClient.objects.select_related("account"):
        state = "revoked" if client.revoked_at else "active"
        click.echo(f"{client.name}\t{client.account.username}\t{','.join(client.scopes)}\t{client.key_hint}…\t{state}")
