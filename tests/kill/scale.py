"""How long the rounds go on, and how they are told of."""

import os
import sys
from collections import Counter
from typing import Final

SOAK: Final = bool(os.environ.get("ORDERGATE_SOAK"))
ROUNDS: Final = 100 if SOAK else 5
TIMEOUT_SECONDS: Final = 7_200 if SOAK else 600
"""Rounds are long on a busy machine."""
SEED: Final = int(os.environ.get("ORDERGATE_KILL_SEED", "1"))
"""What all chances are drawn from: give a failed run's to repeat what was asked."""


def told(name: str, counts: Counter[str]) -> None:
    """Print the figures of rounds."""
    figures = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    sys.stdout.write(f"\n{name}: {figures}\n")
