"""Torn ends are told from damage, and damage is named to the byte."""

import contextlib
import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.journal import JournalCorruptError, read_run
from gateway.journal.frame import (
    FRAME_HEAD_BYTES,
    Checkpoint,
    Header,
    Record,
    Seal,
    SyncMark,
    control_payload,
    decode_payload,
    framed,
)
from gateway.journal.manifest import read_manifest, write_manifest
from gateway.journal.reader import RunReader, SegmentReader
from gateway.journal.tail import examine_tail
from gateway.journal.verify import verify_run

from .conftest import sample

MakeRun = Callable[..., Path]


def frames(path: Path) -> list[tuple[int, int]]:
    """Return (begin, end) of each frame of a segment."""
    return [
        (offset, offset + FRAME_HEAD_BYTES + len(payload))
        for offset, payload in SegmentReader(path).frames()
    ]


def seqs(run: Path) -> list[int]:
    """Return the numbers of the records a run still gives before its end or damage."""
    found: list[int] = []
    with contextlib.suppress(JournalCorruptError):
        found.extend(record.seq for record in read_run(run))
    return found


@pytest.mark.parametrize("left", ["cut", "zeros"])
def test_unsealed_tail_cut_at_every_byte(make_run: MakeRun, left: str) -> None:
    """Whatever part of the last frames is there, whole records are kept and the rest is torn."""
    run = make_run(8, close=False)
    path = run / "000001.seg"
    data = path.read_bytes()
    places = frames(path)
    for size in range(places[-3][0], places[-1][1] + 1):
        path.write_bytes(data[:size] + (bytes(4096) if left == "zeros" else b""))
        whole = sum(end <= size for _, end in places[1:])
        end = max(end for _, end in places if end <= size)
        assert seqs(run) == list(range(1, whole + 1))
        result = verify_run(run)
        assert (result.exit_code, result.records) == (0, whole)
        assert result.torn_bytes == len(data[end:size].rstrip(b"\x00"))
        if result.torn_bytes:
            assert (result.torn_file, result.torn_offset) == (str(path), end)


def test_payload_without_head_is_torn(make_run: MakeRun) -> None:
    """A process killed before it stored the head leaves a payload nobody takes for a record."""
    run = make_run(8, close=False)
    path = run / "000001.seg"
    data = bytearray(path.read_bytes())
    begin, end = frames(path)[-1]
    data[begin : begin + FRAME_HEAD_BYTES] = bytes(FRAME_HEAD_BYTES)
    path.write_bytes(data)
    assert seqs(run) == list(range(1, 8))
    result = verify_run(run)
    assert (result.exit_code, result.torn_bytes) == (0, end - begin)


def test_flip_anywhere_in_a_sealed_run(make_run: MakeRun) -> None:
    """A flipped bit in any byte of a sealed run is found, at the frame that holds it."""
    run = make_run(24, segment_bytes=1024)
    assert len(read_manifest(run).segments) > 2
    for path in sorted(run.glob("*.seg")):
        data = path.read_bytes()
        for begin, end in frames(path):
            for position in range(begin, end):
                damaged = bytearray(data)
                damaged[position] ^= 1 << (position % 8)
                path.write_bytes(damaged)
                result = verify_run(run)
                assert result.exit_code == 1, (path.name, position)
                first = result.findings[0]
                assert (first.file, first.offset) == (str(path), begin), (position, first)
        path.write_bytes(data)
    assert verify_run(run).exit_code == 0


def test_flip_in_a_closed_segment_no_mark_vouches_for(make_run: MakeRun) -> None:
    """With disk durability no mark may follow a segment's end; that it was closed is enough."""
    run = make_run(24, segment_bytes=1024)
    manifest = read_manifest(run)
    manifest.durability = "disk"
    manifest.segments.pop()
    manifest.status = "running"
    write_manifest(run, manifest)
    for segment in manifest.segments:
        path = run / segment.file
        data = path.read_bytes()
        for begin, _ in frames(path):
            damaged = bytearray(data)
            damaged[begin + FRAME_HEAD_BYTES] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(JournalCorruptError, match="closed after it"):
                list(read_run(run))
        path.write_bytes(data)
    assert seqs(run) == list(range(1, 25))


def test_flip_before_the_last_record_of_an_unsealed_run(make_run: MakeRun) -> None:
    """Without a seal, damage before a valid frame is corruption; readers stop with its place."""
    run = make_run(6, close=False)
    path = run / "000001.seg"
    data = path.read_bytes()
    places = frames(path)
    for begin, end in places[:-1]:
        for position in range(begin, end):
            damaged = bytearray(data)
            damaged[position] ^= 1 << (position % 8)
            path.write_bytes(damaged)
            result = verify_run(run)
            assert result.exit_code == 1, position
            assert result.findings[0].offset == begin
            with pytest.raises(JournalCorruptError) as caught:
                list(read_run(run))
            assert (caught.value.path, caught.value.offset) == (path, begin)
            assert str(begin) in str(caught.value)


def test_flip_in_the_last_record_is_torn(make_run: MakeRun) -> None:
    """The last frame of an unsealed run, when not valid, is taken for an append cut short."""
    run = make_run(6, close=False)
    path = run / "000001.seg"
    data = bytearray(path.read_bytes())
    begin, end = frames(path)[-1]
    data[begin + 20] ^= 4
    path.write_bytes(data)
    result = verify_run(run)
    assert (result.exit_code, result.records, result.torn_bytes) == (0, 5, end - begin)
    reader = RunReader(run)
    assert len(list(reader.records())) == 5
    assert reader.torn_bytes == end - begin


def test_zeroed_frame_is_corruption(make_run: MakeRun) -> None:
    """A record overwritten with zeros does not end the run silently."""
    run = make_run(40, close=False)
    path = run / "000001.seg"
    data = bytearray(path.read_bytes())
    begin, end = frames(path)[20]
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)
    result = verify_run(run)
    assert (result.exit_code, result.findings[0].offset) == (1, begin)


def reframe(path: Path, changes: dict[int, bytes | None], size: int = 0) -> None:
    """Rewrite a segment with frame `n` replaced by a valid frame of other content, or left out."""
    payloads = [payload for _, payload in SegmentReader(path).frames()]
    data = b"".join(
        framed(changes.get(number) or payload)
        for number, payload in enumerate(payloads)
        if changes.get(number, b"") is not None
    )
    path.write_bytes(data + bytes(max(0, size - len(data))))


def test_forged_record_is_found_by_the_digest(make_run: MakeRun) -> None:
    """A record replaced together with its checksum is found at the next digest."""
    run = make_run(1500, segment_bytes=1 << 20)
    path = run / "000001.seg"
    seq, now_ns, event, decision = sample(5)
    forged = msgspec.msgpack.encode((seq, now_ns + 1, event, decision))
    reframe(path, {5: forged})
    result = verify_run(run)
    assert result.exit_code == 1
    assert result.findings[0].offset == 0
    assert "checkpoint" in result.findings[0].message


def test_forged_record_after_a_checkpoint(make_run: MakeRun) -> None:
    """What a checkpoint has vouched for is left out of the doubt."""
    run = make_run(1500, segment_bytes=1 << 20)
    path = run / "000001.seg"
    checkpoint_offset = frames(path)[1025][0]
    assert isinstance(decode_payload(list(SegmentReader(path).frames())[1025][1]), Checkpoint)
    seq, now_ns, event, decision = sample(1200)
    reframe(path, {1201: msgspec.msgpack.encode((seq, now_ns + 1, event, decision))})
    finding = verify_run(run).findings[0]
    assert finding.offset == checkpoint_offset
    assert "the seal at" in finding.message


def test_left_out_record_is_a_gap(make_run: MakeRun) -> None:
    """A record cut out with valid frames around it is a gap in the numbers."""
    run = make_run(10, close=False)
    path = run / "000001.seg"
    place = frames(path)[4][0]
    reframe(path, {4: None}, size=4096)
    with pytest.raises(JournalCorruptError, match="record 5 where 4 should be") as caught:
        list(read_run(run))
    assert caught.value.offset == place
    assert verify_run(run).findings[0].offset == place


def rebuilt(run: Path, payloads: list[bytes]) -> Path:
    """Write a segment of these payloads, sealed rightly, and forget the manifest's entry."""
    data = b"".join(framed(payload) for payload in payloads)
    records = [p for p in payloads if isinstance(decode_payload(p), Record)]
    seal = Seal(len(records), len(records), hashlib.sha256(data).digest())
    path = run / "000001.seg"
    path.write_bytes(data + framed(control_payload(seal)))
    manifest = read_manifest(run)
    manifest.status, manifest.ended_ns, manifest.segments = "running", 0, []
    write_manifest(run, manifest)
    return path


def test_headers_are_held_to_their_run(make_run: MakeRun) -> None:
    """A segment of another run, number, beginning or version is not read as this run's."""
    run = make_run(3)
    payloads = [payload for _, payload in SegmentReader(run / "000001.seg").frames()][:-1]
    good = decode_payload(payloads[0])
    assert isinstance(good, Header)
    rebuilt(run, payloads)
    assert verify_run(run).exit_code == 0
    for changed, code in (
        (msgspec.structs.replace(good, run_id="other"), 1),
        (msgspec.structs.replace(good, number=2), 1),
        (msgspec.structs.replace(good, first_seq=2), 1),
        (msgspec.structs.replace(good, format_version=2), 2),
    ):
        rebuilt(run, [control_payload(changed), *payloads[1:]])
        assert verify_run(run).exit_code == code, changed
    rebuilt(run, payloads[1:])
    assert "begins with a header" in verify_run(run).findings[0].message
    rebuilt(run, [payloads[0], payloads[0], *payloads[1:]])
    assert "has no other" in verify_run(run).findings[0].message
    rebuilt(run, [*payloads[:-1], control_payload(SyncMark(2, 100)), payloads[-1]])
    assert (verify_run(run).exit_code, verify_run(run).sync_marks) == (0, 1)


def test_unknown_content_is_unreadable(make_run: MakeRun) -> None:
    """A frame that is whole but says what this version does not know is not called corrupt."""
    run = make_run(3)
    payloads = [payload for _, payload in SegmentReader(run / "000001.seg").frames()][:-1]
    encode = msgspec.msgpack.encode
    for strange in (
        encode([4, 1, ["ZZ", 1], [1]]),
        encode([0, 99, 1]),
        encode([0, "x", 1]),
        encode([0]),
        encode({"a": 1}),
        b"\xc1",
    ):
        data = b"".join(framed(payload) for payload in [*payloads, strange])
        path = run / "000001.seg"
        path.write_bytes(data)
        finding = verify_run(run).findings[0]
        assert finding.kind == "unreadable", strange
        assert finding.offset == len(data) - len(framed(strange))


def test_missing_segment(make_run: MakeRun) -> None:
    """A segment taken out of the middle, the beginning or the end is named."""
    original = make_run(40, segment_bytes=1024)
    last = len(read_manifest(original).segments)
    assert last > 3
    for number in (1, 2, last):
        run = original.parent / f"copy-{number}"
        shutil.copytree(original, run)
        path = run / f"{number:06d}.seg"
        path.unlink()
        result = verify_run(run)
        assert result.exit_code == 1
        assert result.findings[0].file == str(path)
        with pytest.raises(JournalCorruptError, match="missing"):
            list(read_run(run))


def test_exchanged_segment(make_run: MakeRun) -> None:
    """A segment that is whole in itself but not the one that was written here is found."""
    run = make_run(40, segment_bytes=1024)
    path = run / "000002.seg"
    payloads = [payload for _, payload in SegmentReader(path).frames()]
    header, records = payloads[0], payloads[1:-1]
    changed = decode_payload(records[0])
    assert isinstance(changed, Record)
    records[0] = msgspec.msgpack.encode(
        (changed.seq, changed.now_ns + 1, changed.event, changed.decision)
    )
    data = b"".join(framed(payload) for payload in [header, *records])
    old_seal = decode_payload(payloads[-1])
    assert isinstance(old_seal, Seal)
    seal = Seal(old_seal.last_seq, old_seal.count, hashlib.sha256(data).digest())
    path.write_bytes(data + framed(control_payload(seal)))
    result = verify_run(run)
    assert result.exit_code == 1
    assert {Path(finding.file).name for finding in result.findings} == {"000002.seg", "000003.seg"}


def test_bytes_after_the_seal(make_run: MakeRun) -> None:
    """Zeros after a seal are a cut that did not happen; anything else was added."""
    run = make_run(5)
    path = run / "000001.seg"
    data = path.read_bytes()
    path.write_bytes(data + bytes(5000))
    assert verify_run(run).exit_code == 0
    assert seqs(run) == [1, 2, 3, 4, 5]
    path.write_bytes(data + bytes(5000) + b"\x01")
    assert verify_run(run).findings[0].offset == len(data) + 5000
    path.write_bytes(data[:-1])
    assert verify_run(run).exit_code == 1


def test_ended_run_without_a_seal(make_run: MakeRun) -> None:
    """A run that says it ended has its seal."""
    run = make_run(5)
    path = run / "000001.seg"
    reframe(path, {6: None})
    manifest = read_manifest(run)
    manifest.segments = []
    write_manifest(run, manifest)
    assert "has no seal" in verify_run(run).findings[0].message


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_what_proves_damage(tmp_path: Path, durability: str) -> None:
    """With `process` any later frame proves damage; with `disk` only a sync mark beyond it."""
    path = tmp_path / "000001.seg"
    good = framed(msgspec.msgpack.encode(sample(1)))
    broken = bytearray(framed(msgspec.msgpack.encode(sample(2))))
    broken[-1] ^= 1
    later = framed(msgspec.msgpack.encode(sample(3)))
    offset = len(good)
    early_mark = framed(control_payload(SyncMark(1, offset)))
    late_mark = framed(control_payload(SyncMark(2, offset + 1)))

    def proof(*parts: bytes) -> int | None:
        path.write_bytes(good + bytes(broken) + b"".join(parts) + bytes(100))
        return examine_tail(path, offset, 2, durability).proof_offset  # type: ignore[arg-type]

    after = offset + len(broken)
    assert proof() is None
    assert proof(later) == (after if durability == "process" else None)
    assert proof(early_mark) is None
    assert proof(late_mark) == after
    assert proof(bytes(37), later, late_mark) == (
        after + 37 if durability == "process" else after + 37 + len(later)
    )


def test_old_frames_prove_nothing(tmp_path: Path) -> None:
    """A torn record that quotes an earlier frame in its text is still only torn."""
    path = tmp_path / "000001.seg"
    quoted = framed(msgspec.msgpack.encode(sample(1)))
    path.write_bytes(bytes(8) + b"\x94" + quoted + bytes(10))
    assert examine_tail(path, 0, 5, "process") == (9 + len(quoted.rstrip(b"\x00")), None, 0)


def test_random_damage_never_passes(make_run: MakeRun) -> None:
    """Blocks overwritten with random bytes anywhere in a sealed run are always found."""
    run = make_run(300, segment_bytes=8192)
    chance = random.Random(7)
    paths = sorted(run.glob("*.seg"))
    for _ in range(60):
        path = chance.choice(paths)
        data = path.read_bytes()
        place = chance.randrange(len(data))
        block = chance.randbytes(chance.randint(1, 600))
        damaged = (data[:place] + block + data[place + len(block) :])[: len(data)]
        if damaged == data:
            continue
        path.write_bytes(damaged)
        assert verify_run(run).exit_code == 1
        path.write_bytes(data)


def test_flip_anywhere_with_disk_durability(make_run: MakeRun) -> None:
    """What a sync mark vouches for is damage when it is flipped, and what comes after is torn."""
    run = make_run(8, close=False)
    manifest = read_manifest(run)
    manifest.durability = "disk"
    write_manifest(run, manifest)
    path = run / "000001.seg"
    content = vouched = b""
    for _, payload in list(SegmentReader(path).frames()):
        content += framed(payload)
        found = decode_payload(payload)
        if isinstance(found, Record) and found.seq in (3, 6):
            vouched = content
            content += framed(control_payload(SyncMark(found.seq, len(content))))
    path.write_bytes(content + bytes(4096))
    assert verify_run(run).records == 8
    for begin, end in frames(path):
        for position in range(begin, end):
            damaged = bytearray(content)
            damaged[position] ^= 1 << (position % 8)
            path.write_bytes(damaged + bytes(4096))
            result = verify_run(run)
            if begin < len(vouched):
                first = result.findings[0]
                assert (result.exit_code, first.file, first.offset) == (1, str(path), begin)
                with pytest.raises(JournalCorruptError):
                    list(read_run(run))
            else:
                assert (result.exit_code, result.torn_offset) == (0, begin)
                assert max(seqs(run)) >= 6
        path.write_bytes(content + bytes(4096))


def test_an_append_under_way_is_not_torn(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was half written when it was looked at, and is whole by the time it is judged, is fine."""
    run = make_run(8, close=False)
    path = run / "000001.seg"
    whole = path.read_bytes()
    begin, end = frames(path)[-1]
    path.write_bytes(whole[: end - 5] + bytes(len(whole) - end + 5))

    def finished(*arguments: Any) -> Any:
        tail = examine_tail(*arguments)
        path.write_bytes(whole)
        return tail

    assert verify_run(run).torn_offset == begin
    monkeypatch.setattr("gateway.journal.segment_check.examine_tail", finished)
    result = verify_run(run)
    assert (result.exit_code, result.torn_bytes, result.records) == (0, 0, 7)
    assert verify_run(run).records == 8
