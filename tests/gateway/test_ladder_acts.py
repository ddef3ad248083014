"""What the ladder leads to outside the rules: owners are stopped, and released."""

from gateway.ladder_acts import ACTOR, LadderActs
from rules.conduct_facts import STEP_KILL
from rules.decisions import Alert
from rules.events import Event, LinkOwners, RecordRead, SetState
from rules.values import CASE_CONFIRM, CASE_DISMISS, SCOPE_OWNER, STATE_ACTIVE, STATE_KILLED
from tests.rules.conduct.conduct_world import SYMBOL, Market

RULES = {"conduct_standing": {"mode": "enforce", "highest": "kill", "grave_step": "kill"}}


class Venue:
    """A market whose decisions the ladder's hand follows."""

    def __init__(self) -> None:
        self.market = Market(RULES)
        self.submitted: list[SetState] = []
        self.acts = LadderActs(self.market.book, self._submit)

    def _submit(self, event: Event) -> None:
        assert isinstance(event, SetState)
        self.submitted.append(event)
        self.market.send(event)

    def send(self, event: Event) -> None:
        """Decide an event and let the ladder's hand follow."""
        decision = self.market.send(event)
        told = (self.market.book.current_seq, self.market.now_ns, event, decision)
        if isinstance(event, LinkOwners):
            self.acts.on_link(*told)
        self.acts.on_record(*told)

    def accuse(self, interest: int) -> int:
        """Let a grave alert be told; return its case."""
        alert = Alert("target_ramp", interest, SYMBOL, 3, self.market.now_ns, (), (), (1,))
        self.market.book.conduct.alerts.append(alert)
        self.send(RecordRead("", ""))
        return self.market.alerts[-1].case

    def stopped(self) -> set[int]:
        """Return the owners that are stopped."""
        states = self.market.book.states
        return {owner for scope, owner in states if scope == SCOPE_OWNER}


def test_a_kill_stops_all_owners_and_a_dismissal_releases_them() -> None:
    """An operator's own stop stays."""
    venue = Venue()
    venue.market.link(1, 2)
    case = venue.accuse(-1)
    assert venue.stopped() == {1, 2}
    assert {event.actor for event in venue.submitted} == {ACTOR}
    venue.send(SetState(SCOPE_OWNER, 2, STATE_KILLED, "by hand", "operator"))
    decision = venue.market.act(case, CASE_DISMISS)
    venue.acts.on_record(0, venue.market.now_ns, RecordRead("", ""), decision)
    assert venue.stopped() == {2}
    assert venue.submitted[-1].state == STATE_ACTIVE


def test_who_is_linked_to_a_stopped_group_is_stopped() -> None:
    """At once and not at the next start; whoever is linked elsewhere is not."""
    venue = Venue()
    venue.market.link(1, 2)
    venue.accuse(-1)
    venue.send(LinkOwners(3, 1))
    venue.send(LinkOwners(4, 2))
    venue.send(LinkOwners(1, 0))
    assert venue.stopped() == {1, 2, 3}
    before = list(venue.submitted)
    venue.acts.catch_up()
    assert venue.submitted == before
    standing = venue.market.book.conduct.standing(-1, SYMBOL)
    assert standing is not None
    assert standing.step == STEP_KILL


def test_a_release_that_was_cut_off_is_made_at_the_next_start() -> None:
    """The dismissal is in the record and the release is not: a start makes up for it. Whom an
    operator stopped, and who has left a group that is stopped, stays stopped."""
    venue = Venue()
    case = venue.accuse(1)
    venue.market.link(2, 3)
    venue.accuse(-1)
    venue.send(LinkOwners(3, 0))
    venue.send(SetState(SCOPE_OWNER, 4, STATE_KILLED, "by hand", "operator"))
    venue.market.act(case, CASE_DISMISS)
    assert venue.stopped() == {1, 2, 3, 4}
    venue.acts.catch_up()
    assert venue.stopped() == {2, 3, 4}


def test_a_stop_that_was_cut_off_is_made_at_the_next_start() -> None:
    """The alert is in the record and the stop is not."""
    venue = Venue()
    alert = Alert("target_ramp", 1, SYMBOL, 3, venue.market.now_ns, (), (), (1,))
    venue.market.book.conduct.alerts.append(alert)
    venue.market.send(RecordRead("", ""))
    assert venue.stopped() == set()
    venue.acts.catch_up()
    venue.acts.catch_up()
    assert venue.stopped() == {1}
    assert len(venue.submitted) == 1


def test_a_kill_that_another_case_led_to_as_well_holds() -> None:
    """The case he was stopped for is dismissed; the other one keeps him stopped, over a start too."""
    venue = Venue()
    first = venue.accuse(1)
    venue.market.act(first, CASE_CONFIRM)
    second = venue.accuse(1)
    for case, stopped in ((first, {1}), (second, set())):
        venue.market.act(case, CASE_DISMISS)
        venue.acts.catch_up()
        assert venue.stopped() == stopped
