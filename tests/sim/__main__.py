"""`python -m tests.sim`: simulate seeds, print what was met, and what went wrong.

Exits with 1 when a seed found something. A failure names the command that shows it again.
"""

import argparse
import logging
import sys
from collections import Counter
from time import monotonic

from tests.sim.run import LAST_EVENTS, STEPS, Failure, minimized, run_seed


def _seeds(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last) + 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="simulate one seed")
    parser.add_argument("--seeds", type=_seeds, metavar="A..B", help="simulate seeds A to B")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each seed")
    parser.add_argument("--only", default="", help="steps to keep, separated by commas")
    parser.add_argument("--events", type=int, default=LAST_EVENTS, help="last events to show")
    parser.add_argument("--minimize", action="store_true", help="leave out steps that don't matter")
    parser.add_argument(
        "--coverage", action="store_true", help="print how often each thing was met"
    )
    return parser.parse_args()


def main() -> int:
    """Run what was asked for and return the exit code."""
    asked = _arguments()
    logging.disable()
    seeds = asked.seeds or range(asked.seed or 0, (asked.seed or 0) + 1)
    only = [int(step) for step in asked.only.split(",") if step]
    coverage: Counter[str] = Counter()
    failures: list[Failure] = []
    begun = monotonic()
    for seed in seeds:
        failure = run_seed(seed, asked.steps, coverage, only, asked.events)
        if failure is not None:
            if asked.minimize:
                failure = minimized(failure, lambda text: print(text, file=sys.stderr))
            failures.append(failure)
            print(failure, flush=True)
    if asked.coverage:
        for name, count in sorted(coverage.items()):
            print(f"{count:9,} {name}")
    seconds = monotonic() - begun
    print(f"{len(seeds)} seeds, {len(failures)} failed, {seconds:.1f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
