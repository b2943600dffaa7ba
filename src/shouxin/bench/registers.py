"""Made-up registers with the shape of real ones, for measuring: the same for the same seed.

Most companies have one to three holders and few have thousands; most persons hold one stake and few hold many; one
holder in five is a company, nearly always an older one, so ownership is almost acyclic with a few rings; a family
stands behind one person in twenty.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

SHARES = 1_000_000
COMPANY_HOLDERS = 0.2
NEW_PERSONS = 0.6
RINGS = 0.0005
FAMILY_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class MadeRegister:
    """Holdings in company order over companies 0 … ``companies`` - 1 and then persons; votes are shares."""

    holder: NDArray[np.int32]
    company: NDArray[np.int32]
    votes: NDArray[np.int64]
    companies: int
    n: int
    parent: NDArray[np.int32]
    child: NDArray[np.int32]
    spouse_a: NDArray[np.int32]
    spouse_b: NDArray[np.int32]


def make_register(holdings: int, *, seed: int = 7) -> MadeRegister:
    """About so many holdings of companies by companies and persons, with the families of a part of the persons."""
    random = np.random.default_rng(seed)
    companies = max(10, int(holdings / 2.3))
    degree = np.minimum(random.zipf(2.1, companies), 20_000)
    degree = np.maximum(degree, random.integers(1, 4, companies) * (random.random(companies) < 0.6))
    company = np.repeat(np.arange(companies, dtype=np.int32), degree)[:holdings]
    companies = int(company[-1]) + 1
    count = company.size
    weight = random.pareto(1.1, count) + 0.05
    of_company = np.bincount(company, weights=weight, minlength=companies)
    votes = np.maximum((weight / of_company[company] * SHARES * 0.98).astype(np.int64), 1)
    holder = _holders(random, company, count, companies)
    n = int(holder.max()) + 1 if count else companies
    n = max(n, companies)
    persons = np.arange(companies, n, dtype=np.int32)
    of_families = random.permutation(persons)[: int(persons.size * FAMILY_SHARE) // 4 * 4].reshape(-1, 4)
    fathers, mothers, first, second = (of_families[:, place] for place in range(4))
    return MadeRegister(
        holder=holder,
        company=company,
        votes=votes,
        companies=companies,
        n=n,
        parent=np.concatenate([fathers, fathers, mothers, mothers]),
        child=np.concatenate([first, second, first, second]),
        spouse_a=fathers.copy(),
        spouse_b=mothers.copy(),
    )


def _holders(random: np.random.Generator, company: NDArray[np.int32], count: int, companies: int) -> NDArray[np.int32]:
    """Who holds each stake: an older company, a new person, or one of the persons there are, few of them often."""
    is_company = (random.random(count) < COMPANY_HOLDERS) & (company > 0)
    older = (company * random.random(count) ** 2).astype(np.int32)
    is_ring = random.random(count) < RINGS
    older = np.where(is_ring, random.integers(0, companies, count), older)
    is_new = ~is_company & (random.random(count) < NEW_PERSONS)
    number_of_new = np.cumsum(is_new)
    known = np.maximum(number_of_new, 1)
    recurring = (known * random.random(count) ** 3).astype(np.int64)
    person = companies + np.where(is_new, number_of_new - 1, recurring)
    return np.where(is_company, older, person).astype(np.int32)


def write_register(register: MadeRegister, folder: Path) -> None:
    """As evidence tables in Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    holdings = pa.table({"holder": register.holder, "company": register.company, "votes": register.votes})
    pq.write_table(holdings, folder / "holdings.parquet", compression="lz4", use_dictionary=False)
    kin = pa.table(
        {
            "a": np.concatenate([register.parent, register.spouse_a]),
            "b": np.concatenate([register.child, register.spouse_b]),
            "relation": pa.array(["parent"] * register.parent.size + ["spouse"] * register.spouse_a.size),
        }
    )
    pq.write_table(kin, folder / "kin.parquet", compression="lz4")
