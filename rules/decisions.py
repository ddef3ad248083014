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
    case: int = 0
    """Number of the conduct case behind it, 0 when there is none."""


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
    order_id: int = 0
    """The order whose cancel or change it is for."""


class Attach(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Let the request pass and cancel these orders with it."""

    rule: str
    cancels: tuple[int, ...]


Verdict: TypeAlias = Breach | Defer | Adjust | Charge | Attach


class Alert(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a conduct rule found: an indicator with its evidence, never a verdict on anybody."""

    rule: str
    interest: int
    """Whose conduct it is: an owner, or minus a group of linked owners."""
    symbol: int
    """0 where it is about several."""
    severity: int
    """1 usual, 2 aggravated, 3 and more grave."""
    since_ns: int
    """Time of the first order or trade it is about."""
    evidence: tuple[int, ...]
    """Records that make the case: decisions on orders, reports of trades."""
    figures: tuple[tuple[str, int | str], ...]
    """What was measured, by name; `_e8` names count 1e-8, `_ns` names nanoseconds. Decimal text
    when it does not fit 63 bits."""
    owners: tuple[int, ...] = ()
    """The owners who took part."""
    shadow: bool = False
    """Found by a rule in shadow: it is told, and no measure follows."""
    case: int = 0
    """The case it opened or belongs to: the number of the record that opened it."""


class LadderStep(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A measure against one interest in one symbol (0: in all) got stricter or milder."""

    case: int
    interest: int
    symbol: int
    before: int
    """Step of the ladder before (`conduct_facts.STEP_*`)."""
    step: int
    until_ns: int
    """When it goes down again by itself, 0 for never or when nothing is left."""
    cause: str
    """`alert`, `decay`, `spread` (to all symbols), `dismissed` or `cleared`."""


class Posting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A fee that is charged, or the reversal of one.

    It is known by its `identity`, which names tariff, period, owner and symbol; one that was booked
    already changes nothing.
    """

    identity: str
    tariff: str
    owner: int
    symbol: int
    """0 where the tariff charges for everything an owner did."""
    period: str
    """The day as `2026-01-31`, or the month as `2026-01`."""
    amount_e8: int | str
    """Below 0 for a reversal; decimal text when it does not fit 63 bits."""
    currency: str
    reverses: str = ""
    """Identity of the posting that is reversed."""


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
    alerts: tuple[Alert, ...] = ()
    """What conduct rules found when the event was applied."""
    steps: tuple[LadderStep, ...] = ()
    """Measures that got stricter or milder with the event."""
    postings: tuple[Posting, ...] = ()
    """Fees that are charged or reversed with the event."""
    deferred: tuple[int, ...] = ()
    """Orders whose cancel is held until they are old enough."""


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
    asked: Reason | None = None
    """The reason it would refuse for, also when it passes; None where a rule has only one."""


NOTED_DECISION: Final = Decision(verdict=NOTED)


def stored(value: int) -> int | str:
    """Return `value`, as decimal text when it does not fit the record's 63 bits."""
    if -INT63_MAX <= value <= INT63_MAX:
        return value
    return str(value)
