"""The shipped rulebooks keep what they are for."""

from gateway.rulebooks import load_rulebook
from rules.registry import RULES, mode_of

OUT_OF_REACH = 1_000_000_000


def test_bench_enforces_every_rule_with_limits_out_of_reach() -> None:
    """No rule is off or in shadow, and no window limits anybody, whatever the account's tier."""
    rulebook = load_rulebook("bench")
    assert {mode_of(rulebook, rule.name) for rule in RULES} == {"enforce"}
    clauses = rulebook.clauses
    groups = [
        clauses.raw_requests.windows,
        clauses.request_weight.windows,
        clauses.request_weight.gate_windows,
        clauses.order_count.windows,
        *clauses.order_count.tiers.values(),
    ]
    assert all(window.limit >= OUT_OF_REACH for group in groups for window in group)
    assert len(groups) == 5, "the default's tier has limits of its own here"
