"""The requirement ids that findings, parameters and the register know, and how such an id is written."""

import re

from shouxin.policy import load_book
from shouxin.rulebook.models import Clause

SHAPE = re.compile(r"[A-Z]{1,4}[+-]?[0-9]{1,3}")
"""Letters, perhaps + or -, digits: JS-11, CB+12, X16."""

_NAMED = """
A-01 A-02 A-04 A-05 A-06 A-07 A-08 A-09 A-10 A-11 A-12 A-13 A-15 A-16 A-19 A-20 A-21 A-24 A-25 A-26 A-27 A-32
BR-01 BR-03 BR-04 BR-05 BR-06 BR-08 BR-09 BR-10 BR-11 BR-12 CB+1 CB+10 CB+12 CB+13 CB+2 CB+3 CB+4 CB+5 CB+6
CB+7 CB+8 CB+9 CB-01 CB-02 CB-03 CB-04 CB-05 CB-06 CB-07 CB-08 CB-09 CB-10 CB-11 CB-12 CB-13 CB-14 CB-15 CB-16
CB-17 CB-18 CB-19 CL-02 CL-03 CM-01 CM-02 CM-03 CM-04 CM-05 CM-06 CM-07 HA-01 HA-03 HA-04 HA-06 HA-07 JS-01
JS-02 JS-03 JS-04 JS-05 JS-07 JS-08 JS-09 JS-10 JS-11 JS-12 JS-13 JS-14 NS-01 NS-02 NS-03 NS-04 NS-05 NS-06
NS-07 NS-08 QU-06 RC-02 RC-03 RC-04 RC-05 RC-06 RC-07 RC-08 RC-09 RC-10 RC-11 RC-12 RC-13 RC-14 RC-15 RC-16
RC-17 RC-18 RC-19 RC-20 SK-08 SK-13 SM-15 SM-16 UC-01 UC-02 UC-03 UC-05 UC-06 UC-07 UC-08 UC-09 UC-12 UC-13
UC-14 W01 W02 W03 W04 W05 W06 W07 W08 W09 W10 W11 W12 W13 W14 W15 W16 W17 W18 W19 W20 W21 W22 W23 W24 W25 X16
X21 Y09
"""
IN_FINDINGS = frozenset(_NAMED.split())
"""What findings and pages name as their article; a test holds it against the sources."""


def is_used(requirement: str) -> bool:
    """Whether a finding or a parameter of any day names this requirement."""
    book = load_book()
    return requirement in IN_FINDINGS or any(
        value.article == requirement for key in book for value in book.parameter(key).values
    )


def is_known(requirement: str) -> bool:
    """Whether it is used, or a clause of the register stands for it."""
    return is_used(requirement) or Clause.objects.filter(requirement=requirement).exists()
