"""`ordergate log` shows the right records in the right form and ends with the right code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import log
from gateway.decision_id import DecisionIds
from gateway.journal.manifest import read_manifest, write_manifest
from gateway.logview.sources import DECISION_KEY_NAME

from .conftest import START_NS, MakeWriter, sample

KEY = bytes(range(32))


@pytest.fixture
def run(make_writer: MakeWriter) -> Path:
    """Return a run of 40 records with the key of the decision ids beside it."""
    writer = make_writer(4096)
    for seq in range(1, 41):
        writer.append(*sample(seq))
    writer.close()
    (writer.directory.parent / DECISION_KEY_NAME).write_bytes(KEY)
    return writer.directory


def invoke(*arguments: object) -> Result:
    """Run `ordergate log` with these arguments."""
    app = typer.Typer()
    app.command("nothing")(lambda: None)
    log.register(app)
    return CliRunner().invoke(app, ["log", *map(str, arguments)])


def json_lines(result: Result) -> list[dict[str, object]]:
    """Return the objects a command printed, one a line."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_tail(run: Path) -> None:
    """The last records are shown, in order, from a data directory or a run's own."""
    for data in (run, run.parent):
        lines = json_lines(invoke("tail", "--data", data, "-n", 3, "--json"))
        assert [line["seq"] for line in lines] == [38, 39, 40]
    text = invoke("tail", "--data", run, "-n", 2).stdout.splitlines()
    assert len(text) == 3
    assert "ORDER_SIZE" in text[1]
    assert invoke("tail", "--data", run, "-n", 0).stdout == ""


def test_tail_follows_to_the_end(run: Path) -> None:
    """-f ends by itself when the run has ended."""
    lines = json_lines(invoke("tail", "--data", run, "-n", 100, "-f", "--json"))
    assert [line["seq"] for line in lines] == list(range(1, 41))


def test_tail_follows_a_writer(make_writer: MakeWriter) -> None:
    """-f shows what another process appends while it is read, and ends with the run."""
    writer = make_writer(2048)
    writer.append(*sample(1))
    command = (
        "import typer; from gateway.commands import log; app = typer.Typer();"
        "app.command('nothing')(lambda: None); log.register(app); app()"
    )
    arguments = ["log", "tail", "--data", str(writer.directory), "-f", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        with process.stdout as stdout:
            assert json.loads(stdout.readline())["seq"] == 1
            for seq in range(2, 61):
                writer.append(*sample(seq))
            assert [json.loads(stdout.readline())["seq"] for _ in range(59)] == list(range(2, 61))
            writer.close()
            assert stdout.read() == b""
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()
        writer.close()


def test_query(run: Path) -> None:
    """Filters work together; a decision id and a plain number name the same record."""
    refused = json_lines(invoke("query", "--data", run, "--verdict", "refused", "--json"))
    assert [line["seq"] for line in refused] == list(range(3, 41, 4))
    two = json_lines(invoke("query", "--data", run, "--rule", "order_size", "--limit", 2, "--json"))
    assert [line["seq"] for line in two] == [3, 7]
    text = DecisionIds(KEY, run.name).encode(7)
    for decision in ("7", text, text.upper()):
        (line,) = json_lines(invoke("query", "--data", run, "--decision", decision, "--json"))
        assert (line["seq"], line["decision_id"]) == (7, text)
    at_ns = START_NS + 10_000
    times = json_lines(invoke("query", "--data", run, "--from", at_ns, "--to", at_ns + 1, "--json"))
    assert [line["seq"] for line in times] == [10]


def test_a_decision_that_was_only_counted(run: Path) -> None:
    """The id of a refusal nobody recorded alone says where it is counted."""
    text = DecisionIds(KEY, run.name).encode(0)
    for command in (["query", "--decision", text], ["explain", text]):
        result = invoke(*command, "--data", run.parent)
        assert result.exit_code == 2
        assert "were counted and not recorded one by one" in result.stderr
        assert "--event refused_aggregate" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--event", "plaice"], "plaice"),
        (["--verdict", "x", "--reason", "y"], "`y`"),
        (["--from", "yesterday"], "yesterday"),
        (["--decision", "abc"], "neither a decision id"),
        (["--decision", "0"], "neither a decision id"),
        (["--run", "nobody"], "`nobody` is not a run of"),
        (["--reason", "order_siz"], "did you mean ORDER_SIZE"),
        (["--rule", "order_siz"], "did you mean order_size"),
        (["--account", "nobody"], "no account is called `nobody`"),
        (["--rule", "nosuch"], "no rule is called `nosuch`; there are account_standing, "),
        (["--rule", "order_sise"], "`order_sise`; did you mean order_size"),
        (["--symbol", "NOPE", "--key", "k"], "no symbol is called `NOPE`"),
    ],
)
def test_bad_filters(run: Path, arguments: list[str], told: str) -> None:
    """A filter that can't be meant ends with code 2 and names the value."""
    result = invoke("query", "--data", run.parent, *arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_verify(run: Path) -> None:
    """Clean, corrupt and unreadable end with 0, 1 and 2, and damage is named to the byte."""
    assert invoke("verify", "--data", run).exit_code == 0
    report = json.loads(invoke("verify", "--data", run.parent, "--json").stdout)
    assert (report["records"], report["exit_code"], report["findings"]) == (40, 0, [])
    path = run / "000001.seg"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    result = invoke("verify", "--data", run, "--json")
    assert result.exit_code == 1
    finding = json.loads(result.stdout)["findings"][0]
    assert finding["file"] == str(path)
    assert 0 <= 1000 - finding["offset"] < 300
    assert str(finding["offset"]) in invoke("verify", "--data", run).stderr
    (run / "manifest.json").write_text("{")
    assert invoke("verify", "--data", run.parent).exit_code == 2
    assert invoke("verify", "--data", run.parent / "nowhere").exit_code == 2


def test_verify_of_what_is_not_there(run: Path, tmp_path: Path) -> None:
    """A run or a record that there is not is said so; segments without a manifest are unreadable."""
    result = invoke("verify", "--data", run.parent, "--run", "nobody")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"`nobody` is not a run of {run.parent}; the last are {run.name}" in result.stderr
    result = invoke("verify", "--data", tmp_path / "nowhere")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "neither a run nor a directory with runs" in result.stderr
    (run / "manifest.json").unlink()
    for data in (run, run.parent):
        result = invoke("verify", "--data", data)
        assert result.exit_code == 2
        assert "manifest.json" in result.stderr


def test_verify_all(run: Path, make_writer: MakeWriter) -> None:
    """--all checks every run and ends with the worst."""
    other = make_writer()
    other.close()
    result = invoke("verify", "--data", run.parent, "--all", "--json")
    assert result.exit_code == 0
    assert [report["run"] for report in json.loads(result.stdout)] == [
        run.name,
        other.directory.name,
    ]
    (run / "000001.seg").unlink()
    assert invoke("verify", "--data", run.parent, "--all").exit_code == 1
    assert invoke("verify", "--data", run.parent).exit_code == 0


def test_verify_prints_a_torn_end(run: Path) -> None:
    """A torn end is printed with its length and is no failure."""
    manifest = read_manifest(run)
    last = run / manifest.segments[-1].file
    manifest.status, manifest.ended_ns = "running", 0
    manifest.segments = manifest.segments[:-1]
    write_manifest(run, manifest)
    data = last.read_bytes()
    last.write_bytes(data[:-3])
    result = invoke("verify", "--data", run)
    assert result.exit_code == 0
    assert "torn end" in result.stdout
    assert "clean" in result.stdout
