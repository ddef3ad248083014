"""A recorded run decided again gives the same decisions; another rulebook shows what changes."""

import json
import random
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import log
from gateway.commands import replay as replay_command
from gateway.journal import (
    JournalCorruptError,
    JournalWriter,
    Record,
    Run,
    find_run,
    read_run,
    start_run,
)
from gateway.logview.explaining import explain
from gateway.replay import replay
from gateway.what_if import what_if
from rules import values
from rules.decisions import ACCEPTED, REFUSED, Decision
from rules.events import (
    Cancel,
    CommandResult,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Ended,
    Event,
    Place,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.rulebook import Rulebook, parse_rulebook
from rules.values import E8, NS_PER_MS

START_NS = 1_760_000_000_000_000_000
RULEBOOK_TEXT = """
[rules.account_standing]
mode = "enforce"
[rules.known_order]
mode = "enforce"
[rules.order_count]
mode = "enforce"
windows = [{ interval = "10s", limit = 80 }]
[rules.order_size]
mode = "enforce"
[rules.duplicate_client_order_id]
mode = "enforce"
[rules.resting_time]
mode = "enforce"
minimum = "500ms"
[endpoints.order_place]
orders = 1
[instruments.default]
max_order_quantity = "9"
"""
RULEBOOK = parse_rulebook("strict", {"strict": RULEBOOK_TEXT})
DEFINITIONS: tuple[Event, ...] = (
    Define(values.DEFINE_ADDRESS, 1, "127.0.0.1"),
    Define(values.DEFINE_OWNER, 1, "house"),
    Define(values.DEFINE_ASSET, 1, "BTC"),
    Define(values.DEFINE_ASSET, 2, "USDT"),
    DefineSymbol(1, "BTCUSDT", 1, 2, values.SYMBOL_TRADING, 100 * E8),
    DefineAccount(1, "alice", 1, "regular", 0),
    DefineKey(1, "key-alice", 1, values.PERMIT_READ | values.PERMIT_TRADE, (), 0),
)


def head(endpoint: int, now_ns: int) -> tuple[int, ...]:
    """Return the beginning of a request of alice's."""
    return endpoint, 1, 1, values.AUTH_OK, now_ns, now_ns, 0, 0, values.CHANNEL_REST, 0, 0


class Recorder:
    """Decides and records events, as the core does, with an engine that accepts everything."""

    def __init__(self, data: Path, rulebook: Rulebook, segment_bytes: int = 1 << 16) -> None:
        self.pipeline = Pipeline(rulebook)
        self.writer: JournalWriter = start_run(data, rulebook, START_NS, segment_bytes)
        self.now_ns = START_NS
        self.live: dict[int, int] = {}
        """Open orders and when they went live."""
        for event in DEFINITIONS:
            self.submit(event)

    def submit(self, event: Event) -> Decision:
        """Decide and record one event and, where it sent a command, the engine's answer."""
        seq = self.writer.recorded_seq + 1
        decision = self.pipeline.apply(event, self.now_ns, seq=seq)
        self.writer.append(seq, self.now_ns, event, decision)
        if isinstance(event, Place | Cancel) and decision.verdict == ACCEPTED:
            self.submit(self._result(seq, event, decision.order_id))
        return decision

    def _result(self, seq: int, event: Event, order_id: int) -> CommandResult:
        if isinstance(event, Place):
            if event.quantity_e8 == 7 * E8:
                reason = Reason.ENGINE_NO_LIQUIDITY
                return CommandResult(seq, order_id, False, reason, 0, self.now_ns)
            self.live[order_id] = self.now_ns
            return CommandResult(seq, order_id, True, None, values.NEW, self.now_ns)
        del self.live[order_id]
        ended = (Ended(order_id, values.CANCELED, 0),)
        return CommandResult(seq, order_id, True, None, values.CANCELED, self.now_ns, (), ended)

    def place(self, quantity: int, client_order_id: str = "") -> Decision:
        """Place a limit order of that many whole units."""
        order = (1, values.BUY, values.LIMIT, values.GTC, 100 * E8, quantity * E8, 0)
        return self.submit(Place(*head(40, self.now_ns), *order, client_order_id))

    def cancel(self, order_id: int) -> Decision:
        """Cancel an order by its number."""
        return self.submit(Cancel(*head(42, self.now_ns), 1, order_id, ""))


def synthetic_run(data: Path, count: int, seed: int = 1, segment_bytes: int = 1 << 16) -> Run:
    """Record random places and cancels: too large, too many, too early, unknown, duplicate."""
    chance = random.Random(seed)
    recorder = Recorder(data, RULEBOOK, segment_bytes)
    for number in range(count):
        recorder.now_ns += chance.randrange(400) * NS_PER_MS
        if chance.random() < 0.55 or not recorder.live:
            recorder.place(chance.randint(1, 10), f"c{chance.randrange(number + 5)}")
        else:
            known = chance.choice(list(recorder.live))
            recorder.cancel(known if chance.random() < 0.95 else known + 10_000)
    recorder.writer.close()
    return find_run(recorder.writer.directory)


def test_the_same_decisions(tmp_path: Path) -> None:
    """Every record of a run over many segments is decided again as it was."""
    run = synthetic_run(tmp_path, 1500, segment_bytes=1 << 13)
    records = list(read_run(run.path))
    seen: list[int] = []
    report = replay(run, seen.append)
    assert report.difference is None
    assert report.same_code
    assert report.records == len(records) == seen[-1]
    assert report.requests == 1500
    refused = {
        breach.reason
        for record in records
        if record.decision.verdict == REFUSED
        for breach in record.decision.breaches
    }
    assert refused >= {
        Reason.ORDER_SIZE,
        Reason.MINIMUM_RESTING_TIME,
        Reason.UNKNOWN_ORDER,
        Reason.DUPLICATE_CLIENT_ORDER_ID,
    }


def rewritten(run: Run, data: Path, seq: int, decision: Decision) -> Run:
    """Return a copy of a run in which one record has another decision."""
    writer = start_run(data, RULEBOOK, START_NS)
    for record in read_run(run.path):
        kept = decision if record.seq == seq else record.decision
        writer.append(record.seq, record.now_ns, record.event, kept)
    writer.close()
    return find_run(writer.directory)


def first_refused(run: Run, reason: Reason) -> Record:
    """Return the first record refused for a reason."""
    return next(
        record
        for record in read_run(run.path)
        if any(breach.reason == reason for breach in record.decision.breaches)
    )


def test_the_first_difference(tmp_path: Path) -> None:
    """A record whose decision does not come out again is named, with both decisions."""
    run = synthetic_run(tmp_path / "one", 300)
    refused = first_refused(run, Reason.ORDER_SIZE)
    changed = rewritten(run, tmp_path / "two", refused.seq, Decision(ACCEPTED, order_id=999))
    report = replay(changed)
    assert report.difference is not None
    assert report.difference.seq == report.records == refused.seq
    assert report.difference.record["decision"]["verdict"] == "ACCEPTED"
    assert report.difference.record["accounts"] == ["alice"]
    assert report.difference.replayed["verdict"] == "REFUSED"
    assert report.difference.replayed["breaches"][0]["reason"] == "ORDER_SIZE"
    differs = {place: values for place, *values in report.difference.differs}
    assert differs["verdict"] == ["ACCEPTED", "REFUSED"]
    assert differs["order_id"] == [999, 0]
    assert "cancels" not in differs


def test_what_if_nothing_changes(tmp_path: Path) -> None:
    """The run's own rulebook changes nothing."""
    report = what_if([synthetic_run(tmp_path, 400)], RULEBOOK)
    assert (report.changed, report.examples, report.rules) == (0, [], {})
    assert report.requests == 400
    assert report.recorded_refused == report.refused_now > 0


@pytest.mark.parametrize("minimum_ms", [0, 100, 500, 501, 2000])
def test_what_if_resting_time(tmp_path: Path, minimum_ms: int) -> None:
    """Changed decisions are those whose age lies between the two limits, counted by hand."""
    run = synthetic_run(tmp_path, 800)
    other = RULEBOOK.with_changes({"rules": {"resting_time": {"minimum": f"{minimum_ms}ms"}}})
    report = what_if([run], other)
    live: dict[int, int] = {}
    newly_accepted = newly_refused = 0
    for record in read_run(run.path):
        event = record.event
        if isinstance(event, CommandResult) and event.accepted and not event.ended:
            live[event.order_id] = record.now_ns
        elif isinstance(event, Cancel) and event.order_id in live:
            age_ms = (record.now_ns - live[event.order_id]) // NS_PER_MS
            newly_accepted += minimum_ms <= age_ms < 500
            newly_refused += 500 <= age_ms < minimum_ms
    assert (report.newly_accepted, report.newly_refused) == (newly_accepted, newly_refused)
    assert report.changed == newly_accepted + newly_refused
    assert report.first_order
    if report.changed:
        assert list(report.rules) == ["resting_time"]
        change = report.rules["resting_time"]
        assert (change.refuses_now, change.refused_before) == (newly_refused, newly_accepted)
        assert report.accounts == {"alice": report.changed}
        assert report.symbols == {"BTCUSDT": report.changed}
        assert len(report.examples) == min(report.changed, 10)
    else:
        assert minimum_ms == 500 or newly_refused == 0


def test_what_if_follows_the_recorded_course(tmp_path: Path) -> None:
    """An order the other rulebook would have refused still exists for what comes after it."""
    recorder = Recorder(tmp_path, RULEBOOK)
    order_id = recorder.place(8).order_id
    recorder.now_ns += 600 * NS_PER_MS
    assert recorder.cancel(order_id).verdict == ACCEPTED
    recorder.writer.close()
    smaller = RULEBOOK.with_changes({"instruments": {"default": {"max_order_quantity": "5"}}})
    report = what_if([find_run(recorder.writer.directory)], smaller)
    assert (report.newly_refused, report.changed) == (1, 1)
    assert report.examples[0].now_because.startswith("order_size: ORDER_SIZE")


def test_what_if_shadow(tmp_path: Path) -> None:
    """A rule put into shadow refuses nothing and is counted as a shadow."""
    run = synthetic_run(tmp_path, 400)
    shadowed = RULEBOOK.with_changes({"rules": {"order_size": {"mode": "shadow"}}})
    report = what_if([run], shadowed)
    change = report.rules["order_size"]
    assert change.refused_before == change.shadows_now > 0
    assert report.newly_accepted > 0


def test_explain_agrees_with_the_record(tmp_path: Path) -> None:
    """The explanation of a refused cancel is the recorded breach, with the order it was about."""
    run = synthetic_run(tmp_path, 400)
    record = first_refused(run, Reason.MINIMUM_RESTING_TIME)
    explained = explain(run, record.seq)
    assert explained.agrees
    assert explained.rulebook == "strict"
    failed = [view for view in explained.rules if not view.passed]
    (breach,) = record.decision.breaches
    assert [(view.rule, view.reason, view.limit, view.observed) for view in failed] == [
        (breach.rule, breach.reason.name, breach.limit, breach.observed)
    ]
    assert failed[0].mode == "enforce"
    assert failed[0].stage == "limit"
    assert explained.facts["order"]["order_id"] == record.event.order_id  # type: ignore[attr-defined]
    assert explained.facts["account"]["name"] == "alice"
    assert explained.facts["symbol"]["name"] == "BTCUSDT"
    assert explained.record["verdict"] == "REFUSED"


def test_explain_every_decision(tmp_path: Path) -> None:
    """Each record of a run can be explained, and decided again agrees with what is recorded."""
    run = synthetic_run(tmp_path, 40)
    for record in read_run(run.path):
        assert explain(run, record.seq).agrees, record


def invoke(*arguments: object) -> Result:
    """Run `ordergate` with these arguments."""
    app = typer.Typer()
    log.register(app)
    replay_command.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_replay_command(tmp_path: Path) -> None:
    """Exit 0 for the same decisions, 1 at a difference, 2 when there is nothing to replay."""
    run = synthetic_run(tmp_path / "one", 200)
    assert invoke("replay", run.path).exit_code == 0
    result = invoke("replay", tmp_path / "one", "--json")
    assert json.loads(result.stdout)["difference"] is None
    refused = first_refused(run, Reason.ORDER_SIZE)
    rewritten(run, tmp_path / "two", refused.seq, Decision(ACCEPTED))
    result = invoke("replay", tmp_path / "two")
    assert result.exit_code == 1
    assert f"first difference at record {refused.seq}" in result.stdout
    result = invoke("replay", tmp_path / "two", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["difference"]["seq"] == refused.seq
    assert invoke("replay", tmp_path / "three").exit_code == 2


def test_replay_of_a_damaged_run(tmp_path: Path) -> None:
    """What is before the damage is decided again; then the place is told and the exit code is 1."""
    run = synthetic_run(tmp_path / "data", 200)
    path = run.path / run.manifest.segments[-1].file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    readable = 0
    try:
        for _ in read_run(run.path):
            readable += 1
    except JournalCorruptError as error:
        damage = str(error)
    mild = tmp_path / "mild.toml"
    mild.write_text(RULEBOOK_TEXT.replace("500ms", "100ms"))
    for more in ((), ("--rulebook", mild)):
        result = invoke("replay", run.path, *more)
        assert result.exit_code == 1
        assert f"ordergate: incomplete: {damage}\n" in result.stderr
        report = json.loads(invoke("replay", run.path, "--json", *more).stdout)
        assert report["records"] == readable > 0
    same = invoke("replay", run.path).stdout
    assert f"{readable} records decided again" in same
    assert "every decision is the same" in same


def test_what_if_command(tmp_path: Path) -> None:
    """--rulebook takes a file, prints that it is first order and ends with 0."""
    run = synthetic_run(tmp_path / "data", 200)
    path = tmp_path / "mild.toml"
    path.write_text(RULEBOOK_TEXT.replace("500ms", "100ms"))
    result = invoke("replay", run.path, "--rulebook", path)
    assert result.exit_code == 0, result.output
    assert "first order" in result.stdout
    assert "by rule: of requests whose decision changed" in result.stdout
    assert "resting_time" in result.stdout
    report = json.loads(invoke("replay", run.path, "--rulebook", path, "--json").stdout)
    assert report["newly_accepted"] == report["changed"] > 0
    result = invoke("replay", run.path, "--rulebook", "no-such-rulebook")
    assert result.exit_code == 2
    assert "no-such-rulebook" in result.stderr


def test_explain_command(tmp_path: Path) -> None:
    """`log explain` prints rules, limit and observed value; an unknown record ends with 2."""
    run = synthetic_run(tmp_path, 200)
    record = first_refused(run, Reason.ORDER_SIZE)
    result = invoke("log", "explain", record.seq, "--data", run.path)
    assert result.exit_code == 0, result.output
    assert "order_size" in result.stdout
    tree = json.loads(invoke("log", "explain", record.seq, "--data", run.path, "--json").stdout)
    assert tree["agrees"]
    assert tree["record"]["seq"] == record.seq
    assert invoke("log", "explain", 10**9, "--data", run.path).exit_code == 2
