"""A start holds manifest, first snapshot and reserve of the run before against what it said of them."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from gateway.app import StartError
from gateway.config import RecordConfig
from gateway.journal import runs
from gateway.journal.manifest import MANIFEST_NAME
from tests.gateway.gate_world import Client, config, running


async def starts(data: Path) -> int:
    """Start a gate once; return its next order id."""
    async with running(config(data)) as gate:
        return gate.core.book.next_order_id


def two_runs(tmp_path: Path) -> Path:
    """Return the data of a gate that was started twice, with one order in each run."""

    async def scenario() -> None:
        for _ in range(2):
            async with running(config(tmp_path / "data")) as gate:
                assert (await Client(gate).place()).status == 200

    asyncio.run(scenario())
    return tmp_path / "data"


def test_a_foreign_first_snapshot_keeps_a_gate_from_starting(tmp_path: Path) -> None:
    """A snapshot that is whole in itself, but not what the run began with, is damage."""
    data = two_runs(tmp_path)
    asyncio.run(starts(data))
    *_, second, third = runs(data)
    shutil.copy(second.path / "start.snapshot", third.path / "start.snapshot")
    with pytest.raises(StartError, match="not the snapshot the run began with"):
        asyncio.run(starts(data))
    (third.path / "start.snapshot").unlink()
    with pytest.raises(StartError, match=r"start\.snapshot"):
        asyncio.run(starts(data))


@pytest.mark.parametrize(
    ("field", "value"), [("engine", ""), ("durability", "disk"), ("rulebook_name", "other")]
)
def test_an_edited_manifest_keeps_a_gate_from_starting(
    tmp_path: Path, field: str, value: str
) -> None:
    """What never changes in a manifest is under the digests of the record."""
    data = two_runs(tmp_path)
    path = runs(data)[-1].path / MANIFEST_NAME
    edited = msgspec.json.decode(path.read_bytes()) | {field: value}
    path.write_bytes(msgspec.json.encode(edited))
    with pytest.raises(StartError, match="not the manifest the run began with"):
        asyncio.run(starts(data))


def test_a_missing_reserve_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A run that did not end well may have gone on in it."""
    copied = tmp_path / "copied"

    async def first() -> None:
        record = RecordConfig(
            data=tmp_path / "data", segment_bytes=1 << 20, durability="disk", reserve_bytes=1 << 20
        )
        async with running(config(tmp_path / "data", record=record)) as gate:
            await Client(gate).place()
            shutil.copytree(tmp_path / "data", copied)

    asyncio.run(first())
    shutil.rmtree(tmp_path / "data-reserve")
    assert asyncio.run(starts(copied)) == 2
    assert "its reserve" in caplog.text
    assert "is missing" in caplog.text
