"""The mixed flow: every manipulator is found with evidence, and nobody else is accused."""

import pytest

from tests.flows.caught import Report, report
from tests.flows.manipulation import MANIPULATORS, manipulation_rows

SLOWEST_MS = {
    "tape_painting": 6 * 60_000,
    "fictitious_bids": 3 * 60_000,
    "matched_trades": 3 * 60_000,
    "target_ramp": 60_000,
}
"""The patterns' own windows bound how long finding them takes."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Simulate the flow once."""
    return report(tmp_path_factory.mktemp("mixed"))


def test_the_flow_is_the_same_every_time() -> None:
    """It is a file's worth of facts, not an experiment."""
    assert manipulation_rows() == manipulation_rows()


def test_everybody_who_manipulates_is_found(found: Report) -> None:
    """Each scripted participant by the rule made for what he does."""
    assert found.missed == []
    assert {(one.participant, one.rule) for one in found.caught} == {
        (name, rule) for rule, names in MANIPULATORS.items() for name in names
    }


def test_the_time_from_first_order_to_alert(found: Report) -> None:
    """None is found at his first order but the one who trades with himself."""
    for one in found.caught:
        least_ms = 0 if one.participant == "ring-c" else 1
        assert least_ms <= one.after_ms <= SLOWEST_MS[one.rule], one


def test_there_is_evidence(found: Report) -> None:
    """An alert names the records that make the case."""
    assert all(one.evidence >= 3 for one in found.caught)


def test_orders_of_other_channels_aggravate(found: Report) -> None:
    """The high bid by hand counts against the painter, the buys by hand against the baiter."""
    severities = {one.participant: one.severity for one in found.caught}
    assert severities["painter"] == 2
    assert severities["baiter"] == 2


def test_no_innocent_is_accused(found: Report) -> None:
    """Traders, a market maker, retail customers and bots that buy a little all the time."""
    assert found.innocents >= 60
    assert found.accused == {}


def test_what_goes_on_is_refused_before_the_engine(found: Report) -> None:
    """Painting, fled lures that come back and bids that raise the price; of nobody else."""
    for rule, name in (
        ("tape_painting", "painter"),
        ("fictitious_bids", "baiter"),
        ("target_ramp", "ramper"),
    ):
        assert set(found.refused[rule]) == {name}
        assert found.refused[rule][name] > 0
