"""Random acts on the ledger beside the oracle; after every act all counters must be equal.

Amounts are aimed: at what is just free, one more, and a few others. One facility is non-revolving, one customer's cap
limits the net exposure, customers move between groups, dates lie back into closed months.
"""

import datetime as dt
import uuid
from collections import defaultdict
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shouxin.limits import lines, measures
from shouxin.limits import services as limits
from shouxin.limits.ledger import call
from shouxin.limits.models import Hold, IdempotencyKey, Mitigant, Movement, Node
from tests.limits.oracle import Oracle, OracleHold, OracleNode, Sums

DAYS = [dt.date(2025, 5, 20), dt.date(2025, 6, 30), dt.date(2025, 7, 15)]
FOLD = """
SELECT n.id FROM limits_node n LEFT JOIN limits_movement m ON m.node_id = n.id GROUP BY n.id
HAVING (n.pending_fen, n.posted_fen, n.consumed_fen, n.earmarked_fen, n.cover_fen) IS DISTINCT FROM (
    coalesce(sum(m.pending_fen), 0), coalesce(sum(m.posted_fen), 0), coalesce(sum(m.consumed_fen), 0),
    coalesce(sum(m.earmarked_fen), 0), coalesce(sum(m.cover_fen), 0))
"""
pick = st.integers(min_value=0, max_value=1_000)
aim = st.sampled_from(["room", "room + 1", "half", "one", "many"])
days = st.sampled_from(DAYS)


class LedgerMachine(RuleBasedStateMachine):
    """The ledger in one transaction that is rolled back at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self.oracle = Oracle()
        self.keys: dict[str, tuple[int, int, limits.Answer]] = {}
        self.balances: list[tuple[int, dt.date, dt.datetime, tuple[int, ...]]] = []
        self.shifts: list[tuple[Any, list[int], list[int], int]] = []
        self.groups = [
            self._node("GROUP", None, cap=300),
            self._node("GROUP", None, cap=250),
            self._node("GROUP", None),
        ]
        self.customers, self.products, self.facilities = [], [], []
        for number, cap in enumerate((200, 150, None)):
            measure = "NET" if number == 1 else "GROSS"
            customer = self._node("CUSTOMER", self.groups[0], cap=cap, measure=measure)
            self.customers.append(customer)
            for product_cap in (120, 100):
                product = self._node("PRODUCT", customer, cap=product_cap)
                self.products.append(product)
                self.facilities.append(self._node("FACILITY", product))
        self.facilities.append(self._node("FACILITY", self.products[0], cap=80, is_revolving=False))
        self.mitigant = Mitigant.objects.create(
            kind="MARGIN", name="m", value_fen=90, eligible_fen=90, valid_from=dt.date(2020, 1, 1)
        )

    def teardown(self) -> None:
        try:
            for node, day, known_at, then in self.balances:
                assert self._balance(node, day, known_at) == then, "an as-of answer changed later (I11)"
        finally:
            transaction.set_rollback(True)
            self._transaction.__exit__(None, None, None)

    # --- acts ----------------------------------------------------------------------------------------------------

    @rule(where=pick, how=aim, day=days, covered=st.booleans())
    def reserve(self, where: int, how: str, day: dt.date, covered: bool) -> None:
        leaf = self._one(self.facilities, where)
        amount = self._amount(how, self.oracle.room(leaf))
        cover = min(amount, self._cover_left()) if covered else 0
        key = uuid.uuid4().hex
        answer = self._reserve(key, leaf, amount, day, cover)
        expected = self.oracle.refusals(leaf, amount, cover)
        assert [(r.node.node_id, r.code) for r in answer.refusals] == expected
        assert answer.is_accepted == (not expected)
        self.keys[key] = (leaf, amount, answer)
        if answer.hold_id:
            self.oracle.holds.append(OracleHold(answer.hold_id, leaf, amount, cover))

    @rule(where=pick, how=aim, part=aim, back=aim, day=days)
    def reserve_post_and_repay(self, where: int, how: str, part: str, back: str, day: dt.date) -> None:
        """The common life in one act, so that long lives are not rare."""
        self.reserve(where, how, day, False)
        self.post(len(self.oracle.holds) - 1, part, day) if self.oracle.holds else None
        self.release(len(self.oracle.holds) - 1, back, day) if self.oracle.holds else None

    @precondition(lambda self: self.keys)
    @rule(which=pick, change=st.sampled_from([0, 1]))
    def send_a_key_again(self, which: int, change: int) -> None:
        """I10, for refusals too: the same answer and no movement; another payload is refused."""
        key = self._one(sorted(self.keys), which)
        leaf, amount, first = self.keys[key]
        before = Movement.objects.count()
        payload: dict[str, object] = {"again": True} if change else {}
        try:
            again = self._reserve(key, leaf, amount, DAYS[1], 0, payload)
        except limits.KeyReusedError:
            fingerprint = IdempotencyKey.objects.get(caller="m", key=key).fingerprint
            asked = limits.fingerprint_of(facility_id=leaf, amount_fen=amount, payload=payload)
            assert fingerprint != asked
        else:
            assert not change
            assert (again.is_accepted, again.hold_id, again.is_replayed) == (first.is_accepted, first.hold_id, True)
        assert Movement.objects.count() == before

    @precondition(lambda self: self.oracle.holds)
    @rule(which=pick, how=aim, day=days)
    def post(self, which: int, how: str, day: dt.date) -> None:
        hold = self._hold(which)
        amount = self._amount(how, hold.amount)
        blocked = any(node.status == "FROZEN" for node in self.oracle.path(hold.facility))
        may = hold.state == "PENDING" and not hold.is_overdue and amount <= hold.amount and not blocked
        assert self._try(limits.post, hold_id=hold.id, amount_fen=amount, business_date=day, actor_id=None) == may
        if may:
            hold.state, hold.posted, hold.balance = "POSTED", amount, amount
            hold.cover = min(hold.cover, amount)

    @precondition(lambda self: self.oracle.holds)
    @rule(which=pick, day=days)
    def void(self, which: int, day: dt.date) -> None:
        hold = self._hold(which)
        may = hold.state == "PENDING"
        assert self._try(limits.void, hold_id=hold.id, business_date=day, reason="", actor_id=None) == may
        if may:
            hold.state, hold.cover = "VOIDED", 0

    @precondition(lambda self: self.oracle.holds)
    @rule(which=pick)
    def let_time_pass(self, which: int) -> None:
        hold = self._hold(which)
        Hold.objects.filter(pk=hold.id).update(expires_at=timezone.now() - dt.timedelta(seconds=1))
        hold.is_overdue = True

    @rule(day=days, most=st.integers(1, 3))
    def sweep(self, day: dt.date, most: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT limit_expire_due(%s, %s)", [day, most])
            swept = cursor.fetchone()[0]
        due = [hold for hold in self.oracle.holds if hold.state == "PENDING" and hold.is_overdue]
        assert swept == min(most, len(due))
        for hold in sorted(due, key=lambda hold: hold.id)[:most]:
            hold.state, hold.cover = "EXPIRED", 0

    @precondition(lambda self: self.oracle.holds)
    @rule(which=pick, how=aim, day=days)
    def release(self, which: int, how: str, day: dt.date) -> None:
        hold = self._hold(which)
        amount = self._amount(how, max(1, hold.balance))
        may = hold.state == "POSTED" and amount <= hold.balance
        assert (
            self._try(limits.release, hold_id=hold.id, amount_fen=amount, business_date=day, reason="", actor_id=None)
            == may
        )
        if may:
            hold.balance -= amount
            hold.cover = min(hold.cover, hold.balance)

    @precondition(lambda self: self.oracle.holds)
    @rule(which=pick, day=days)
    def reverse(self, which: int, day: dt.date) -> None:
        hold = self._hold(which)
        may = hold.state == "POSTED" and not hold.is_reversed
        assert (
            self._try(limits.reverse, hold_id=hold.id, business_date=day, reason="错", maker_id=1, checker_id=2) == may
        )
        if may:
            hold.balance, hold.cover, hold.is_reversed = 0, 0, True

    @rule(which=pick, cap=st.sampled_from([300, 250, 180, 90, 40]), day=days)
    def set_cap(self, which: int, cap: int, day: dt.date) -> None:
        node = self._one([*self.groups, *self.customers, *self.products, self.facilities[-1]], which)
        shifted = sum(
            (amount if node in raised else 0) - (amount if node in lowered else 0)
            for _, raised, lowered, amount in self.shifts
        )
        over = limits.set_cap(
            node=Node(pk=node), amount_fen=cap, valid_from=dt.date(2025, 1, 1), valid_to=None, approval="批", basis={},
            business_date=day, actor_id=None,
        )  # fmt: skip
        self.oracle.nodes[node].cap = max(0, cap + shifted)
        assert over == max(0, self.oracle.used(self.oracle.nodes[node]) - max(0, cap + shifted))

    @rule(which=pick, by_system=st.booleans(), is_on=st.sampled_from([False, False, False, True]))
    def freeze(self, which: int, by_system: bool, is_on: bool) -> None:
        node = self.oracle.nodes[self._one([*self.groups, *self.customers, *self.facilities], which)]
        call("limit_set_freeze", (node.id, by_system, is_on, "查", DAYS[1], None))
        if by_system:
            node.frozen_by_system = is_on
        else:
            node.frozen_by_hand = is_on

    @rule(which=pick, status=st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "SUSPENDED"]))
    def set_status(self, which: int, status: str) -> None:
        node = self.oracle.nodes[self._one([*self.customers, *self.facilities], which)]
        limits.set_status(node=Node(pk=node.id), status=status, reason="管", business_date=DAYS[1], actor_id=None)
        node.standing = status
        node.frozen_by_hand = node.frozen_by_hand and status != "ACTIVE"

    @rule(which=pick, where=pick, day=days)
    def move(self, which: int, where: int, day: dt.date) -> None:
        customer, group = self._one(self.customers, which), self._one(self.groups, where)
        call("limit_move_customer", (customer, group, day, "认定", None, None))
        self.oracle.nodes[customer].parent = group

    @rule(one=pick, other=pick, how=aim, comes_back=st.booleans())
    def reallocate(self, one: int, other: int, how: str, comes_back: bool) -> None:
        lines_ = [*self.customers, *self.products]
        donor, receiver = self._one(lines_, one), self._one(lines_, other)
        oracle, nodes = self.oracle, self.oracle.nodes
        free = (nodes[donor].cap or 0) - oracle.used(nodes[donor])
        amount = self._amount(how, max(1, free))
        over_donor = {node.id for node in oracle.path(donor)}
        over_receiver = {node.id for node in oracle.path(receiver)}
        lowered = [n for n in over_donor - over_receiver if nodes[n].cap is not None]
        raised = [n for n in over_receiver - over_donor if nodes[n].cap is not None]
        may = (
            bool(over_donor & over_receiver)
            and donor in lowered
            and receiver in raised
            and all((nodes[n].cap or 0) - amount >= oracle.used(nodes[n]) for n in lowered)
        )
        arguments: dict[str, Any] = {
            "donor": Node(pk=donor), "receiver": Node(pk=receiver), "amount_fen": amount, "business_date": DAYS[1],
            "approval": "调", "maker_id": 1, "checker_id": 2,
            "return_date": dt.date(2025, 9, 1) if comes_back else None,
        }  # fmt: skip
        try:
            shift = lines.reallocate(**arguments)
        except limits.LedgerError:
            assert not may
            return
        assert may
        for node in lowered:
            nodes[node].cap = (nodes[node].cap or 0) - amount
        for node in raised:
            nodes[node].cap = (nodes[node].cap or 0) + amount
        if comes_back:
            self.shifts.append((shift, raised, lowered, amount))

    @precondition(lambda self: self.shifts)
    @rule(which=pick)
    def give_a_shift_back(self, which: int) -> None:
        shift, raised, lowered, amount = self.shifts.pop(which % len(self.shifts))
        lines.return_shift(shift=shift, business_date=DAYS[2], actor_id=None)
        for node in raised:
            self.oracle.nodes[node].cap = max(0, (self.oracle.nodes[node].cap or 0) - amount)
        for node in lowered:
            self.oracle.nodes[node].cap = (self.oracle.nodes[node].cap or 0) + amount

    @rule(where=pick, how=aim)
    def earmark(self, where: int, how: str) -> None:
        node = self._one([*self.customers, *self.facilities], where)
        amount = self._amount(how, self.oracle.room(node))
        expected = self.oracle.refusals(node, amount)
        answer, made = lines.earmark(
            node=Node(pk=node), amount_fen=amount, purpose="项目", business_date=DAYS[1], actor_id=None
        )
        assert [(r.node.node_id, r.code) for r in answer.refusals] == expected
        if made:
            self.oracle.earmarks[made.pk] = (node, amount)

    @precondition(lambda self: self.oracle.earmarks)
    @rule(which=pick)
    def release_earmark(self, which: int) -> None:
        identity = self._one(sorted(self.oracle.earmarks), which)
        lines.release_earmark(earmark_id=identity, business_date=DAYS[1], reason="", actor_id=None)
        del self.oracle.earmarks[identity]

    @rule(value=st.sampled_from([0, 30, 90]))
    def change_cover(self, value: int) -> None:
        measures.set_value(mitigant=self.mitigant, value_fen=value, business_date=DAYS[1], reason="变动", actor_id=None)
        self.mitigant.refresh_from_db()
        for hold in self.oracle.holds:
            links = self.mitigant.links.filter(hold_id=hold.id)
            hold.cover = sum(link.share_fen for link in links)
        assert sum(hold.cover for hold in self.oracle.holds) == self.mitigant.shared_fen <= value

    @rule(node=pick, day=days)
    def remember_a_balance(self, node: int, day: dt.date) -> None:
        target, known_at = self._one(sorted(self.oracle.nodes), node), self._clock()
        self.balances.append((target, day, known_at, self._balance(target, day, known_at)))

    @rule(month_end=st.sampled_from([dt.date(2025, 5, 31), dt.date(2025, 6, 30)]))
    def close_a_month(self, month_end: dt.date) -> None:
        with connection.cursor() as cursor:
            for node in self.oracle.nodes:
                cursor.execute("SELECT limit_close_month(%s, %s)", [node, month_end])

    # --- what holds after every act ----------------------------------------------------------------------------------

    @invariant()
    def counters_equal_the_oracle(self) -> None:
        """I1 to I3, I12, I13: counters are what the holds add up to, used > cap exactly where a cause is recorded."""
        rows = {row.pk: row for row in Node.objects.filter(pk__in=self.oracle.nodes)}
        for node in self.oracle.nodes.values():
            row = rows[node.id]
            seen = Sums(row.pending_fen, row.posted_fen, row.consumed_fen, row.earmarked_fen, row.cover_fen)
            assert seen == self.oracle.sums(node), (node.kind, node.id)
            assert row.used_fen == self.oracle.used(node)
            assert (row.cap_fen, row.status) == (node.cap, node.status)
            assert (row.excess_cause is not None) == self.oracle.is_in_excess(node)

    @invariant()
    def shares_add_up(self) -> None:
        """The shares of a mitigant are what the holds have of it, and never above its value."""
        row = Mitigant.objects.get(pk=self.mitigant.pk)
        assert row.shared_fen == sum(hold.cover for hold in self.oracle.holds) <= row.eligible_fen

    @invariant()
    def journal_adds_up_to_the_counters(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(FOLD)
            assert cursor.fetchall() == [], "counters are not the fold of the journal (I1)"

    # --- helpers -------------------------------------------------------------------------------------------------

    def _node(self, kind: str, parent: int | None, **fields: Any) -> int:
        row = Node.objects.create(
            kind=kind, parent_id=parent, name=f"{kind}{len(self.oracle.nodes)}", cap_fen=fields.get("cap"),
            **{name: value for name, value in fields.items() if name != "cap"},
        )  # fmt: skip
        self.oracle.nodes[row.pk] = OracleNode(row.pk, kind, parent, **fields)
        return row.pk

    def _reserve(
        self, key: str, leaf: int, amount: int, day: dt.date, cover: int, payload: dict[str, object] | None = None
    ) -> limits.Answer:
        return limits.reserve(
            caller="m", key=key, facility=Node(pk=leaf), amount_fen=amount, business_date=day,
            expires_at=timezone.now() + dt.timedelta(days=1), actor_id=None, payload=payload,
            covers=[limits.CoverShare(self.mitigant.pk, cover)] if cover else (),
        )  # fmt: skip

    def _cover_left(self) -> int:
        row = Mitigant.objects.get(pk=self.mitigant.pk)
        return row.eligible_fen - row.shared_fen

    def _balance(self, node: int, day: dt.date, known_at: dt.datetime) -> tuple[int, ...]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM limit_balance(%s, %s, %s)", [node, day, known_at])
            return tuple(cursor.fetchone())

    def _clock(self) -> dt.datetime:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            return cursor.fetchone()[0]  # type: ignore[no-any-return]

    def _try(self, act: Any, **arguments: Any) -> bool:
        try:
            act(**arguments)
        except limits.LedgerError:
            return False
        return True

    def _hold(self, which: int) -> OracleHold:
        return self._one(self.oracle.holds, which)

    @staticmethod
    def _one(choices: Any, which: int) -> Any:
        return choices[which % len(choices)]

    @staticmethod
    def _amount(how: str, around: int) -> int:
        sizes = defaultdict(lambda: around, {"room + 1": around + 1, "half": max(1, around // 2), "one": 1})
        return sizes[how] if how != "many" else around * 3
