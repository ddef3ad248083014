"""Rulebooks: inheritance, and every fault of structure and meaning."""

from typing import Any

import pytest

from rules.endpoints import Endpoint
from rules.registry import RULES, build_rules
from rules.rulebook import Rulebook, RulebookError, convert, merge, parse_rulebook, read_rulebook
from rules.values import E8, EXPIRE_TAKER, LIMIT, MARKET

BASE = """
description = "the base"
[rules.order_count]
mode = "enforce"
windows = [{ interval = "10s", limit = 100 }, { interval = "1d", limit = 1000 }]
[endpoints]
order_place = { weight = 1, weight_success = 0, security = "signed", permission = "trade", orders = 1 }
depth = { weight = 250, steps = [[100, 5], [500, 25]] }
[instruments.default]
tick_size = "0.01"
max_order_value = "1000"
order_types = ["LIMIT", "MARKET"]
stp_modes = ["NONE", "EXPIRE_TAKER"]
default_stp_mode = "EXPIRE_TAKER"
[instruments.BTCUSDT]
tick_size = "0.5"
"""
CHILD = """
extends = "base"
[rules.order_count]
windows = [{ interval = "1s", limit = 5 }]
[endpoints]
order_place = { weight = 7 }
[instruments.BTCUSDT]
max_order_value = ""
"""


def faults_of(text: str, base: str = "") -> list[str]:
    """Return the faults of a rulebook `own` that may extend `base`."""
    texts = {"own": text, "base": base}
    with pytest.raises(RulebookError) as caught:
        parse_rulebook("own", texts)
    assert str(caught.value) == "\n".join(caught.value.errors)
    return caught.value.errors


def test_an_empty_rulebook_has_every_rule_off() -> None:
    """Nothing is in force that was not asked for."""
    rulebook = parse_rulebook("empty", {"empty": ""})
    assert rulebook.name == "empty"
    assert build_rules(rulebook) == ()
    assert rulebook.entry(Endpoint.PING).weight_failure == 1


def test_what_a_child_says_wins() -> None:
    """Tables merge key by key, arrays are replaced, everything else is inherited."""
    rulebook = parse_rulebook("child", {"base": BASE, "child": CHILD})
    clause = rulebook.clauses.order_count
    assert clause.mode == "enforce"
    assert [(window.interval, window.limit) for window in clause.windows] == [("1s", 5)]
    entry = rulebook.entry(Endpoint.ORDER_PLACE)
    assert (entry.weight_failure, entry.weight_success, entry.orders) == (7, 0, 1)
    assert rulebook.file.description == "the base"
    assert rulebook.name == "child"


def test_symbols_inherit_from_the_default() -> None:
    """A symbol has its own values over the default's; an unknown one has the default's."""
    rulebook = parse_rulebook("child", {"base": BASE, "child": CHILD})
    own, other = rulebook.filters("BTCUSDT"), rulebook.filters("XYZ")
    assert (own.tick_e8, own.max_order_value_e8) == (E8 // 2, 0)
    assert (other.tick_e8, other.max_order_value_e8) == (E8 // 100, 1000 * E8)
    assert other.order_types == (LIMIT, MARKET)
    assert other.default_stp_mode == EXPIRE_TAKER
    assert rulebook.filters("XYZ") is other


def test_the_revision_is_of_the_resolved_content() -> None:
    """The same content has the same revision, a changed number another."""
    one = parse_rulebook("own", {"own": BASE})
    same = parse_rulebook("own", {"own": BASE.replace("\n", "\n\n# spaced\n")})
    other = parse_rulebook("own", {"own": BASE.replace("limit = 100 ", "limit = 101 ")})
    assert one.revision == same.revision
    assert one.revision != other.revision


def test_changes_are_laid_over() -> None:
    """`with_changes` leaves the rulebook as it was and refuses what a file would not say."""
    base = parse_rulebook("own", {"own": BASE})
    changed = base.with_changes({"instruments": {"default": {"tick_size": "0.1"}}})
    assert changed.filters("XYZ").tick_e8 == E8 // 10
    assert base.filters("XYZ").tick_e8 == E8 // 100
    with pytest.raises(RulebookError, match=r"rules\.resting_tim: unknown field"):
        base.with_changes({"rules": {"resting_tim": {}}})


def test_merge_leaves_both_trees_alone() -> None:
    """Neither argument is changed."""
    base: dict[str, Any] = {"a": {"x": 1, "y": [1]}, "b": 1}
    over: dict[str, Any] = {"a": {"y": [2]}, "c": {"z": 1}}
    assert merge(base, over) == {"a": {"x": 1, "y": [2]}, "b": 1, "c": {"z": 1}}
    assert base == {"a": {"x": 1, "y": [1]}, "b": 1}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[rules.resting_tim]",
            "own:1: rules.resting_tim: unknown field; did you mean `resting_time`?",
        ),
        ("[rule.balance]\n", "own:1: rule: unknown field; did you mean `rules`?"),
        (
            '[rules.balance]\nmode = "on"',
            "own:2: rules.balance.mode: text `on` where one of enforce, off, shadow is expected",
        ),
        (
            "[rules.ban_ladder]\nrefusals = 0",
            "own:2: rules.ban_ladder.refusals: 0 is too small; write 1 or more",
        ),
        (
            '[rules.order_count]\nwindows = [{ interval = "10", limit = 1 }]',
            (
                "own:2: rules.order_count.windows[0].interval: `10` is not a duration; write a whole "
                "number and ns, us, ms, s, m, h or d"
            ),
        ),
        (
            '[rules.order_count.tiers]\nmm = [{ interval = "1s" }]',
            "own:2: rules.order_count.tiers.mm[0].limit: missing",
        ),
        (
            '[rules.resting_time.symbols]\nBTCUSDT = "half"',
            (
                "own:2: rules.resting_time.symbols.BTCUSDT: `half` is not a duration; write a whole "
                "number and ns, us, ms, s, m, h or d"
            ),
        ),
        (
            "[rules.price_collar]\naggressive = 0.1",
            (
                "own:2: rules.price_collar.aggressive: number 0.1 where a decimal number as text, such "
                'as 12 or 0.05, is expected; write "0.1"'
            ),
        ),
        (
            '[rules.ban_ladder]\nfirst_ban = "4d"',
            "own:2: rules.ban_ladder.first_ban: `4d` is longer than longest_ban `3d`",
        ),
        (
            '[rules.recv_window]\nlongest = "4s"',
            "own:1: rules.recv_window.default: `5s` is longer than longest `4s`",
        ),
        (
            "[endpoints]\norder_plac = { weight = 1 }",
            "own:2: endpoints.order_plac: unknown endpoint; did you mean `order_place`?",
        ),
        (
            "[endpoints.depth]\nsteps = [[5, 1], [5, 2]]",
            "own:2: endpoints.depth.steps: sizes 5, 5 do not rise from step to step",
        ),
        (
            "[endpoints.depth]\nsteps = [[5, 1]]\nper_item = 2",
            "own:3: endpoints.depth.per_item: steps and per_item exclude each other",
        ),
        (
            '[endpoints.account]\npermission = "read"',
            "own:2: endpoints.account.permission: `read` needs a key; set security to key or signed",
        ),
        (
            '[instruments.X]\ntick_size = "0.000000001"',
            "own:2: instruments.X.tick_size: `0.000000001` has more than 8 decimal places",
        ),
        (
            '[instruments.X]\nmin_price = "2"\nmax_price = "1"',
            "own:2: instruments.X.min_price: min_price `2` is above max_price `1`",
        ),
        (
            '[instruments.default]\nmin_quantity = "2"\n[instruments.X]\nmax_quantity = "1"',
            "own:4: instruments.X.max_quantity: min_quantity `2` is above max_quantity `1`",
        ),
        (
            '[instruments.X]\nstp_modes = ["NONE"]\ndefault_stp_mode = "EXPIRE_MAKER"',
            (
                "own:3: instruments.X.default_stp_mode: default_stp_mode `EXPIRE_MAKER` is not among "
                "stp_modes NONE"
            ),
        ),
        ("extends = 3", "own:1: extends: the name of a rulebook, as text, is expected"),
        ('extends = "bas"', "own:1: extends: no rulebook `bas`; did you mean `base`?"),
        ('extends = "own"', "own:1: extends: runs in a circle: own → own"),
        (
            "[rules",
            "own:1: not TOML: expected ']' at the end of a table declaration (at end of document)",
        ),
    ],
)
def test_one_fault(text: str, fault: str) -> None:
    """Each kind of error is told with file, line, path, value and what would be accepted."""
    assert faults_of(text) == [fault]


def test_bounds_that_are_equal_or_off_are_good() -> None:
    """A range may be one value; an empty text or 0 is no bound."""
    texts = {
        "own": """
[instruments.A]
min_price = "1"
max_price = "1"
[instruments.B]
min_quantity = "5"
max_quantity = "0"
notional_min = "5"
notional_max = ""
[rules.ban_ladder]
first_ban = "3d"
"""
    }
    assert parse_rulebook("own", texts).filters("A").min_price_e8 == E8


def test_faults_of_structure_and_meaning_come_together() -> None:
    """A wrong type does not hide an impossible range, and what is inherited is found at its place."""
    base = "[endpoints.depth]\nsteps = [[9, 1], [3, 1]]\n"
    text = 'extends = "base"\n[rules.balance]\nmode = 1\n[endpoints.nope]\n[rules.balnce]\n'
    assert faults_of(text, base) == [
        "own:3: rules.balance.mode: number 1 where one of enforce, off, shadow is expected",
        "own:4: endpoints.nope: unknown endpoint; "
        + faults_of("[endpoints.nope]")[0].split("; ")[1],
        "own:5: rules.balnce: unknown field; did you mean `balance`?",
        "base:2: endpoints.depth.steps: sizes 9, 3 do not rise from step to step",
    ]


def test_a_longer_circle_is_found() -> None:
    """Two files that extend each other are told with the whole circle."""
    texts = {"a": 'extends = "b"', "b": 'extends = "a"'}
    with pytest.raises(RulebookError, match="b:1: extends: runs in a circle: a → b → a"):
        parse_rulebook("a", texts)


def test_an_unknown_name_is_told() -> None:
    """The nearest name is proposed."""
    with pytest.raises(RulebookError, match=r"no rulebook `bas`; did you mean `base`\?"):
        parse_rulebook("bas", {"base": BASE})


def test_reading_recovers() -> None:
    """What can't be used is left out, so that rules can be built of the rest."""
    text = '[rules.resting_time]\nmode = "enforce"\nminimum = "soon"\n[endpoints.nope]\n'
    reading = read_rulebook("own", {"own": text}, {"own": "dir/own.toml"})
    assert len(reading.faults) == 2
    assert [rule.name for rule in build_rules(reading.rulebook)] == ["resting_time"]
    assert reading.sources[0].file == "dir/own.toml"


def test_rules_name_their_own_faults() -> None:
    """What only a constructor finds is told by `build_rules`, for each rule."""
    text = """
[rules.order_to_trade]
mode = "enforce"
session_starts = "25:00"
[rules.order_count]
mode = "enforce"
windows = [{ interval = "10s", limit = 1 }, { interval = "10s", limit = 2 }]
"""
    with pytest.raises(RulebookError) as caught:
        build_rules(parse_rulebook("own", {"own": text}))
    assert caught.value.errors == [
        "own: rules.order_count: interval `10s` is limited twice; write one limit for it",
        "own: rules.order_to_trade: `25:00` is not a time of day such as 00:00 or 15:00 (UTC)",
    ]


def test_every_rule_has_a_clause_and_every_clause_a_rule() -> None:
    """The registry and the schema name the same rules."""
    fields = Rulebook(convert({"name": "x"})).clauses.__struct_fields__
    assert sorted(kind.name for kind in RULES) == sorted(fields)
