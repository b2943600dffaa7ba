"""A second, independent reading of the control rule as a logic program, solved by clingo.

Control is the least fixpoint of a recursive sum; families and sets are members of their unit. Shares are small whole
numbers because clingo counts in 32 bits.
"""

from collections import defaultdict
from collections.abc import Iterable

import clingo

from shouxin.domain.evidence import Evidence

RULES = """
near(P,Q) :- par(Q,P).
near(P,Q) :- par(P,Q).
near(P,Q) :- par(Q,Z), par(Z,P), P != Q.
near(P,Q) :- par(P,Z), par(Z,Q), P != Q.
near(P,Q) :- par(Z,P), par(Z,Q), P != Q.
near(P,Q) :- spouse(P,Q).
near(P,Q) :- spouse(Q,P).

unit(one(X)) :- h(X,_,_).
unit(one(X)) :- agr(X,_).
unit(family(P)) :- anchor(P).
unit(concert(S)) :- concert(S,_).
member(one(X),X) :- unit(one(X)).
member(family(P),P) :- anchor(P).
member(family(P),Q) :- anchor(P), near(P,Q).
member(concert(S),X) :- concert(S,X).

in(U,X) :- member(U,X).
in(U,X) :- ctrl(U,X).
ctrl(U,Y) :- unit(U), total(Y,T), not member(U,Y), #sum { 2*V,X : h(X,Y,V), in(U,X), X != Y } > T.
ctrl(U,Y) :- agr(X,Y), in(U,X), X != Y, not member(U,Y).
#show ctrl/2.
"""


def control_pairs(evidence: Evidence, anchors: Iterable[str]) -> set[tuple[str, str, str]]:
    """(unit kind, anchor, company) for every company that each unit controls."""
    control = clingo.Control(["--warn=none"])
    control.add("base", [], RULES + "\n".join(_facts(evidence, anchors)))
    control.ground([("base", [])])
    found: set[tuple[str, str, str]] = set()

    def read(model: clingo.Model) -> None:
        for atom in model.symbols(shown=True):
            unit, company = atom.arguments
            found.add((unit.name, unit.arguments[0].string, company.string))

    control.solve(on_model=read)
    return found


def _facts(evidence: Evidence, anchors: Iterable[str]) -> Iterable[str]:
    votes: defaultdict[tuple[str, str], int] = defaultdict(int)
    held: defaultdict[str, int] = defaultdict(int)
    for row in evidence.holdings:
        votes[row.holder, row.company] += row.votes
        held[row.company] += row.votes
    for (holder, company), own in votes.items():
        yield f'h("{holder}","{company}",{own}).'
    for company, known in held.items():
        yield f'total("{company}",{max(known, evidence.entities[company].total_votes or 0)}).'
    yield from (f'agr("{row.controller}","{row.company}").' for row in evidence.agreements)
    yield from (f'concert("{row.set_id}","{row.member}").' for row in evidence.concert)
    yield from (f'anchor("{anchor}").' for anchor in anchors)
    for link in evidence.kin:
        name = "par" if link.relation == "parent" else "spouse"
        yield f'{name}("{link.a}","{link.b}").'
