"""Runs over every protocol against a running gate and a running engine, with their audit."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtest import files
from loadtest.assertions import parse_bound
from loadtest.audit import audit
from loadtest.commands import load
from loadtest.keys import read_keys
from loadtest.loops import run_in_loop
from loadtest.plan import Arrivals, Plan
from loadtest.profile import load_profile
from loadtest.recorder import ALL
from loadtest.results import Results, Run
from loadtest.samples import ACCEPTED, ERROR
from loadtest.session import Session
from loadtest.target import parse_target
from loadtest.units import NS_PER_SECOND
from tests.loadtest.gates import engine, quiet

SHORT = ("--duration", "1s", "--warmup", "200ms", "--late-bound", "p99<5s")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A gate whose record holds runs alone."""
    with quiet(tmp_path_factory.mktemp("gate")) as ready:
        yield ready


def run(output: Path, *arguments: str) -> Results:
    """Make a run that must be good, and return what it measured."""
    done = CliRunner().invoke(load, ["run", *arguments, *SHORT, "--output", str(output), "--json"])
    assert done.exit_code == 0, done.output
    return files.load(output)


@pytest.mark.timeout(300)
def test_every_answer_over_grpc_is_in_the_record(gate: dict[str, Any]) -> None:
    """Calls, sessions and batches from two processes: answered, recorded once, replayed the same."""
    target, control = f"grpc://{gate['grpc']}", gate["rest"]
    plan = Plan(
        target=parse_target(target, "unary", 1, control),
        keys=read_keys(gate["keys_file"]),
        profile=load_profile("mixed"),
        symbols=(),
        arrivals=Arrivals("poisson"),
        duration_ns=NS_PER_SECOND,
        warmup_ns=NS_PER_SECOND // 5,
        connections=4,
        sources=(),
        timeout_ns=10 * NS_PER_SECOND,
        seed=1,
        late_bound=parse_bound("p99<5s"),
        spin=True,
    )
    batched = plan._replace(target=parse_target(target, "session", 7, control), processes=2)
    ids: list[str] = []
    for each in (plan, plan._replace(target=parse_target(target, control=control)), batched):
        made, names = run_in_loop(_made(each))
        ids += names
        batch = each.target.batch
        assert made.latency[ALL].count == made.offered > 0
        assert made.offered % batch == 0
        assert made.latency[ERROR].count == 0, made.outcomes
        assert made.latency[ACCEPTED].count > 0.9 * made.offered, made.outcomes
        assert len(names) > made.offered, "the warm-up has answers, too"
    audited = audit(ids, Path(gate["data"]), 0)
    assert audited.faults == ()
    assert audited.not_audited == ()
    assert audited.answers == len(ids)


async def _made(plan: Plan) -> tuple[Run, list[str]]:
    """Make a run; returns the ids of its answers, too."""
    async with Session(plan, lambda _: None) as session:
        made = await session.run(Fraction(210), 0)
        await session.cancel_all()
    assert made is not None
    return made, session.decision_ids


@pytest.mark.timeout(300)
def test_keys_of_all_kinds_trade(gate: dict[str, Any], tmp_path: Path) -> None:
    """A gate accepts what keys sign that were made for it, over REST and gRPC."""
    token_file, grpc = Path(gate["data"], "admin.token"), f"grpc://{gate['grpc']}"
    for kind in ("hmac", "rsa"):
        keys_file = tmp_path / kind / "keys.json"
        made = CliRunner().invoke(
            load,
            [
                *("prepare", str(tmp_path / kind), "--admin", gate["admin"], "--kind", kind),
                *("--token-file", str(token_file), "--account", "load-1", "--accounts", "2"),
            ],
        )
        assert made.exit_code == 0, made.output
        assert all(bool(key.private_key) == (kind == "rsa") for key in read_keys(keys_file))
        for target in ((gate["rest"],), (grpc, "--control", gate["rest"], "--grpc", "unary")):
            measured = run(
                tmp_path / "run.json",
                *("--target", *target, "--keys", str(keys_file), "--rate", "60"),
                *("--connections", "2"),
            )
            (one,) = measured.runs
            assert one.latency[ACCEPTED].count > 0.9 * one.offered, one.outcomes


def test_no_other_kind_of_key_is_made(tmp_path: Path) -> None:
    """The message names the kinds there are."""
    done = CliRunner().invoke(load, ["prepare", str(tmp_path), "--kind", "dsa"])
    assert done.exit_code == 2
    assert "`dsa` is not hmac, ed25519 or rsa" in done.stderr.replace("\n", " ")


@pytest.mark.timeout(300)
def test_straight_into_an_engine(gate: dict[str, Any], tmp_path: Path) -> None:
    """Commands are matched; each run begins with an empty book; the market may be a gate's."""
    with engine() as address:
        measured = run(
            tmp_path / "run.json",
            *("--target", f"engine://{address}", "--keys", str(gate["keys_file"])),
            *("--rate", "400", "--batch", "4", "--repeat", "2"),
        )
        other = run(
            tmp_path / "other.json",
            *("--target", f"engine://{address}", "--keys", str(gate["keys_file"])),
            *("--rate", "100", "--control", gate["rest"], "--symbol", "ETHUSDT"),
        )
    assert measured.load.protocol == "engine"
    assert measured.load.connections == 1
    assert measured.load.symbols == ("BTCUSDT",)
    assert other.load.symbols == ("ETHUSDT",)
    for made in (*measured.runs, *other.runs):
        assert made.latency[ERROR].count == 0
        assert made.latency[ACCEPTED].count > 0.9 * made.offered, made.outcomes
        assert made.reconnects == 0
    assert measured.audit is not None
    assert measured.audit.faults == ()
    assert measured.audit.answers == 0
