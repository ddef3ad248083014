"""A rulebook: data that says which rules are in force and with which numbers.

Parsing is pure: the texts are handed in, nothing is read from disk here. Inheritance is by
`extends`: tables are merged key by key, the inheriting file wins. Every error is reported at once.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from rules.clauses import (
    EndpointClause,
    InstrumentClause,
    RulebookFile,
    RuleClauses,
)
from rules.endpoints import ENDPOINT_BY_NAME, Endpoint
from rules.instruments import EndpointEntry, Filters
from rules.valuation import Valuation


class RulebookError(ValueError):
    """A rulebook that can't be used; `errors` names every fault, one line each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class Rulebook:
    """A compiled rulebook.

    `clauses` holds the parameters of every rule, `entry(endpoint)` what an endpoint costs and
    needs, `filters(symbol)` the limits of one symbol, `valuation` the reference waterfall and the
    price bounds, `revision` a digest of the resolved text.
    """

    def __init__(self, file: RulebookFile) -> None:
        self.name = file.name
        self.description = file.description
        self.file = file
        self.clauses: RuleClauses = file.rules
        self.valuation = Valuation(file.rules)
        self.text = msgspec.json.encode(file, order="deterministic").decode()
        self.revision = hashlib.sha256(self.text.encode()).hexdigest()[:16]
        default = EndpointEntry(EndpointClause())
        self.entries: list[EndpointEntry] = [default] * (max(Endpoint) + 1)
        for name, clause in file.endpoints.items():
            self.entries[ENDPOINT_BY_NAME[name]] = EndpointEntry(clause)
        self._instruments = file.instruments
        self._filters: dict[str, Filters] = {}

    def entry(self, endpoint: int) -> EndpointEntry:
        """Return what `endpoint` costs and needs."""
        return self.entries[endpoint]

    def filters(self, symbol_name: str) -> Filters:
        """Return the limits of a symbol, the default's where it has none of its own."""
        found = self._filters.get(symbol_name)
        if found is None:
            found = self._filters[symbol_name] = Filters(self.instrument(symbol_name))
        return found

    def instrument(self, symbol_name: str) -> InstrumentClause:
        """Return a symbol's clause with the default's values where it has none of its own."""
        merged: dict[str, Any] = {}
        for key in ("default", symbol_name):
            clause = self._instruments.get(key)
            if clause is not None:
                for field in clause.__struct_fields__:
                    value = getattr(clause, field)
                    if value is not None:
                        merged[field] = value
        return InstrumentClause(**merged)

    def with_changes(self, changes: Mapping[str, Any]) -> "Rulebook":
        """Return this rulebook with `changes` (a TOML-like tree) merged over it."""
        tree = merge(msgspec.to_builtins(self.file), changes)
        return Rulebook(convert(tree))


def parse_rulebook(name: str, texts: Mapping[str, str]) -> Rulebook:
    """Return the rulebook `name` from `texts` (name → TOML), with what it extends.

    Raises RulebookError with every fault found.
    """
    tree: dict[str, Any] = {}
    chain: list[str] = []
    wanted = name
    while wanted:
        if wanted in chain:
            raise RulebookError(
                [f"{name}: `extends` runs in a circle: {' → '.join([*chain, wanted])}"]
            )
        if wanted not in texts:
            raise RulebookError([f"no rulebook `{wanted}`; there are {', '.join(sorted(texts))}"])
        chain.append(wanted)
        try:
            own = tomllib.loads(texts[wanted])
        except tomllib.TOMLDecodeError as error:
            raise RulebookError([f"{wanted}: {error}"]) from None
        tree = merge(own, tree)
        wanted = own.get("extends", "")
    tree["name"] = name
    return Rulebook(convert(tree))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on it: tables key by key, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def convert(tree: Mapping[str, Any]) -> RulebookFile:
    """Return the typed form of a merged tree; raises RulebookError."""
    try:
        return msgspec.convert(tree, RulebookFile)
    except msgspec.ValidationError as error:
        raise RulebookError([str(error)]) from None
