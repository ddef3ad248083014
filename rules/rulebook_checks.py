"""What a rulebook's fields must mean together: names, order and ranges that types can't say."""

from itertools import pairwise
from typing import Final

from rules.clauses import EndpointClause, InstrumentClause, RulebookFile
from rules.endpoints import ENDPOINT_BY_NAME
from rules.faults import Fault, FieldPath, nearest
from rules.texts import read_duration, read_switchable_decimal

DEFAULT_INSTRUMENT: Final = "default"

_RANGES: Final = (
    ("min_price", "max_price"),
    ("min_quantity", "max_quantity"),
    ("market_min_quantity", "market_max_quantity"),
    ("notional_min", "notional_max"),
    ("percent_price_down", "percent_price_up"),
    ("bid_multiplier_down", "bid_multiplier_up"),
    ("ask_multiplier_down", "ask_multiplier_up"),
)
"""Fields of an instrument of which the first must not be above the second, unless one is 0."""

_DURATIONS: Final = (
    ("ban_ladder", "first_ban", "longest_ban"),
    ("recv_window", "default", "longest"),
    ("recv_window", "ahead", "invalid_ahead"),
)
"""Rule, and fields of which the first must not be longer than the second."""


def check_meaning(file: RulebookFile) -> list[Fault]:
    """Return what is wrong with a rulebook whose structure is right."""
    return [*_rules(file), *_endpoints(file), *_instruments(file)]


def merged_instrument(file: RulebookFile, symbol: str) -> InstrumentClause:
    """Return a symbol's clause with the default's values where it has none of its own."""
    merged = {}
    for name in (DEFAULT_INSTRUMENT, symbol):
        clause = file.instruments.get(name)
        if clause is not None:
            for field in clause.__struct_fields__:
                value = getattr(clause, field)
                if value is not None:
                    merged[field] = value
    return InstrumentClause(**merged)


def _rules(file: RulebookFile) -> list[Fault]:
    faults = []
    for rule, shorter, longer in _DURATIONS:
        clause = getattr(file.rules, rule)
        first, second = getattr(clause, shorter), getattr(clause, longer)
        if read_duration(first) > read_duration(second):
            message = f"`{first}` is longer than {longer} `{second}`"
            faults.append(Fault(message, ("rules", rule, shorter)))
    return faults


def _endpoints(file: RulebookFile) -> list[Fault]:
    faults = []
    for name, clause in file.endpoints.items():
        path = ("endpoints", name)
        if name not in ENDPOINT_BY_NAME:
            faults.append(Fault(f"unknown endpoint; {nearest(name, ENDPOINT_BY_NAME)}", path))
        faults.extend(_endpoint(clause, path))
    return faults


def _endpoint(clause: EndpointClause, path: FieldPath) -> list[Fault]:
    faults = []
    sizes = [size for size, _ in clause.steps]
    if any(later <= earlier for earlier, later in pairwise(sizes)):
        message = f"sizes {', '.join(map(str, sizes))} do not rise from step to step"
        faults.append(Fault(message, (*path, "steps")))
    if clause.steps and clause.per_item:
        faults.append(Fault("steps and per_item exclude each other", (*path, "per_item")))
    if clause.permission and clause.security == "none":
        message = f"`{clause.permission}` needs a key; set security to key or signed"
        faults.append(Fault(message, (*path, "permission")))
    return faults


def _instruments(file: RulebookFile) -> list[Fault]:
    faults = []
    for symbol, own in file.instruments.items():
        merged = merged_instrument(file, symbol)
        for lower, upper in _RANGES:
            if getattr(own, lower) is None and getattr(own, upper) is None:
                continue
            least, most = getattr(merged, lower) or "", getattr(merged, upper) or ""
            bounds = read_switchable_decimal(least), read_switchable_decimal(most)
            if all(bounds) and bounds[0] > bounds[1]:
                at = lower if getattr(own, lower) is not None else upper
                message = f"{lower} `{least}` is above {upper} `{most}`"
                faults.append(Fault(message, ("instruments", symbol, at)))
        faults.extend(_default_stp_mode(symbol, own, merged))
    return faults


def _default_stp_mode(symbol: str, own: InstrumentClause, merged: InstrumentClause) -> list[Fault]:
    if own.default_stp_mode is None and own.stp_modes is None:
        return []
    default, modes = merged.default_stp_mode, merged.stp_modes
    if not default or not modes or default in modes:
        return []
    at = "stp_modes" if own.default_stp_mode is None else "default_stp_mode"
    message = f"default_stp_mode `{default}` is not among stp_modes {', '.join(modes)}"
    return [Fault(message, ("instruments", symbol, at))]
