"""The bridge between stored evidence, the policy and the group engine. No rule is decided here."""

import datetime as dt
from decimal import Decimal

from shouxin.domain import evidence as facts
from shouxin.groups import models
from shouxin.parties.models import Party

MICRO = 1_000_000


def read_evidence() -> facts.Evidence:
    """All stored evidence as one frozen snapshot; ids are the parties' numbers as texts. Nine queries."""
    customers = set(Party.objects.filter(customer__isnull=False, kind="org").values_list("pk", flat=True))
    entities = {
        str(party.pk): facts.Entity(
            id=str(party.pk),
            name=party.name,
            kind=facts.EntityKind(party.kind),
            is_customer=party.pk in customers,
            uscc=party.uscc or "",
            legal_form=party.legal_form,
            nature=party.nature,
            industry=party.industry,
            total_votes=party.total_votes,
            sex=party.sex,
            died_date=party.death_date,
        )
        for party in Party.objects.all()
    }
    return facts.Evidence(
        entities=entities,
        holdings=tuple(
            facts.Holding(
                holder=str(row.holder_id),
                company=str(row.company_id),
                votes=row.votes,
                is_percent=row.is_percent,
                cash_micro_percent=row.cash_micro_percent,
                source=row.source,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
            )
            for row in models.Holding.objects.order_by("pk").iterator()
        ),
        agreements=tuple(
            facts.Agreement(
                controller=str(row.controller_id), company=str(row.company_id), kind=row.kind, **_period(row)
            )
            for row in models.Agreement.objects.order_by("pk")
        ),
        concert=tuple(
            facts.ConcertMember(set_id=row.concert_set, member=str(row.member_id), **_period(row))
            for row in models.ConcertMember.objects.order_by("pk")
        ),
        kin=tuple(
            facts.KinLink(a=str(row.a_id), b=str(row.b_id), relation=row.relation, kind=row.kind, **_period(row))
            for row in models.KinLink.objects.order_by("pk")
        ),
        posts=tuple(
            facts.Post(person=str(row.person_id), company=str(row.company_id), post=row.post, **_period(row))
            for row in models.Post.objects.order_by("pk").iterator()
        ),
        dependence=tuple(
            facts.Dependence(
                dependent=str(row.dependent_id),
                on=str(row.depended_on_id),
                ratio_micro_percent=int(row.ratio_percent * Decimal(MICRO)),
                kind=row.kind,
                **_period(row),
            )
            for row in models.Dependence.objects.order_by("pk").iterator()
        ),
        guarantees=tuple(
            facts.Guarantee(
                guarantor=str(row.guarantor_id), debtor=str(row.debtor_id), amount_fen=row.amount_fen, **_period(row)
            )
            for row in models.Guarantee.objects.order_by("pk")
        ),
    )


def _period(row: models.Dated) -> dict[str, dt.date | None]:
    return {"valid_from": row.valid_from, "valid_to": row.valid_to}
