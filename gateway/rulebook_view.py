"""What a rulebook puts in force, laid out for people: every clause explained, and differences."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from rules.endpoints import Endpoint
from rules.instruments import EndpointEntry
from rules.registry import RULES
from rules.rule import STAGE_NAMES, Rule
from rules.rulebook import Rulebook
from rules.rulebook_checks import DEFAULT_INSTRUMENT

_SECURITY_NAMES: Final = ("none", "key", "signed")
_PERMISSION_NAMES: Final = {0: "", 1: "read", 2: "trade", 4: "margin", 8: "futures"}
_NOT_PARAMETERS: Final = ("mode", "note")


class RuleView(msgspec.Struct, frozen=True):
    """One rule as a rulebook has it."""

    name: str
    stage: str
    mode: str
    about: str
    parameters: dict[str, Any]
    note: str
    source: str
    reasons: tuple[str, ...]
    discloses: bool
    """Whether a refused client is shown limit and observed value."""


class EndpointView(msgspec.Struct, frozen=True):
    """What one endpoint costs and needs."""

    name: str
    weight: str
    weight_success: str
    security: str
    permission: str
    orders: int
    gate: bool


class RulebookView(msgspec.Struct, frozen=True):
    """A whole rulebook."""

    name: str
    description: str
    extends: str
    revision: str
    rules: tuple[RuleView, ...]
    """In the order in which their breaches take precedence."""
    endpoints: tuple[EndpointView, ...]
    instruments: dict[str, dict[str, Any]]
    """By symbol, with what is inherited from the default."""


class Difference(msgspec.Struct, frozen=True):
    """A place where two rulebooks differ; None where one has nothing."""

    path: str
    first: Any
    second: Any


def view_of(rulebook: Rulebook) -> RulebookView:
    """Return what a rulebook puts in force."""
    return RulebookView(
        name=rulebook.name,
        description=rulebook.file.description,
        extends=rulebook.file.extends,
        revision=rulebook.revision,
        rules=tuple(_rule(kind, rulebook) for kind in RULES),
        endpoints=tuple(_endpoint(endpoint, rulebook.entry(endpoint)) for endpoint in Endpoint),
        instruments={symbol: _instrument(symbol, rulebook) for symbol in rulebook.file.instruments},
    )


def differences(first: Rulebook, second: Rulebook) -> list[Difference]:
    """Return where two rulebooks differ in what they put in force; notes and names do not count.

    Instruments are compared with what they inherit, endpoints with what an absent one costs.
    """
    symbols = [*first.file.instruments, *second.file.instruments]
    one, other = _flat(first, symbols), _flat(second, symbols)
    return [
        Difference(path, one.get(path), other.get(path))
        for path in dict.fromkeys((*one, *other))
        if one.get(path) != other.get(path)
    ]


def parameter_text(value: Any) -> str:
    """Return a parameter for people: windows as `100 in 10s`, lists with commas, empty as none."""
    if isinstance(value, Mapping):
        if value.keys() == {"interval", "limit"}:
            return f"{value['limit']:,} in {value['interval']}"
        return "; ".join(f"{key}: {parameter_text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(parameter_text(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def about(kind: type[Rule]) -> str:
    """Return the first sentence of a rule's documentation."""
    paragraph = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + "." if stop else sentence


def _rule(kind: type[Rule], rulebook: Rulebook) -> RuleView:
    clause = getattr(rulebook.clauses, kind.name)
    return RuleView(
        name=kind.name,
        stage=STAGE_NAMES[kind.stage],
        mode=clause.mode,
        about=about(kind),
        parameters=_parameters(clause),
        note=clause.note,
        source=kind.source,
        reasons=tuple(reason.name for reason in kind.reasons),
        discloses=kind.discloses,
    )


def _parameters(clause: msgspec.Struct) -> dict[str, Any]:
    tree: dict[str, Any] = msgspec.to_builtins(clause)
    return {name: value for name, value in tree.items() if name not in _NOT_PARAMETERS}


def _endpoint(endpoint: Endpoint, entry: EndpointEntry) -> EndpointView:
    weight = _weight_text(entry)
    sized = bool(entry.steps or entry.per_item)
    return EndpointView(
        name=endpoint.name.lower(),
        weight=weight,
        weight_success=weight if sized else str(entry.weight_success),
        security=_SECURITY_NAMES[entry.security],
        permission=_PERMISSION_NAMES[entry.permission],
        orders=entry.orders,
        gate=entry.gate,
    )


def _weight_text(entry: EndpointEntry) -> str:
    """Return what a request weighs by its size, in words."""
    if entry.steps:
        parts = [f"{weight} to {size:,}" for size, weight in entry.steps]
        text = ", ".join(parts)
    elif entry.per_item:
        text = f"{entry.per_item} each, at most {entry.weight_failure}"
    else:
        return str(entry.weight_failure)
    return f"{text}, {entry.all_items} for all" if entry.all_items else text


def _instrument(symbol: str, rulebook: Rulebook) -> dict[str, Any]:
    clause = msgspec.to_builtins(rulebook.instrument(symbol))
    return {name: value for name, value in clause.items() if value is not None}


def _flat(rulebook: Rulebook, symbols: Iterable[str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for kind in RULES:
        clause = getattr(rulebook.clauses, kind.name)
        flat[f"rules.{kind.name}.mode"] = clause.mode
        for name, value in _parameters(clause).items():
            path = f"rules.{kind.name}.{name}"
            if isinstance(value, dict):
                flat.update({f"{path}.{key}": item for key, item in value.items()})
            else:
                flat[path] = value
    for endpoint in Endpoint:
        shown: dict[str, Any] = msgspec.to_builtins(_endpoint(endpoint, rulebook.entry(endpoint)))
        name = shown.pop("name")
        flat.update({f"endpoints.{name}.{field}": value for field, value in shown.items()})
    for symbol in dict.fromkeys((DEFAULT_INSTRUMENT, *symbols)):
        for field, value in _instrument(symbol, rulebook).items():
            flat[f"instruments.{symbol}.{field}"] = value
    return flat
