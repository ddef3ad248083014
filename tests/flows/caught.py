"""Who is found in the mixed flow, by which rule, and how long after his first order."""

from pathlib import Path
from typing import Any, NamedTuple

from gateway.flows.participants import OWNERS_FLOW, Participants
from gateway.flows.reader import read_flow
from gateway.rulebooks import load_rulebook
from gateway.simulate import simulate
from rules.values import NS_PER_MS
from tests.flows.manipulation import MANIPULATORS, first_orders, write_manipulation


class Caught(NamedTuple):
    """The first alert of one rule about one participant."""

    participant: str
    rule: str
    symbol: str
    severity: int
    after_ms: int
    """From the participant's first order in the symbol to the alert."""
    evidence: int
    alerts: int
    """How many alerts of the rule there were in all."""


class Report(NamedTuple):
    """What came of the mixed flow."""

    caught: list[Caught]
    missed: list[tuple[str, str]]
    """(participant, rule) of manipulators nobody found."""
    innocents: int
    """How many participants did nothing wrong."""
    accused: dict[str, int]
    """Innocents with their alerts; empty when all is well."""
    refused: dict[str, dict[str, int]]
    """By pattern, messages it refused before the engine, by participant."""


def report(folder: Path) -> Report:
    """Simulate the mixed flow, written into `folder`, under the shipped `fss-conduct`."""
    path = folder / "manipulation.csv"
    write_manipulation(path)
    refused: dict[str, dict[str, int]] = {rule: {} for rule in MANIPULATORS}

    def told(index: int, row: Any, account: str, decision: Any) -> None:
        for breach in decision.breaches:
            if breach.rule in refused:
                counts = refused[breach.rule]
                counts[account] = counts.get(account, 0) + 1

    figures = simulate(
        read_flow(path), load_rulebook("fss-conduct"), Participants(OWNERS_FLOW), told=told
    )
    return _report(figures, refused, first_orders(path))


def _report(
    figures: dict[str, Any],
    refused: dict[str, dict[str, int]],
    first_ns: dict[tuple[str, str], int],
) -> Report:
    wanted = [(name, rule) for rule, names in MANIPULATORS.items() for name in sorted(names)]
    found: dict[tuple[str, str], Caught] = {}
    accused: dict[str, int] = {}
    for alert in figures["alerts"]:
        key = alert["who"], alert["rule"]
        if key not in wanted:
            accused[key[0]] = accused.get(key[0], 0) + 1
            continue
        known = found.get(key)
        if known is not None:
            found[key] = known._replace(alerts=known.alerts + 1)
            continue
        after_ns = alert["at_ns"] - first_ns[alert["who"], alert["symbol"]]
        found[key] = Caught(
            *key, alert["symbol"], alert["severity"], after_ns // NS_PER_MS, alert["evidence"], 1
        )
    everybody = {account for account, _ in first_ns}
    return Report(
        caught=[found[key] for key in wanted if key in found],
        missed=[key for key in wanted if key not in found],
        innocents=len(everybody - {name for name, _ in wanted}),
        accused=accused,
        refused=refused,
    )
