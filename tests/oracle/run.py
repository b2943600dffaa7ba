"""``python -m tests.oracle.run --cases 10000``: compare the engine with the logic program on random registers."""

import argparse
import sys
import time

from tests.oracle.cases import random_evidence
from tests.oracle.test_engine_against_clingo import compare


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first case")
    asked = parser.parse_args()
    began, pairs = time.perf_counter(), 0
    for seed in range(asked.first, asked.first + asked.cases):
        try:
            pairs += compare(*random_evidence(seed))
        except Exception as error:
            sys.stdout.write(f"seed {seed} differs: {error}\n")
            return 2
    took = time.perf_counter() - began
    sys.stdout.write(f"{asked.cases:,} registers, {pairs:,} control pairs, no difference, {took:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
