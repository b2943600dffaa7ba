"""The bridge between stored evidence, the policy and the group engine. No rule is decided here."""

import datetime as dt
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import TypeVar

from django.db.models import Q

from shouxin.domain import evidence as facts
from shouxin.groups import models
from shouxin.parties.models import Party

MICRO = 1_000_000
_Row = TypeVar("_Row", bound=models.Dated)


def read_evidence(around: Collection[int] | None = None) -> facts.Evidence:
    """Stored evidence as one frozen snapshot; ids are the parties' numbers as texts. A fixed number of queries.

    ``around`` reads only what can explain some parties: everybody who holds or governs them directly or indirectly, and
    the relatives that connect those people. That is enough for their proofs and quick in a big register.
    """
    ids = None if around is None else _explaining(around)
    parties = Party.objects.all() if ids is None else Party.objects.filter(pk__in=ids)
    customers = set(parties.filter(customer__isnull=False, kind="org").values_list("pk", flat=True))

    def rows(model: type[_Row], *ends: str) -> Iterable[_Row]:
        found = model._default_manager.order_by("pk")
        if ids is not None:
            found = found.filter(**{f"{end}__in": ids for end in ends})
        return found.iterator()

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
            country=party.country,
            total_votes=party.total_votes,
            sex=party.sex,
            died_date=party.death_date,
        )
        for party in parties
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
            for row in rows(models.Holding, "holder", "company")
        ),
        agreements=tuple(
            facts.Agreement(
                controller=str(row.controller_id), company=str(row.company_id), kind=row.kind, **_period(row)
            )
            for row in rows(models.Agreement, "controller", "company")
        ),
        concert=tuple(
            facts.ConcertMember(set_id=row.concert_set, member=str(row.member_id), **_period(row))
            for row in rows(models.ConcertMember, "member")
        ),
        kin=tuple(
            facts.KinLink(a=str(row.a_id), b=str(row.b_id), relation=row.relation, kind=row.kind, **_period(row))
            for row in rows(models.KinLink, "a", "b")
        ),
        posts=tuple(
            facts.Post(person=str(row.person_id), company=str(row.company_id), post=row.post, **_period(row))
            for row in rows(models.Post, "person", "company")
        ),
        dependence=tuple(
            facts.Dependence(
                dependent=str(row.dependent_id),
                on=str(row.depended_on_id),
                ratio_micro_percent=int(row.ratio_percent * Decimal(MICRO)),
                kind=row.kind,
                **_period(row),
            )
            for row in rows(models.Dependence, "dependent", "depended_on")
        ),
        guarantees=tuple(
            facts.Guarantee(
                guarantor=str(row.guarantor_id), debtor=str(row.debtor_id), amount_fen=row.amount_fen, **_period(row)
            )
            for row in rows(models.Guarantee, "guarantor", "debtor")
        ),
    )


KIN_STEPS = 4
"""Near relatives are at most so many links apart: up to a common ancestor and down again."""


def _explaining(parties: Collection[int]) -> set[int]:
    """Parties, all above them, and the relatives of the people among those. One query a level."""
    found, waiting = set(parties), set(parties)
    while waiting:
        above = set(models.Holding.objects.filter(company__in=waiting).values_list("holder_id", flat=True))
        above |= set(models.Agreement.objects.filter(company__in=waiting).values_list("controller_id", flat=True))
        waiting = above - found
        found |= waiting
    people = set(Party.objects.filter(pk__in=found, kind="person").values_list("pk", flat=True))
    for _ in range(KIN_STEPS):
        links = models.KinLink.objects.filter(Q(a__in=people) | Q(b__in=people)).values_list("a_id", "b_id")
        people |= {person for link in links for person in link}
    return found | people


def _period(row: models.Dated) -> dict[str, dt.date | None]:
    return {"valid_from": row.valid_from, "valid_to": row.valid_to}
