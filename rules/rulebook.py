"""A rulebook: data that says which rules are in force and with which numbers.

Parsing is pure: the texts are handed in, nothing is read from disk here. Inheritance is by
`extends`: tables are merged key by key, the inheriting file wins. Every error is reported at once,
in structure and in meaning; what only a rule's constructor finds is added by whoever builds rules.
"""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from rules.clauses import (
    EndpointClause,
    InstrumentClause,
    RulebookFile,
    RuleClauses,
)
from rules.endpoints import ENDPOINT_BY_NAME, Endpoint
from rules.faults import Fault, located, nearest, syntax_fault
from rules.fees.models import MODELS
from rules.fees.tariff import Tariff, tariff_faults
from rules.instruments import EndpointEntry, Filters
from rules.rulebook_checks import check_meaning, merged_instrument
from rules.strict import UNUSABLE, StrictReader
from rules.valuation import Valuation


class RulebookError(ValueError):
    """A rulebook that can't be used.

    `faults` has every fault with its place; `errors` has the same as one line each.
    """

    def __init__(self, errors: Sequence[str | Fault]) -> None:
        self.faults = [Fault(error) if isinstance(error, str) else error for error in errors]
        self.errors = [str(fault) for fault in self.faults]
        super().__init__("\n".join(self.errors))


class RulebookSource(NamedTuple):
    """One file of a rulebook's line of inheritance."""

    file: str
    """What faults in it are reported under."""
    text: str


class RulebookReading(NamedTuple):
    """A rulebook as far as it can be used, and what is wrong with it, not yet located."""

    rulebook: "Rulebook"
    faults: list[Fault]
    sources: list[RulebookSource]
    """The files it was read from, the inheriting one first."""


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
        # A dict, since a list is slow to index with a number of an enumeration.
        self.entries: dict[int, EndpointEntry] = {
            **dict.fromkeys(Endpoint, default),
            **dict.fromkeys(range(max(Endpoint) + 1), default),
        }
        for name, clause in file.endpoints.items():
            self.entries[ENDPOINT_BY_NAME[name]] = EndpointEntry(clause)
        self._filters: dict[str, Filters] = {}
        self.tariffs = {name: Tariff(name, tariff) for name, tariff in file.tariffs.items()}
        """Tariffs in use, by name."""

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
        return merged_instrument(self.file, symbol_name)

    def with_changes(self, changes: Mapping[str, Any]) -> "Rulebook":
        """Return this rulebook with `changes` (a TOML-like tree) merged over it."""
        tree = merge(msgspec.to_builtins(self.file), changes)
        return Rulebook(convert(tree))


def parse_rulebook(name: str, texts: Mapping[str, str]) -> Rulebook:
    """Return the rulebook `name` from `texts` (name → TOML), with what it extends.

    Raises RulebookError with every fault found.
    """
    reading = read_rulebook(name, texts)
    if reading.faults:
        raise RulebookError(located(reading.faults, reading.sources))
    return reading.rulebook


def read_rulebook(
    name: str,
    texts: Mapping[str, str],
    files: Mapping[str, str] | None = None,
    tariffs: Mapping[str, str] | None = None,
) -> RulebookReading:
    """Read the rulebook `name` from `texts` (name → TOML), with what it extends.

    `files` gives the file of a rulebook where it is not the rulebook's name. What can't be used
    is left out of the result, so that its rules can be built and checked all the same. `tariffs`
    are texts of tariffs by name: those that a rule names become part of the rulebook. Raises
    RulebookError when a text is no TOML or the line of inheritance is broken.
    """
    tree: dict[str, Any] = {}
    sources: list[RulebookSource] = []
    chain: list[str] = []
    if name not in texts:
        raise RulebookError([f"no rulebook `{name}`; {nearest(name, texts)}"])
    wanted: Any = name
    while wanted:
        text = texts[wanted]
        file = (files or {}).get(wanted, wanted)
        try:
            own = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RulebookError([syntax_fault(error, file, text)]) from None
        chain.append(wanted)
        sources.append(RulebookSource(file, text))
        tree = merge(own, tree)
        wanted = own.get("extends", "")
        if message := _extends_fault(wanted, chain, texts):
            raise RulebookError(located([Fault(message, ("extends",))], sources[-1:]))
    tree["name"] = name
    _add_tariffs(tree, tariffs or {})
    converted, faults = _convert(tree)
    return RulebookReading(Rulebook(converted), faults, sources)


def _add_tariffs(tree: dict[str, Any], texts: Mapping[str, str]) -> None:
    """Put the tariffs that a rule names into the tree, so that a rulebook is whole by itself."""
    tables = tree.setdefault("tariffs", {})
    if not isinstance(tables, Mapping):
        return
    fees, resting = _rule_table(tree, "cancel_fees"), _rule_table(tree, "resting_time")
    lists = [fees.get(key) for key in ("tariffs", "market_maker_tariffs")]
    named = [name for names in lists if isinstance(names, list) for name in names]
    cases = resting.get("cases")
    tables_of_cases = cases if isinstance(cases, list) else []
    named += [case.get("tariff") for case in (resting, *tables_of_cases) if isinstance(case, dict)]
    named = [name for name in named if isinstance(name, str)]
    wanted = {name: texts[name] for name in named if name in texts and name not in tables}
    tree["tariffs"] = {**tables, **{name: tomllib.loads(text) for name, text in wanted.items()}}


def _rule_table(tree: Mapping[str, Any], rule: str) -> Mapping[str, Any]:
    """Return the table of a rule, empty when it is none."""
    table: Any = tree.get("rules")
    table = table.get(rule) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}


def _extends_fault(wanted: Any, chain: list[str], texts: Mapping[str, str]) -> str:
    """Return what is wrong with the name of the rulebook that is extended, empty when nothing."""
    if not isinstance(wanted, str):
        return "the name of a rulebook, as text, is expected"
    if wanted in chain:
        return f"runs in a circle: {' → '.join([*chain, wanted])}"
    if wanted and wanted not in texts:
        return f"no rulebook `{wanted}`; {nearest(wanted, texts)}"
    return ""


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
    """Return the typed form of a merged tree; raises RulebookError with every fault."""
    file, faults = _convert(tree)
    if faults:
        raise RulebookError(faults)
    return file


def _convert(tree: Mapping[str, Any]) -> tuple[RulebookFile, list[Fault]]:
    """Return the typed form of a merged tree as far as it can be used, and its faults."""
    reader = StrictReader()
    file = reader.read(tree, RulebookFile)
    if file is UNUSABLE:
        return RulebookFile(name="unusable"), reader.faults
    faults = reader.faults + check_meaning(file)
    known = {name: one for name, one in file.endpoints.items() if name in ENDPOINT_BY_NAME}
    tariffs = {}
    for name, tariff in file.tariffs.items():
        given = [model for model in MODELS if getattr(tariff, model) is not None]
        wrong = list(tariff_faults(name, tariff, given))
        if not wrong:
            tariffs[name] = tariff
        faults += [one._replace(path=("tariffs", name, *one.path)) for one in wrong]
    return msgspec.structs.replace(file, endpoints=known, tariffs=tariffs), faults
