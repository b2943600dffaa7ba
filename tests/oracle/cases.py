"""Small random registers that are nasty on purpose: rings, exact halves, joint holdings, families, agreements, sets."""

from random import Random

from shouxin.domain.evidence import Agreement, ConcertMember, Entity, EntityKind, Evidence, Holding, KinLink

SHARES = (1, 5, 10, 20, 25, 30, 33, 34, 49, 50, 51, 60, 100)


def random_evidence(seed: int) -> tuple[Evidence, list[str]]:
    """A register of up to nine companies and eight persons, and its anchors; the same for the same seed."""
    random = Random(seed)
    companies = [f"c{n}" for n in range(random.randint(2, 9))]
    people = [f"p{n}" for n in range(random.randint(1, 8))]
    holders = companies + people
    entities = {
        code: Entity(
            code, code, EntityKind.ORGANISATION, is_customer=True,
            total_votes=random.choice([None, 100, 100, 100, 60, 101]),
        )
        for code in companies
    } | {name: Entity(name, name, EntityKind.PERSON) for name in people}  # fmt: skip
    holdings = tuple(
        Holding(
            holder=random.choice(holders),
            company=random.choice(companies),
            votes=random.choice(SHARES),
            is_percent=False,
        )
        for _ in range(random.randint(1, 22))
    )
    kin = [
        KinLink(a=people[a], b=people[b], relation="parent")
        for b in range(1, len(people))
        for a in random.sample(range(b), k=min(b, random.choice([0, 1, 1, 2])))
    ]
    if len(people) > 1 and random.random() < 0.6:
        a, b = random.sample(people, 2)
        kin.append(KinLink(a=a, b=b, relation="spouse"))
    agreements = tuple(
        Agreement(controller=random.choice(holders), company=random.choice(companies), kind="contract")
        for _ in range(random.choice([0, 0, 1, 2]))
    )
    concert = tuple(
        ConcertMember(set_id="s", member=member)
        for member in (random.sample(holders, 2) if random.random() < 0.4 else [])
    )
    evidence = Evidence(entities=entities, holdings=holdings, kin=tuple(kin), agreements=agreements, concert=concert)
    return evidence, random.sample(people, k=random.randint(0, len(people)))
