"""What a client is told of the rule that refused, and what stays with the operator.

Rules about conduct keep their limits and what they saw to themselves, and which of them it was that
found a case: whoever knew the threshold would stay just below it.
"""

from typing import Final

from rules.conduct.conduct_standing import ConductStanding
from rules.decisions import Breach
from rules.rule import Rule

CONDUCT: Final = "conduct"
"""What every refusal in a conduct case is told to be by."""


def rule_told(breach: Breach) -> str:
    """Return the name of the rule as the client is told it."""
    return CONDUCT if breach.case else breach.rule


def tells_limits(rule: Rule | None) -> bool:
    """Tell whether the client may know limits, and what was measured against them."""
    return rule is None or rule.discloses


def tells_retry(breach: Breach, rule: Rule | None) -> bool:
    """Tell whether the client may know when the same request could pass.

    How long a measure of the ladder holds is for its owner to know; how long a rule that looks for a
    pattern bars its like is a parameter of that rule.
    """
    return tells_limits(rule) or breach.rule == ConductStanding.name
