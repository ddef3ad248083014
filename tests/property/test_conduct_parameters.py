"""Conduct rules with parameters no operator should choose: refused when read, or survived.

Every parameter of every rule is tried at its least, at its most and in between, and rules that can
be built are put into random flow. None of them may stop the gate, or make what can't be recorded.
"""

import random
from typing import Any, Final

import pytest
from msgspec import inspect

from rules.pipeline import Pipeline
from rules.rulebook import Rulebook, RulebookError, convert
from rules.texts import KIND
from tests.property.test_conduct_storm import EAGER, Storm
from tests.rules.conduct.conduct_world import conduct_rulebook

STEPS: Final = 100
TEXTS: Final = {
    "duration": ("0s", "1ns", "1s", "10m", "24h", "36500d"),
    "duration above 0": ("1ns", "1s", "10m", "24h", "36500d"),
    "decimal": ("0", "0.00000001", "0.5", "1", "2", "100", "92233720368"),
    "decimal or empty": ("", "0", "0.00000001", "0.5", "1", "100"),
}
PART: Final = 0.25
"""How many of the parameters are changed at a time."""


def drawn(kind: inspect.Type, any_of: random.Random) -> Any:
    """Return a value of a parameter's kind, None for kinds that are left alone."""
    if isinstance(kind, inspect.Metadata) and kind.extra:
        return any_of.choice(TEXTS.get(kind.extra[KIND], (None,)))
    if isinstance(kind, inspect.BoolType):
        return any_of.random() < 0.5
    if isinstance(kind, inspect.LiteralType):
        return any_of.choice(kind.values)
    if isinstance(kind, inspect.IntType):
        least = kind.ge or 0
        return any_of.choice((least, least + 1, 3, kind.le or 1 << 40))
    return None


def eccentric(name: str, any_of: random.Random) -> dict[str, Any]:
    """Return a rule's table with some parameters changed, if a rule can be built with them."""
    usual: dict[str, Any] = {"mode": "enforce", **EAGER[name]}
    clause = dict(usual)
    fields = inspect.type_info(type(getattr(Rulebook(convert({"name": "any"})).clauses, name)))
    assert isinstance(fields, inspect.StructType)
    for field in fields.fields:
        if field.name not in ("mode", "note") and any_of.random() < PART:
            value = drawn(field.type, any_of)
            if value is not None:
                clause[field.name] = value
    try:
        Pipeline(conduct_rulebook({name: clause}))
    except RulebookError:
        return usual
    return clause


@pytest.mark.parametrize("seed", range(10))
def test_no_parameter_stops_the_gate(seed: int) -> None:
    """Whatever is accepted as a rulebook decides, is recorded and is stored."""
    any_of = random.Random(seed)
    storm = Storm(seed, {name: eccentric(name, any_of) for name in EAGER})
    for _ in range(STEPS):
        storm.step()
    assert storm.market.pipeline.faults == 0


@pytest.mark.parametrize(
    ("rule", "clause", "message"),
    [
        ("conduct_standing", {"decay": "0s"}, "rules.conduct_standing.decay: `0s` is not a"),
        ("concentration", {"burst": "0s"}, "rules.concentration.burst: `0s` is not a"),
        ("clusters", {"window": "0s"}, "rules.clusters.window: `0s` is not a"),
        ("fictitious_bids", {"barred_for": "36501d"}, "`36501d` is longer than 36500d"),
        ("owner_class", {"kept_days": 36_501}, "36501 is too large; write 36500 or less"),
        ("scattered_bids", {"days": 36_501}, "36501 is too large; write 36500 or less"),
        ("cancel_fees", {"correction_days": 36_501}, "36501 is too large; write 36500 or less"),
        ("tape_painting", {"of_minutes": 1_441}, "1441 is too large; write 1440 or less"),
    ],
)
def test_what_would_stop_it_is_refused(rule: str, clause: dict[str, Any], message: str) -> None:
    """No time to divide by, and none that takes the clock beyond what the record can hold."""
    with pytest.raises(RulebookError, match=message):
        conduct_rulebook({rule: clause})
