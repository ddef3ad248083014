"""Every read of the record is recorded: by the gate that runs on it, or beside it."""

import asyncio
import json
import multiprocessing
import resource
import shutil
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.clock import SystemClock
from gateway.commands import log, replay
from gateway.commands.log_recording import _user
from gateway.logview.reads import READS_NAME, ReadsError, append_read, read_lines
from tests.gateway.gate_world import Client, config, running

from .record_world import OWNER, World, record


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a record that has one of everything."""
    return record(tmp_path / "data")


def invoke(*arguments: object) -> Result:
    """Run `ordergate log` with these arguments."""
    app = typer.Typer()
    app.command("nothing")(lambda: None)
    log.register(app)
    return CliRunner().invoke(app, ["log", *map(str, arguments)])


def listed(data: Path) -> list[dict[str, object]]:
    """Return what `log reads` lists beyond what was in the record before."""
    done = invoke("reads", "--data", data, "--json")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if READS_NAME in str(line["where"])]


def test_every_reading_command_is_recorded(world: World, tmp_path: Path) -> None:
    """Who asked and what was asked is a line, whether or not anything was found."""
    commands: list[tuple[object, ...]] = [
        ("tail", "-n", 1),
        ("query", "--client-order-id", "nobody", "--json"),
        ("explain", 15),
        ("export", "-o", tmp_path / "out", "--format", "csv"),
        ("sql", "SELECT 1"),
    ]
    for number, (name, *rest) in enumerate(commands, 1):
        done = invoke(name, "--data", world.data, "--actor", "auditor", *rest)
        assert done.exit_code == 0, done.output
        lines = listed(world.data)
        assert len(lines) == number
        assert str(lines[-1]["query"]).startswith(f"log {name} ")
        assert lines[-1]["actor"] == f"auditor ({_user()})"
    data = f"--data {world.data}"
    asked = f"log query {data} --client-order-id nobody --actor auditor --json"
    assert lines[1]["query"] == asked
    assert str(lines[0]["query"]).startswith(f"log tail {data} --lines 1 ")
    assert "log sql 'SELECT 1' " in str(lines[4]["query"])


def test_a_replay_is_a_read(world: World) -> None:
    """Replaying shows decisions too, so it is recorded, also when it finds a difference."""
    app = typer.Typer()
    app.command("nothing")(lambda: None)
    replay.register(app)
    done = CliRunner().invoke(app, ["replay", str(world.data)])
    assert done.exit_code in (0, 1)
    (line,) = read_lines(world.data)
    assert line.query.startswith("replay ")


def test_a_run_named_alone_belongs_to_its_data_directory(world: World) -> None:
    """Reading one run's directory is a read of the data directory."""
    assert invoke("query", "--data", world.writer.directory).exit_code == 0
    assert [line.n for line in read_lines(world.data)] == [1]
    copy = world.data.parent / "copy"
    shutil.copytree(world.writer.directory, copy)
    assert invoke("query", "--data", copy).exit_code == 0
    assert (copy / READS_NAME).exists()


def test_reads_of_the_record_are_listed_too(world: World) -> None:
    """What a gate recorded and what was written beside it is one list."""
    invoke("query", "--data", world.data)
    done = invoke("reads", "--data", world.data)
    assert done.exit_code == 0
    assert "operator-nightjar" in done.stdout
    assert "log query" in done.stdout


@pytest.mark.parametrize("change", ["edit", "drop", "swap", "digest", "garbage"])
def test_a_changed_journal_shows(tmp_path: Path, change: str) -> None:
    """A line that was changed, removed or moved is found; a whole journal is not blamed."""
    for number in range(1, 5):
        append_read(tmp_path, number, "auditor", f"query {number}")
    assert [line.query for line in read_lines(tmp_path)] == [f"query {n}" for n in range(1, 5)]
    path = tmp_path / READS_NAME
    lines = path.read_text().splitlines(keepends=True)
    match change:
        case "edit":
            lines[1] = lines[1].replace("auditor", "nobody!")
        case "drop":
            del lines[1]
        case "swap":
            lines[1], lines[2] = lines[2], lines[1]
        case "digest":
            lines[1] = lines[1].replace('"digest":"', '"digest":"0')
        case _:
            lines[1] = "{}\n"
    path.write_text("".join(lines))
    with pytest.raises(ReadsError, match="line 2"):
        list(read_lines(tmp_path))


def test_a_changed_journal_fails_the_listing(world: World) -> None:
    """`log reads` ends with 1 when the journal is not as it was written."""
    invoke("query", "--data", world.data)
    path = world.data / READS_NAME
    path.write_text(path.read_text().replace("log query", "log tailx"))
    done = invoke("reads", "--data", world.data)
    assert done.exit_code == 1
    assert "line 1" in done.output


def test_no_record_no_read(tmp_path: Path, world: World) -> None:
    """Where a read can't be recorded nothing is read."""
    (world.data / READS_NAME).mkdir()
    done = invoke("query", "--data", world.data)
    assert done.exit_code == 2
    assert "recorded" in done.output
    assert OWNER not in done.stdout
    (world.data / READS_NAME).rmdir()
    (world.data / READS_NAME).write_text("no line of a journal\n")
    done = invoke("query", "--data", world.data)
    assert done.exit_code == 2
    assert READS_NAME in done.output


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_line_that_was_cut_short_is_set_aside(tmp_path: Path, kept: int) -> None:
    """A command that was killed while it wrote its line has read nothing: the chain goes on."""
    for number in range(1, kept + 1):
        append_read(tmp_path, number, "auditor", f"query {number}")
    path = tmp_path / READS_NAME
    whole = path.read_bytes() if kept else b""
    append_read(tmp_path, 9, "auditor", "query 9")
    line = path.read_bytes()[len(whole) :]
    for size in range(1, len(line)):
        path.write_bytes(whole + line[:size])
        assert len(list(read_lines(tmp_path))) == kept
        assert append_read(tmp_path, 10, "auditor", "query 10").n == kept + 1
        assert (tmp_path / f"{READS_NAME}.torn-{len(whole)}").read_bytes() == line[:size]
        assert [found.time_ns for found in read_lines(tmp_path)][-1] == 10


def test_a_disk_without_room_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    """What can't be written whole is not written, and reading is refused for it alone."""
    append_read(tmp_path, 1, "auditor", "query 1")
    before = (tmp_path / READS_NAME).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(ReadsError, match="it must be possible to write there"):
            append_read(tmp_path, 2, "auditor", "query 2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / READS_NAME).read_bytes() == before
    assert append_read(tmp_path, 3, "auditor", "query 3").n == 2


def _append(data: Path, count: int) -> None:
    for number in range(count):
        append_read(data, number, "auditor", "x" * 100)


def test_readers_at_once_make_one_chain(tmp_path: Path) -> None:
    """Several processes that read at once leave one unbroken chain."""
    context = multiprocessing.get_context("spawn")
    readers = [context.Process(target=_append, args=(tmp_path, 20)) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert [line.n for line in read_lines(tmp_path)] == list(range(1, 61))


def test_a_running_gate_records_it(tmp_path: Path) -> None:
    """While a gate runs on the directory the read is in its record, not beside it."""

    async def scenario() -> None:
        async with running(config(tmp_path / "data")) as gate:
            assert (await Client(gate).place()).status == 200
            arguments = ("query", "--data", tmp_path / "data", "--event", "record_read", "--json")
            done = await asyncio.to_thread(invoke, *arguments)
            (line,) = [json.loads(text) for text in done.stdout.splitlines()]
            assert line["input"]["actor"] == _user()
            assert line["input"]["query"].startswith("log query")
            assert not (tmp_path / "data" / READS_NAME).exists()

    asyncio.run(scenario())
    before_ns = SystemClock().now_ns()
    assert invoke("query", "--data", tmp_path / "data").exit_code == 0
    (line,) = read_lines(tmp_path / "data")
    assert before_ns - 1 <= line.time_ns <= time.time_ns() + 1
