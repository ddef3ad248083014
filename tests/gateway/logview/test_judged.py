"""Records that name only a case, or a group of linked owners, are found by the owners concerned."""

from pathlib import Path

import msgspec
import pytest

from gateway.journal import Record
from gateway.logview.case import case_file
from gateway.logview.case_html import case_html
from gateway.logview.query import Query, search
from gateway.logview.rendering import Names
from gateway.logview.sources import source_of
from gateway.logview.subjects import Subjects
from gateway.snapshots import Snapshot
from rules import values
from rules.conduct_facts import STEP_NONE, STEP_NOTICE, Case
from rules.decisions import ACCEPTED, NOTED_DECISION, Alert, Decision, LadderStep, Posting
from rules.events import ActOnCase, Define, Event, LinkOwners, PostFees
from rules.events import Query as Asked
from rules.pipeline import Pipeline

from .record_world import DEFINITIONS, OTHER, OWNER, RULEBOOK, START_NS, World

CASE = 9
GROUP = Define(values.DEFINE_GROUP, 1, "family")
LINKED = LinkOwners(1, 1, "one address", "me")


def alert(interest: int) -> Alert:
    """Return what a rule told of an interest, in which the second owner took part."""
    return Alert("layering", interest, 1, 1, START_NS, (1, 2), (), owners=(2,), case=CASE)


def step(interest: int) -> LadderStep:
    """Return a measure that ends."""
    return LadderStep(CASE, interest, 1, STEP_NOTICE, STEP_NONE, 0, "decay")


def owners_of(subjects: Subjects, event: Event, decision: Decision = NOTED_DECISION) -> set[int]:
    """Return whom the next record is about."""
    return set(subjects.observe(Record(1, START_NS, event, decision)).owners)


def snapshot(interest: int) -> Snapshot:
    """Return the state after a case was opened against an interest, the first owner linked."""
    pipeline = Pipeline(RULEBOOK)
    pipeline.book.conduct.link(1, 1)
    case = Case(CASE, interest, 1, "layering", False, START_NS, START_NS)
    case.owners = (2,)
    pipeline.book.conduct.cases[CASE] = case
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(pipeline.state()))
    return Snapshot(
        run_id="run",
        seq=1,
        now_ns=START_NS,
        rulebook_name="plain",
        rulebook_revision="",
        code_digest="",
        definitions=(*DEFINITIONS[:13], GROUP),  # type: ignore[arg-type]
        pipeline=stored,
    )


@pytest.mark.parametrize("interest", [1, -1])
def test_acts_on_a_case_that_was_opened_before_the_snapshot(interest: int) -> None:
    """An operator's word on it is about the owner, his group and whoever took part."""
    subjects = Subjects()
    subjects.prime(snapshot(interest))
    assert owners_of(subjects, ActOnCase(CASE, values.CASE_DISMISS, "", "me")) == {1, 2}
    assert owners_of(subjects, ActOnCase(CASE + 1, values.CASE_DISMISS, "", "me")) == set()


def test_a_measure_against_a_group_is_one_against_each_of_its_owners() -> None:
    """Those linked now, those who were when the case was opened, and nobody else."""
    subjects = Subjects()
    asked = Asked(1, 1, 1, values.AUTH_OK, 0, 0, 0, 0, values.CHANNEL_REST, 0, 0)
    assert owners_of(subjects, asked, Decision(ACCEPTED, owner=5, steps=(step(-1),))) == {5}
    owners_of(subjects, LinkOwners(1, 1))
    owners_of(subjects, LinkOwners(3, 1))
    assert owners_of(subjects, asked, Decision(ACCEPTED, steps=(step(-1),))) == {1, 3}
    assert owners_of(subjects, asked, Decision(ACCEPTED, alerts=(alert(-1),))) == {1, 2, 3}
    owners_of(subjects, LinkOwners(3, 0))
    assert owners_of(subjects, asked, Decision(ACCEPTED, steps=(step(-1),))) == {1, 2, 3}
    # Alone, an owner's measure is his own, whoever else had part in the case.
    assert owners_of(subjects, asked, Decision(ACCEPTED, steps=(step(1),))) == {1}


def test_case_file_and_query_have_what_hits_the_group(tmp_path: Path) -> None:
    """The files of a linked owner and of who took part tell of alert, measure and decision."""
    world = World(tmp_path / "data")
    for event in (*DEFINITIONS, GROUP):
        world.write(event)
    world.write(LINKED)
    decision = Decision(ACCEPTED, account=2, owner=2, order_id=1, alerts=(alert(-1),))
    told = world.write(Asked(*world.head(1, 2)), decision)
    lapsed = world.write(Asked(*world.head(1, 2)), Decision(ACCEPTED, steps=(step(-1),)))
    judged = world.write(ActOnCase(CASE, values.CASE_CONFIRM, "seen", "me"))
    world.writer.close()

    def measures(owner: str) -> list[int]:
        case = case_file(source_of(world.data), owner, START_NS)
        return [measure["seq"] for measure in case.measures]

    assert measures(OWNER)[-3:] == [told, lapsed, judged]
    assert measures(OTHER)[-3:] == [told, lapsed, judged]
    case = case_file(source_of(world.data), OWNER, START_NS)
    followed = [measure["followed"] for measure in case.measures[-3:]]
    assert followed == [
        "told layering: family, severity 1, case 9",
        "measure notice to none: family in BTCUSDT, decay, case 9",
        "",
    ]
    assert all(text in "".join(case_html(case)) for text in followed)
    found = search(source_of(world.data), Query(owner=OWNER))
    assert [each.record.seq for each in found][-3:] == [told, lapsed, judged]


def test_measures_and_postings_are_found_by_their_rule(tmp_path: Path) -> None:
    """The ladder is `conduct_standing`; what `cancel_fees` does later it posts."""
    world = World(tmp_path / "data")
    for event in DEFINITIONS:
        world.write(event)
    told = world.write(Asked(*world.head(1, 1)), Decision(ACCEPTED, alerts=(alert(1),)))
    moved = world.write(Asked(*world.head(1, 1)), Decision(ACCEPTED, steps=(step(1),)))
    posting = Posting("t:d:o:s", "t", 1, 1, "2026-01-31", 5, "KRW")
    posted = world.write(PostFees(), Decision(1, postings=(posting,)))
    world.writer.close()
    for rule, seq in (("layering", told), ("conduct_standing", moved), ("cancel_fees", posted)):
        found = search(source_of(world.data), Query(rule=rule))
        assert [each.record.seq for each in found] == [seq]


def test_names_of_interests_and_amounts_of_any_size() -> None:
    """Output names the owner or group and the step; an amount beyond 63 bits is exact too."""
    subjects = Subjects()
    for event in (*DEFINITIONS, GROUP):
        subjects.observe(Record(1, START_NS, event, NOTED_DECISION))
    names = Names(subjects.directory)
    shown = names.tree(step(-1))
    assert (shown["interest"], shown["before"], shown["step"]) == ("family", "notice", "none")
    assert names.tree(alert(1))["interest"] == OWNER
    posting = Posting("t:d:o:s", "t", 1, 1, "2026-01-31", "-12345678901234567890", "KRW")
    assert names.tree(posting)["amount"] == "-123456789012.3456789"
