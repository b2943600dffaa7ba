"""What our people are good at beside what customers like: an occasion to meet (QU-06)."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from shouxin.bank.models import Staff
from shouxin.engagement.models import Contact, Preference, StaffSkill
from shouxin.engagement.services import EngagementError
from shouxin.parties.models import Customer
from shouxin.policy import load_book


@transaction.atomic
def note_skill(*, staff: Staff, name: str, level: str = "") -> StaffSkill:
    """Keep what somebody is good at; the same again corrects the level."""
    if not name.strip():
        raise EngagementError("请填写特长。")
    made, _ = StaffSkill.objects.update_or_create(
        staff=staff, name=name.strip()[:40], defaults={"level": level.strip()[:40]}
    )
    return made


@dataclass(frozen=True, slots=True)
class Occasion:
    """Contacts who like the same and those of us who could invite them to it."""

    interest: str
    contacts: tuple[Contact, ...]
    hosts: tuple[StaffSkill, ...]


def occasions(customers: QuerySet[Customer], *, staff: QuerySet[Staff], day: dt.date) -> list[Occasion]:
    """Interests that enough contacts in view share and somebody of ours has as a skill, the most liked first."""
    least = load_book().whole("crm.event_contacts_min", day)
    skills: defaultdict[str, list[StaffSkill]] = defaultdict(list)
    for skill in StaffSkill.objects.filter(staff__in=staff).select_related("staff__unit"):
        skills[_plain(skill.name)].append(skill)
    if not skills:
        return []
    liked: defaultdict[str, dict[int, Contact]] = defaultdict(dict)
    preferences = Preference.objects.filter(contact__customer__in=customers).select_related("contact__customer__party")
    for preference in preferences:
        for name in skills:
            if name in _plain(preference.value):
                liked[name][preference.contact_id] = preference.contact
    found = [
        Occasion(skills[name][0].name, tuple(people.values()), tuple(skills[name]))
        for name, people in liked.items()
        if len(people) >= least
    ]
    return sorted(found, key=lambda occasion: (-len(occasion.contacts), occasion.interest))


def _plain(text: str) -> str:
    return text.strip().lower()
