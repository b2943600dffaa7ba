"""Target groups by criteria: who is in, put in or out by hand, and the list of a day kept (CM-01)."""

import datetime as dt

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.domain.money import format_wan
from shouxin.parties.models import Customer, CustomerClass, Segment, SegmentList, SegmentMark, SegmentMember
from shouxin.parties.services import CustomerInputError


@transaction.atomic
def define_segment(
    *,
    actor: Staff,
    name: str,
    business_date: dt.date,
    industry: str = "",
    sales_min_fen: int | None = None,
    stage: str = "",
    customer_class: CustomerClass | None = None,
) -> Segment:
    """Keep a target group. Raises CustomerInputError without a name, without a criterion, or when the name is taken."""
    name, industry = name.strip(), industry.strip()
    if not name:
        raise CustomerInputError({"name": "请填写客户群名称"})
    if not (industry or sales_min_fen or stage or customer_class):
        raise CustomerInputError({"industry": "请至少填写一个条件，否则所有客户都在群内"})
    try:
        with transaction.atomic():
            made = Segment.objects.create(
                name=name, industry=industry, sales_min_fen=sales_min_fen or None, stage=stage,
                customer_class=customer_class, made_by=actor,
            )  # fmt: skip
    except IntegrityError as error:
        raise CustomerInputError({"name": "已有同名客户群，请换一个名称"}) from error
    _record(actor, made, "parties.segment.defined", f"目标客户群 {name}：{criteria_text(made)}", business_date)
    return made


def criteria_text(segment: Segment) -> str:
    """The criteria in words, as they are kept with a list."""
    parts = [
        f"行业含“{segment.industry}”" if segment.industry else "",
        f"年销售 ≥ {format_wan(segment.sales_min_fen)} 万元" if segment.sales_min_fen else "",
        f"阶段 {Customer.Stage(segment.stage).label}" if segment.stage else "",
        f"类别 {segment.customer_class.name}" if segment.customer_class else "",
    ]
    return "，".join(filter(None, parts))


def members_of(segment: Segment, customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """Those of some customers that are in: by the criteria or by hand, and not put out by hand."""
    rule = Q()
    if segment.industry:
        rule &= Q(party__industry__contains=segment.industry)
    if segment.sales_min_fen:
        rule &= Q(profile__annual_sales_fen__gte=segment.sales_min_fen)
    if segment.stage:
        rule &= Q(stage=segment.stage)
    if segment.customer_class_id:
        rule &= Q(main_class=segment.customer_class_id)
    marks = SegmentMark.objects.filter(segment=segment)
    put_in = marks.filter(is_in=True).values("customer")
    put_out = marks.filter(is_in=False).values("customer")
    return customers.filter(rule | Q(pk__in=put_in)).exclude(pk__in=put_out)


@transaction.atomic
def mark(
    *, actor: Staff, segment: Segment, customer: Customer, is_in: bool, reason: str, business_date: dt.date
) -> SegmentMark:
    """Put one customer in or out by hand. Raises CustomerInputError without a reason."""
    if not reason.strip():
        raise CustomerInputError({"reason": "请写明原因"})
    made, _ = SegmentMark.objects.update_or_create(
        segment=segment,
        customer=customer,
        defaults={"is_in": is_in, "reason": reason.strip()[:200], "marked_by": actor},
    )
    side = "列入" if is_in else "排除"
    audit.record(
        actor=actor,
        action="parties.segment.marked",
        subject=("customer", customer.pk),
        summary=f"目标客户群 {segment.name}：{side}，{reason.strip()}",
        business_date=business_date,
    )
    return made


@transaction.atomic
def keep_list(*, actor: Staff, segment: Segment, customers: QuerySet[Customer], business_date: dt.date) -> SegmentList:
    """Keep who is in today among the customers in the actor's view, with the criteria of today."""
    ids = list(members_of(segment, customers).order_by("pk").values_list("pk", flat=True))
    made = SegmentList.objects.create(
        segment=segment, as_of_date=business_date, criteria=criteria_text(segment), count=len(ids), made_by=actor
    )
    SegmentMember.objects.bulk_create(
        [SegmentMember(segment_list=made, customer_id=pk) for pk in ids], batch_size=5_000
    )
    _record(actor, segment, "parties.segment.listed", f"{segment.name} 名单 {len(ids)} 户", business_date)
    return made


def _record(actor: Staff, segment: Segment, action: str, summary: str, day: dt.date) -> None:
    audit.record(actor=actor, action=action, subject=("segment", segment.pk), summary=summary, business_date=day)
