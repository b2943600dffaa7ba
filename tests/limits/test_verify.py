"""``shouxin verify`` names each planted corruption, and finds nothing in a sound bank."""

# ruff: noqa: E501 - statements stand on one line

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from shouxin.audit import chain
from shouxin.audit import services as audit
from shouxin.audit.models import Seal
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.limits.verify import JOURNAL
from shouxin.parties.models import Ownership
from shouxin.web.verify_commands import all_breaches
from tests.conftest import DAY, SmallBank
from tests.limits.conftest import Chain
from tests.limits.test_ledger import reserve


@pytest.fixture
def lived(chain: Chain, small_bank: SmallBank) -> Chain:
    """A ledger with a life behind it: bookings, a move, a closed month, an excess, sealed."""
    booked = reserve(chain, 400)
    assert booked.hold_id is not None
    limits.post(hold_id=booked.hold_id, amount_fen=300, business_date=DAY, actor_id=None)
    reserve(chain, 50)
    group = Node.objects.create(kind="GROUP", name="宏达集团", article="JS-11", cap_fen=340)
    customer = chain.customer.customer
    assert customer is not None
    limits.move_customer(customer, to=group, business_date=DAY, reason="认定", actor_id=None)
    with connection.cursor() as cursor:
        for node in Node.objects.all():
            cursor.execute("SELECT limit_close_month(%s, %s)", [node.pk, DAY])
    limits.release(hold_id=booked.hold_id, amount_fen=1, business_date=DAY, reason="补记", actor_id=None)
    audit.record(actor=None, action="x.y", subject=("x", 1), summary="一", business_date=DAY)
    seal()
    return chain


def seal() -> None:
    chain_sources = (chain_audit(), JOURNAL)
    for source in chain_sources:
        chain.seal(source)


def chain_audit() -> chain.Source:
    return chain.AUDIT


def sql(*statements: str) -> Callable[[], None]:
    def corrupt() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # what a superuser can do past the triggers
            for statement in statements:
                cursor.execute(statement)
            cursor.execute("SET LOCAL session_replication_role = origin")

    return corrupt


CORRUPTIONS = {
    "I1": sql("UPDATE limits_node SET posted_fen = posted_fen - 1 WHERE kind = 'CUSTOMER'"),
    "I2": sql("UPDATE limits_node SET pending_fen = pending_fen + 1 WHERE kind = 'PRODUCT'"),
    "I2 leaf": sql("UPDATE limits_hold SET balance_fen = balance_fen - 1 WHERE state = 'POSTED'"),
    "I11": sql("UPDATE limits_snapshot SET posted_fen = posted_fen + 1 WHERE posted_fen > 0"),
    "I11 late": sql("UPDATE limits_movement SET is_late = false WHERE operation = 'RELEASE'"),
    "I12": sql("UPDATE limits_movement SET posted_fen = posted_fen + 1 WHERE seq = (SELECT max(seq) FROM limits_movement "
               "WHERE operation = 'MOVE')"),
    "I12 parent": sql("UPDATE limits_placement SET parent_id = (SELECT min(id) FROM limits_node WHERE kind = 'GROUP') "
                      "WHERE upper_inf(valid) AND upper_inf(recorded)"),
    "I13": sql("UPDATE limits_excess SET closed_at = now() WHERE closed_at IS NULL"),
    "I13 cure": sql("UPDATE limits_excess SET cure_by_date = NULL"),
    "I5": sql("INSERT INTO limits_movement (operation, hold_id, node_id, level, pending_fen, posted_fen, consumed_fen, "
              "earmarked_fen, cover_fen, business_date, recorded_at, is_late, cause) SELECT 'VOID', hold_id, node_id, 0, 0, "
              "0, 0, 0, 0, business_date, now(), true, '' FROM limits_movement WHERE operation = 'POST' AND level = 0"),
    "REF": sql("DELETE FROM limits_hold WHERE state = 'PENDING'"),
    "CHAIN journal changed": sql("UPDATE limits_movement SET cause = 'x' WHERE operation = 'POST'"),
    "CHAIN journal row gone": sql("DELETE FROM limits_movement WHERE operation = 'SET_CAP'"),
    "CHAIN audit changed": sql("UPDATE audit_entry SET summary = '二' WHERE action = 'x.y'"),
    "CHAIN audit row gone": sql("DELETE FROM audit_entry WHERE action = 'x.y'"),
    "CHAIN fields shifted": sql("UPDATE audit_entry SET subject_kind = 'x1', subject_id = '' WHERE action = 'x.y'"),
    "CHAIN block gone": sql("DELETE FROM audit_seal WHERE source = 'journal' AND first_seq = (SELECT min(first_seq) "
                            "FROM audit_seal WHERE source = 'journal')"),
}  # fmt: skip


def test_a_sound_ledger_has_no_breach(lived: Chain) -> None:
    assert all_breaches() == []


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_planted_corruption_is_named(lived: Chain, name: str) -> None:
    limits.set_status(node=lived.group, status="SUSPENDED", reason="停", business_date=DAY, actor_id=None)
    seal()
    CORRUPTIONS[name]()
    assert name.split()[0] in {breach.rule for breach in all_breaches()}


def test_two_main_owners_on_one_day_are_named(lived: Chain, small_bank: SmallBank) -> None:
    customer = lived.customer.customer
    assert customer is not None
    Ownership.objects.create(
        customer=customer, staff=small_bank.manager_east, valid_from=DAY, valid_to=DAY + dt.timedelta(days=2)
    )
    assert [breach.subject for breach in all_breaches()] == [customer.number]


def test_a_chain_rewritten_as_a_whole_is_betrayed_by_the_digests_kept_elsewhere(lived: Chain, tmp_path: Path) -> None:
    kept = tmp_path / "digests"
    seq, digest = chain.latest_digest(chain.AUDIT)
    kept.write_text(json.dumps({"source": "audit", "last_seq": seq, "digest": digest}) + "\n")
    assert all_breaches(kept) == []
    CORRUPTIONS["CHAIN audit changed"]()
    Seal.objects.filter(source="audit").delete()
    chain.seal(chain.AUDIT)
    assert all_breaches() == []
    assert [breach.rule for breach in all_breaches(kept)] == ["CHAIN"]


def test_rows_are_sealed_once_in_blocks(lived: Chain) -> None:
    before = Seal.objects.count()
    seal()
    assert Seal.objects.count() == before
    limits.set_status(node=lived.group, status="SUSPENDED", reason="停", business_date=DAY, actor_id=None)
    seal()
    assert Seal.objects.filter(source="journal").count() == 2


def test_encodings_of_two_rows_are_never_equal() -> None:
    rows = [["a", "bc"], ["ab", "c"], ["abc"], ["a", None], ["a", "-"], ["1:a"], [""], [None], ["", ""]]
    assert len({chain.encode(row) for row in rows}) == len(rows)


def test_seal_reads_no_model_before_the_settings_are_there() -> None:
    """The command runs in a process of its own, where nothing is set up yet."""
    script = (
        "from shouxin.web import verify_commands as commands\n"
        "def stop(_data):\n    raise SystemExit('reached the database')\n"
        "commands.database = stop\n"
        "commands.seal.callback(data=None, out=None)\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert ran.stderr.strip() == "reached the database"
