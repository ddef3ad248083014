"""A record as one line: what operators, sessions and conduct rules did, in words."""

import pytest

from gateway.journal import Record
from gateway.logview.lines import record_line
from gateway.logview.rendering import Names
from gateway.logview.subjects import Subjects
from rules import values
from rules.conduct_facts import STEP_NONE, STEP_NOTICE, STEP_SLOW
from rules.decisions import (
    ACCEPTED,
    NOTED_DECISION,
    Alert,
    Charge,
    Decision,
    LadderStep,
    Posting,
)
from rules.endpoints import Endpoint
from rules.events import (
    ActOnCase,
    BalanceAdjusted,
    BulkCancel,
    ClearBan,
    Deadline,
    Define,
    DefineAccount,
    DefineKey,
    Event,
    LinkOwners,
    OwnerClassChanged,
    PostFees,
    Query,
    RecordSpace,
    RefusedAggregate,
    RefusedRequest,
    RulebookChanged,
    SessionClosed,
    SessionOpened,
    SetState,
    SetSymbolState,
)
from rules.reasons import Reason

from .record_world import ACCOUNT, DEFINITIONS, E8, OTHER, OWNER, START_NS

SLOW = values.STATE_SLOW
REST = values.CHANNEL_REST
ASKED = Query(Endpoint.ACCOUNT, 1, 1, values.AUTH_OK, 0, 0, 0, 0, REST, 0, 0)


def line_of(event: Event, decision: Decision = NOTED_DECISION) -> str:
    """Return the line of a record that follows the definitions of two owners and a group."""
    subjects = Subjects()
    group = Define(values.DEFINE_GROUP, 1, "family")
    for definition in (*DEFINITIONS, group):
        subjects.observe(Record(1, START_NS, definition, NOTED_DECISION))
    record = Record(2, START_NS, event, decision)
    return record_line(record, subjects.observe(record), Names(subjects.directory))


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (ActOnCase(7, values.CASE_EXPLAIN, "a test", "ann"), "explain case 7: a test (by ann)"),
        (
            LinkOwners(1, 1, "one address", "ann"),
            f"{OWNER} with group family: one address (by ann)",
        ),
        (LinkOwners(1, 0, "mistaken", "ann"), f"{OWNER} alone: mistaken (by ann)"),
        (
            OwnerClassChanged(1, values.OWNER_HIGH_FREQUENCY, 1, 172_800, 5),
            f"{OWNER} is high_frequency, 172800 messages in BTCUSDT",
        ),
        (OwnerClassChanged(1, values.OWNER_ORDINARY), f"{OWNER} is ordinary"),
        (ClearBan(1, 0, "ann"), "lifted (by ann)"),
        (ClearBan(1, START_NS, "ann"), "banned until 2025-10-09T08:53:20.123456789Z (by ann)"),
        (
            SetState(values.SCOPE_OWNER, 2, SLOW, "too fast", "ann"),
            f"owner {OTHER} SLOW: too fast (by ann)",
        ),
        (SetState(values.SCOPE_VENUE, 0, values.STATE_ACTIVE, "", ""), "venue ACTIVE"),
        (SetSymbolState(1, values.SYMBOL_HALT, "news", "ann"), "HALT: news (by ann)"),
        (BalanceAdjusted(1, 0, 1, 1, 5 * E8, "paid in"), "+5 BTC: paid in"),
        (BalanceAdjusted(1, 0, 1, 1, -E8 // 2), "-0.5 BTC"),
        (BulkCancel(values.SCOPE_OWNER, 1, 0, values.CAUSE_KILL, 1), f"owner {OWNER} KILL"),
        (Define(values.DEFINE_AGENT, 2, "curl"), "agent curl"),
        (DefineAccount(3, "third", 2, "", 0, enabled=False), f"third of owner {OTHER}, disabled"),
        (DefineKey(3, "key-3", 1, 1, (), 0), f"key-3 of account {ACCOUNT}"),
        (ASKED, "account"),
        (SessionOpened(4, 1, 1, REST), "session 4"),
        (SessionClosed(4, False), "session 4, lost"),
        (SessionClosed(4, True), "session 4"),
        (RefusedAggregate(0, Reason.KEY_UNKNOWN, 17, 0, 1), "17 refused, first for KEY_UNKNOWN"),
        (RecordSpace(values.SPACE_LOW, 4096), "LOW, 4096 bytes free"),
        (RulebookChanged("eu-conduct", "85e9", "ann", ""), "eu-conduct 85e9 (by ann)"),
        (PostFees("ann"), "(by ann)"),
        (Deadline(12), "no answer to command 12"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_what_happened(event: Event, told: str) -> None:
    """The line ends with it, and no blank is left behind."""
    assert line_of(event).endswith(f"  {told}")


def test_more_than_a_line_has_room_for() -> None:
    """A line that leaves something out says so: orders beyond three, details beyond 40 characters."""
    stop = BulkCancel(values.SCOPE_OWNER, 1, 0, values.CAUSE_KILL, 1)
    for count, told in ((3, " #5 #6 #7"), (4, " #5 #6 #7 and 1 more"), (256, "#7 and 253 more")):
        decision = Decision(ACCEPTED, cancels=tuple(range(5, 5 + count)))
        assert line_of(stop, decision).endswith(told)
    head = (Endpoint.ORDER_PLACE, 1, 1, values.AUTH_OK, 0, 0, 0, 0, REST, 0, 0)
    for length, told in ((40, "x" * 40), (41, f"{'x' * 39}…")):
        refused = RefusedRequest(*head, Reason.INVALID_PARAMETER, "x" * length)
        assert line_of(refused).endswith(f" INVALID_PARAMETER {told}")


def test_a_record_without_account_or_address_names_its_owners() -> None:
    """The column WHO is not empty where an owner is known."""
    assert f"  {OWNER} " in line_of(LinkOwners(1, 1)).partition("NOTED")[0]


def test_what_followed() -> None:
    """Charges, what rules told, measures and postings stand in the line of their record."""
    alert = Alert("layering", -1, 1, 2, START_NS, (1,), (), case=2)
    raised = LadderStep(2, -1, 1, STEP_NONE, STEP_SLOW, 5, "alert")
    lapsed = LadderStep(1, 2, 0, STEP_SLOW, STEP_NOTICE, 5, "decay")
    decision = Decision(
        ACCEPTED,
        charges=(Charge("resting_time", "age-priced", E8 // 50, 3),),
        alerts=(alert, Alert("clusters", 1, 0, 1, START_NS, (), (), shadow=True, case=3)),
        steps=(raised, lapsed),
    )
    assert line_of(ASKED, decision).endswith(
        "account | charged 0.02 by age-priced; told layering: family, severity 2, case 2; "
        f"shadow told clusters: {OWNER}, severity 1, case 3; "
        "measure none to slow: family in BTCUSDT, alert, case 2; "
        f"measure slow to notice: {OTHER}, decay, case 1"
    )


@pytest.mark.parametrize(("count", "more"), [(3, ""), (4, "; and 1 more, which --json lists")])
def test_postings(count: int, more: str) -> None:
    """Three are named; of more the line says how many."""
    posting = Posting("t:2026-01:o:", "t", 1, 0, "2026-01", -E8, "EUR", reverses="x")
    line = line_of(PostFees(), Decision(1, postings=(posting,) * count))
    told = f"posted -1 EUR: t 2026-01 {OWNER}"
    assert line.endswith("  " + "; ".join([told] * 3) + more)
