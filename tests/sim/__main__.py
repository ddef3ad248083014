"""`python -m tests.sim`: simulate seeds, print what was met, and what went wrong.

Exits with 1 when a seed found something. A failure names the command that shows it again.
"""

import argparse
import logging
import os
import sys
from collections import Counter

from tests.sim.many import Found, figures, simulate
from tests.sim.run import LAST_EVENTS, STEPS, Failure, digest_of, minimized, run_seed


def _seeds(text: str) -> range:
    """Return the seeds of `A..B`, or the first so many."""
    first, dots, last = text.partition("..")
    return range(int(first), int(last) + 1) if dots else range(int(first))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="simulate one seed")
    parser.add_argument(
        "--seeds", type=_seeds, metavar="N|A..B", help="simulate the first N seeds, or A to B"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each seed")
    parser.add_argument("--only", default="", help="steps of the seed to keep, by commas")
    parser.add_argument("--events", type=int, default=LAST_EVENTS, help="last events to show")
    parser.add_argument("--minimize", action="store_true", help="leave out steps that don't matter")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes to simulate seeds with"
    )
    parser.add_argument(
        "--coverage", action="store_true", help="print how often each thing was met"
    )
    parser.add_argument(
        "--digest", action="store_true", help="print one digest of everything the seed did"
    )
    return parser.parse_args()


def _one(asked: argparse.Namespace) -> Found:
    """Simulate one seed."""
    met: Counter[str] = Counter()
    only = [int(step) for step in asked.only.split(",") if step]
    failure = run_seed(asked.seed or 0, asked.steps, met, only, asked.events)
    if failure is not None:
        _show(failure, asked.minimize)
    return Found(1, met, [failure] if failure is not None else [], 0)


def _show(failure: Failure, shorten: bool) -> None:
    if shorten:
        failure = minimized(failure, lambda text: print(text, file=sys.stderr))
    print(failure, flush=True)


def main() -> int:
    """Run what was asked for and return the exit code."""
    asked = _arguments()
    logging.disable()
    if asked.digest:
        print(digest_of(asked.seed or 0, asked.steps))
        return 0
    if asked.seeds is None:
        found = _one(asked)
    else:
        found = simulate(
            asked.seeds, asked.workers, asked.steps, lambda one: _show(one, asked.minimize)
        )
    if asked.coverage:
        for name, count in sorted(found.met.items()):
            print(f"{count:14,} {name}")
    if asked.seeds is None:
        print(f"seed {asked.seed or 0}: {'failed' if found.failures else 'good'}")
    else:
        print("\n".join(figures(found)))
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main())
