"""What all clauses of a rulebook have in common; see `rules.clauses`."""

from typing import Literal, TypeAlias

import msgspec

Mode: TypeAlias = Literal["enforce", "shadow", "off"]
"""Refuse; only record what would have been refused; or not evaluate at all."""


class Clause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a rule's parameters."""

    mode: Mode = "off"
    """Refuse; only record what would have been refused; or do not evaluate."""
    note: str = ""
    """Where the numbers come from; shown by `ordergate rulebook show`."""
