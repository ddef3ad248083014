"""Explanations and breaches that say the same: a refusing rule builds its breach from the former.

`check` only compares, which is cheap. Where it refuses, it hands its own explanations to
`first_breach`, so that both name the same reason, limit and observed value.
"""

from rules.decisions import Breach, Explanation, stored
from rules.reasons import Reason


def look(
    rule: str, passed: bool, reason: Reason, limit: int, observed: int, detail: str = ""
) -> Explanation:
    """Return what `rule` allows and saw of what it refuses for `reason`."""
    return Explanation(
        rule=rule,
        passed=passed,
        reason=None if passed else reason,
        limit=stored(limit),
        observed=stored(observed),
        detail=detail,
        asked=reason,
    )


def first_breach(
    explanations: tuple[Explanation, ...], scope: int = 0, subject: int = 0, retry_ns: int = 0
) -> Breach:
    """Return the breach of the first explanation that has not passed.

    Raises AssertionError when all have passed: the rule's comparison and its explanation disagree,
    and an order that should be refused must not slip through.
    """
    for explanation in explanations:
        if explanation.reason is not None:
            return Breach(
                rule=explanation.rule,
                reason=explanation.reason,
                limit=explanation.limit,
                observed=explanation.observed,
                retry_ns=retry_ns,
                scope=scope,
                subject=subject,
                detail=explanation.detail,
            )
    raise AssertionError(f"refused without a reason; the explanations are {explanations}")
