"""The benchmark of conduct rules compares all of them with none of them."""

from rules.registry import RULES
from tests.bench.__main__ import ACCEPTED_SHARE_MIN
from tests.bench.conduct import conduct_rules, measure
from tests.bench.flow import Flow


def test_both_ways_are_measured() -> None:
    """The same requests are accepted with conduct rules on and off."""
    rows = measure(owners=200, open_orders=100, requests=300, rounds=2, seed=1)
    shares = [one["accepted_share"] for one in rows if "accepted_share" in one]
    assert len(shares) == 2
    assert min(shares) >= ACCEPTED_SHARE_MIN
    assert [one["calls"] for one in rows if "accepted_share" in one] == [600, 600]
    assert rows[-1]["what"] == "added by conduct rules to an order"


def test_all_of_them_are_on_or_off() -> None:
    """The rulebook enforces every conduct rule, and none is left when they are off."""
    off = {"rules": {name: {"mode": "off"} for name in conduct_rules()}}
    names = [{rule.name for rule in Flow(0, 1, 1, changes).pipeline.rules} for changes in ({}, off)]
    assert set(conduct_rules()) <= names[0]
    assert not set(conduct_rules()) & names[1]
    assert len(conduct_rules()) == sum("conduct" in kind.__module__ for kind in RULES) > 15
