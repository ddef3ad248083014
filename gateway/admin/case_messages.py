"""What the admin port takes and answers about conduct cases and groups of owners."""

from typing import Literal, TypeAlias

import msgspec

from gateway.admin.messages import Message

CaseAct: TypeAlias = Literal["explain", "confirm", "dismiss", "appeal", "clear"]


class CaseActRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say something about a case, or decide it."""

    case: str
    """Its id as clients are told it, or its number."""
    act: CaseAct
    note: str
    actor: str


class LinkRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Judge an owner together with the others of a group from here on, or alone."""

    owner: str
    group: str = ""
    """Empty: alone."""
    note: str
    """What the link rests on."""
    actor: str


class MeasureLine(msgspec.Struct, frozen=True, kw_only=True):
    """A measure in force."""

    symbol: str
    """Empty: in all symbols."""
    step: str
    case: str
    until_ns: int
    """When it goes down by itself, 0 for never."""


class CaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One case in a list."""

    case: str
    """The id clients are told."""
    number: int
    state: str
    rule: str
    interest: str
    """Owner, or group of linked owners."""
    owners: tuple[str, ...]
    symbol: str
    severity: int
    alerts: int
    shadow: bool
    appealed: bool
    opened_ns: int
    last_ns: int
    step: str
    """The measure in force for the interest in the symbol."""


class NoteLine(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was said or decided."""

    now_ns: int
    act: str
    actor: str
    text: str


class CaseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one case."""

    line: CaseLine
    since_ns: int
    """When what it is about began."""
    figures: dict[str, str]
    """What was measured last."""
    evidence: tuple[int, ...]
    """Numbers of the records that make the case."""
    decisions: tuple[str, ...]
    """The same as decision ids."""
    notes: tuple[NoteLine, ...]
    measures: tuple[MeasureLine, ...]
    may: tuple[str, ...]
    """What can be done about it now."""


class CasesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Cases, the latest first."""

    now_ns: int
    cases: tuple[CaseLine, ...]
    more: bool = False
    """Whether there are more than are listed."""


class GroupsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The owners of each group."""

    groups: dict[str, tuple[str, ...]]
