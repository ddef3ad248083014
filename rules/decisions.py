"""What a rule may answer and what the pipeline decided, as frozen records.

`Decision` goes into the record beside its event, so the same format rule holds as for events:
fields are only appended, with a default.
"""

from typing import Final, TypeAlias

import msgspec

from rules.reasons import Reason
from rules.values import INT63_MAX

# Verdict of a decision.
NOTED: Final = 1
"""Not a request: an engine report, a definition, an operator's act."""
ACCEPTED: Final = 2
REFUSED: Final = 3
DEFERRED: Final = 4
"""A cancel held back until `until_ns` (minimum resting time, policy DEFER)."""
VERDICT_NAMES: Final = ("", "NOTED", "ACCEPTED", "REFUSED", "DEFERRED")


class Breach(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A limit was broken: which, by how much, and when to try again."""

    rule: str
    reason: Reason
    limit: int | str
    """What was allowed; decimal text when it does not fit 63 bits."""
    observed: int | str
    """What was asked for."""
    retry_ns: int = 0
    """When the same request could pass, 0 when waiting does not help."""
    scope: int = 0
    subject: int = 0
    window_ns: int = 0
    """Length of the window of a rate limit, else 0."""
    detail: str = ""


class Defer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Hold the request back until a time."""

    rule: str
    until_ns: int


class Adjust(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Let the order pass, but never execute worse than this price."""

    rule: str
    price_limit_e8: int


class Charge(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Let the request pass at a price."""

    rule: str
    tariff: str
    amount_e8: int


class Attach(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Let the request pass and cancel these orders with it."""

    rule: str
    cancels: tuple[int, ...]


Verdict: TypeAlias = Breach | Defer | Adjust | Charge | Attach


class Decision(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The pipeline's one answer to one event."""

    verdict: int
    breaches: tuple[Breach, ...] = ()
    """What rules in `enforce` refused it for, the one told to the client first."""
    shadows: tuple[Breach, ...] = ()
    """What rules in `shadow` would have refused it for."""
    order_id: int = 0
    """The number given to an accepted order, or the order a cancel was found to mean."""
    account: int = 0
    owner: int = 0
    bid_e8: int = 0
    ask_e8: int = 0
    """Best bid and offer at the time of the decision, for orders."""
    price_limit_e8: int = 0
    """Worst price the engine may execute at, 0 when unlimited."""
    until_ns: int = 0
    cancels: tuple[int, ...] = ()
    """Orders to be cancelled by this decision (a bulk cancel's slice, a kill)."""
    charges: tuple[Charge, ...] = ()
    more: bool = False
    """A bulk cancel has further slices to come."""
    client_order_id: str = ""
    """The client order id given to an accepted order that came without one."""


class Usage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How much of one limit is used, for headers, limits pages and operators."""

    rule: str
    scope: int
    subject: int
    used: int
    limit: int
    window_ns: int
    """0 when the limit is not a window."""
    resets_ns: int
    """When the window ends, 0 when it is not a window."""
    label: str = ""
    """Short name of the window or group, such as `1M`."""
    scaled_e8: bool = False
    """Whether `used` and `limit` count 1e-8: a ratio or an amount."""


class Explanation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One rule's look at one event: what it allows and what it saw, also when it passes."""

    rule: str
    passed: bool
    reason: Reason | None
    """The reason it refuses for; None when it passes."""
    limit: int | str
    observed: int | str
    detail: str = ""


NOTED_DECISION: Final = Decision(verdict=NOTED)


def stored(value: int) -> int | str:
    """Return `value`, as decimal text when it does not fit the record's 63 bits."""
    if -INT63_MAX <= value <= INT63_MAX:
        return value
    return str(value)
