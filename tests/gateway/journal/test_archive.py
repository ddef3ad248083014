"""Closed segments in every form: the same records, and every changed byte found at its place."""

import itertools
import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from gateway.journal import (
    JournalCorruptError,
    JournalKeyError,
    JournalUnreadableError,
    JournalWriter,
    read_run,
)
from gateway.journal.archive import (
    SUFFIXES,
    Form,
    compress_segment,
    encrypt_segment,
    open_segment,
    stored_forms,
)
from gateway.journal.compression import FRAME_BYTES, CompressedSource, compressed
from gateway.journal.encryption import (
    CHUNK_BYTES,
    HEADER_BYTES,
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    DecryptedSource,
    encrypted,
    find_keys,
    make_key_file,
    record_key,
)
from gateway.journal.manifest import (
    make_run_directory,
    new_manifest,
    read_manifest,
    write_manifest,
)
from gateway.journal.reader import RunReader, last_seq
from gateway.journal.source import PlainSource, contents
from gateway.journal.verify import verify_run

from .conftest import RULEBOOK, START_NS, sample

MakeRun = Callable[..., Path]
KEY = record_key(bytes(range(32)))
OTHER_KEY = record_key(bytes(range(1, 33)))
FORMS: tuple[Form, ...] = ("plain", "compressed", "encrypted")


@pytest.fixture(autouse=True)
def given_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the key as an operator does."""
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_VARIABLE, KEY.key.hex())


def put_into(run: Path, forms: tuple[Form, ...]) -> None:
    """Bring the first closed segments of a run into the forms given, one each."""
    for entry, form in zip(read_manifest(run).segments, forms, strict=False):
        if form == "compressed":
            assert compress_segment(run, entry)
        elif form == "encrypted":
            assert encrypt_segment(run, entry, KEY)


@pytest.mark.parametrize("forms", list(itertools.product(FORMS, repeat=3)), ids="-".join)
def test_every_mix_is_read_and_verified(make_run: MakeRun, forms: tuple[Form, ...]) -> None:
    """Whatever forms the segments are in, the records, the counts and the digests are the same."""
    run = make_run(24, segment_bytes=1024)
    before = list(read_run(run))
    verified = verify_run(run)
    put_into(run, forms)
    kept = {path.name for path in run.glob("*.seg*")}
    entries = read_manifest(run).segments
    assert len(entries) > 3
    assert kept == {
        entry.file + SUFFIXES[form]
        for entry, form in itertools.zip_longest(entries, forms, fillvalue="plain")
    }
    assert list(read_run(run)) == before
    assert verify_run(run) == verified
    assert last_seq(run) == 24
    for start in range(1, 26):
        assert [record.seq for record in read_run(run, start)] == list(range(start, 25))


def test_change_goes_only_towards_the_archive(make_run: MakeRun) -> None:
    """What is compressed is not compressed again, and what is encrypted stays encrypted."""
    run = make_run(24, segment_bytes=1024)
    first, second = read_manifest(run).segments[:2]
    assert compress_segment(run, first)
    assert not compress_segment(run, first)
    assert encrypt_segment(run, first, KEY)
    assert not encrypt_segment(run, first, KEY)
    assert not compress_segment(run, first)
    assert encrypt_segment(run, second, KEY)
    assert [[s.form for s in stored_forms(run / e.file)] for e in (first, second)] == [
        ["encrypted"],
        ["encrypted"],
    ]


def test_reader_goes_on_when_its_segment_is_archived(make_run: MakeRun) -> None:
    """A segment that is compressed while it is read goes on being read, in either form."""
    run = make_run(24, segment_bytes=1024)
    reader = RunReader(run)
    found = [record.seq for record in itertools.islice(reader.records(), 2)]
    put_into(run, ("compressed", "encrypted", "compressed"))
    found += [record.seq for record in reader.records()]
    assert found == list(range(1, 25))


@pytest.mark.parametrize("form", ["compressed", "encrypted"])
def test_flip_anywhere_in_an_archived_segment(make_run: MakeRun, form: Form) -> None:
    """A flipped bit in any byte of an archived segment is damage, named with the file."""
    run = make_run(24, segment_bytes=1024)
    put_into(run, ("plain", form))
    entry = read_manifest(run).segments[1]
    path = run / (entry.file + SUFFIXES[form])
    data = path.read_bytes()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        result = verify_run(run)
        assert result.exit_code == 1, position
        first = result.findings[0]
        assert first.file == str(path)
        assert first.offset <= position
        with pytest.raises(JournalCorruptError) as raised:
            list(read_run(run))
        assert raised.value.path == path
    path.write_bytes(data)
    assert verify_run(run).exit_code == 0


@pytest.mark.parametrize("form", ["compressed", "encrypted"])
def test_cut_anywhere_is_damage(make_run: MakeRun, form: Form) -> None:
    """An archived segment that ends early, or has more, is damaged at whatever byte it was cut."""
    run = make_run(24, segment_bytes=1024)
    put_into(run, (form,))
    path = run / (read_manifest(run).segments[0].file + SUFFIXES[form])
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert verify_run(run).exit_code == 1, size
    for more in (b"\x00", b"x" * 100, data):
        path.write_bytes(data + more)
        assert verify_run(run).exit_code == 1


def test_place_of_damage_is_the_block(tmp_path: Path) -> None:
    """Damage to a large archive is placed at the frame or chunk that holds it, others are read."""
    plain = random.Random(1).randbytes(3 * FRAME_BYTES + 5)
    path = tmp_path / "000001.seg.zst"
    path.write_bytes(b"".join(compressed([plain])))
    with CompressedSource(PlainSource(path)) as source:
        places = [source.place(number * FRAME_BYTES) for number in range(4)]
    damaged = bytearray(path.read_bytes())
    damaged[places[2] + 1000] ^= 1
    path.write_bytes(damaged)
    with CompressedSource(PlainSource(path)) as source:
        assert source.read_at(0, 2 * FRAME_BYTES) == plain[: 2 * FRAME_BYTES]
        assert source.read_at(3 * FRAME_BYTES, 99) == plain[-5:]
        with pytest.raises(JournalCorruptError) as raised:
            source.read_at(2 * FRAME_BYTES + 7, 1)
    assert raised.value.offset == places[2]

    path.write_bytes(b"".join(encrypted([plain], KEY)))
    damaged = bytearray(path.read_bytes())
    place = HEADER_BYTES + 7 * (CHUNK_BYTES + 16)
    damaged[place + 20] ^= 1
    path.write_bytes(damaged)
    with DecryptedSource(PlainSource(path), [KEY]) as opened:
        assert opened.place(7 * CHUNK_BYTES + 3) == place
        with pytest.raises(JournalCorruptError) as raised:
            opened.read_at(7 * CHUNK_BYTES, 1)
    assert raised.value.offset == place


@pytest.mark.parametrize(
    "size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, FRAME_BYTES + 1]
)
def test_blocks_at_their_boundaries(tmp_path: Path, size: int) -> None:
    """Contents that end just before, at and just after a block come back whole, from any place."""
    plain = random.Random(size).randbytes(size)
    path = tmp_path / "file"
    path.write_bytes(b"".join(encrypted(compressed([plain[:1], plain[1:]]), KEY)))
    with CompressedSource(DecryptedSource(PlainSource(path), [KEY])) as source:
        assert source.size == size
        assert b"".join(contents(source, step=1000)) == plain
        assert source.read_at(size - 1, 10) == plain[-1:]
        assert source.read_at(size, 10) == b""


def test_chunks_are_bound_to_their_place(tmp_path: Path) -> None:
    """Chunks that are exchanged, left out or taken from another file are refused."""
    plain = random.Random(2).randbytes(3 * CHUNK_BYTES)
    path = tmp_path / "file"
    data = b"".join(encrypted([plain], KEY))
    other = b"".join(encrypted([plain], KEY))
    step = CHUNK_BYTES + 16
    head, chunks = (
        data[:HEADER_BYTES],
        [data[HEADER_BYTES + n * step :][:step] for n in range(3)],
    )
    foreign = other[HEADER_BYTES:][:step]
    assert foreign != chunks[0]
    for body in (
        chunks[1:] + chunks[:1],
        [chunks[1], chunks[0], chunks[2]],
        chunks[:2],
        [chunks[0], chunks[2]],
        [foreign, *chunks[1:]],
        [*chunks, chunks[2]],
    ):
        path.write_bytes(head + b"".join(body))
        with PlainSource(path) as file, pytest.raises(JournalCorruptError):
            list(contents(DecryptedSource(file, [KEY])))


def test_any_zstd_tool_decompresses(make_run: MakeRun) -> None:
    """A compressed segment is Zstandard as everybody reads it, checks and table passed over."""
    run = make_run(24, segment_bytes=1024)
    entry = read_manifest(run).segments[0]
    plain = (run / entry.file).read_bytes()
    compress_segment(run, entry)
    data = (run / (entry.file + ".zst")).read_bytes()
    reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    assert reader.read() == plain


def test_missing_and_wrong_keys(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without its key a segment is unreadable, not corrupt, and the message names the key."""
    run = make_run(24, segment_bytes=1024)
    put_into(run, ("encrypted",))
    for given in ("", OTHER_KEY.key.hex()):
        monkeypatch.setenv(KEY_VARIABLE, given)
        result = verify_run(run)
        assert result.exit_code == 2
        assert KEY.key_id in result.findings[0].message
        with pytest.raises(JournalKeyError, match=KEY.key_id):
            list(read_run(run))
        assert [record.seq for record in read_run(run, 20)] == list(range(20, 25))
    monkeypatch.setenv(KEY_VARIABLE, f"{OTHER_KEY.key.hex()},\n{KEY.key.hex()}")
    assert verify_run(run).exit_code == 0
    monkeypatch.delenv(KEY_VARIABLE)
    file = tmp_path / "keys"
    file.write_text(f"{OTHER_KEY.key.hex()}\n{KEY.key.hex()}\n")
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(file))
    assert verify_run(run).exit_code == 0
    for content in ("00", "x" * 64, "\N{SNOWMAN}"):
        file.write_text(content)
        assert verify_run(run).exit_code == 2
    file.unlink()
    assert verify_run(run).exit_code == 2


def test_key_file_is_the_owners(tmp_path: Path) -> None:
    """A key file is made once, for its owner only, and never shows the key."""
    path = tmp_path / "record.key"
    key = make_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert find_keys({KEY_FILE_VARIABLE: str(path)}) == [key]
    assert key.key.hex() not in repr(key)
    with pytest.raises(FileExistsError):
        make_key_file(path)


def test_what_is_not_what_it_was_is_not_archived(make_run: MakeRun) -> None:
    """A damaged segment stays as it is: an archive of it would look whole."""
    run = make_run(24, segment_bytes=1024)
    manifest = read_manifest(run)
    entry = manifest.segments[0]
    path = run / entry.file
    data = path.read_bytes()
    for position in (0, 100, len(data) - 1):
        damaged = bytearray(data)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(JournalCorruptError):
            compress_segment(run, entry)
        with pytest.raises(JournalCorruptError):
            encrypt_segment(run, entry, KEY)
        assert [stored.form for stored in stored_forms(path)] == ["plain"]
    path.write_bytes(data[:-1])
    with pytest.raises(JournalCorruptError):
        compress_segment(run, entry)
    # Zeros that a writer stopped between seal and cut leaves are left out.
    path.write_bytes(data + bytes(100))
    assert compress_segment(run, entry)
    assert verify_run(run).exit_code == 0


def test_unknown_encryption_is_unreadable(make_run: MakeRun) -> None:
    """A version or an algorithm that is not known here is said so, once the header is whole."""
    run = make_run(24, segment_bytes=1024)
    put_into(run, ("encrypted",))
    path = run / "000001.seg.zst.enc"
    data = path.read_bytes()
    for position, value in ((8, 2), (9, 7), (10, 11), (10, 25), (11, 1)):
        header = bytearray(data[: HEADER_BYTES - 4])
        header[position] = value
        path.write_bytes(header + struct.pack("<I", zlib.crc32(header)) + data[HEADER_BYTES:])
        assert verify_run(run).exit_code == 2
        with pytest.raises(JournalUnreadableError):
            open_segment(run / "000001.seg")


def test_run_that_begins_later(tmp_path: Path) -> None:
    """A run goes on counting from the one before: it is read and verified from its first record."""
    directory = make_run_directory(tmp_path / "later", START_NS)
    manifest = new_manifest(directory.name, RULEBOOK, START_NS, 1024)
    writer = JournalWriter(directory, manifest, first_seq=1001)
    for seq in range(1001, 1025):
        writer.append(*sample(seq))
    writer.close()
    for forms in ((), ("compressed", "encrypted", "compressed")):
        put_into(directory, forms)
        for start, first in ((1, 1001), (1001, 1001), (1002, 1002), (1024, 1024)):
            found = [record.seq for record in read_run(directory, start)]
            assert found == list(range(first, 1025))
        assert list(read_run(directory, 1025)) == []
        assert last_seq(directory) == 1024
        result = verify_run(directory)
        assert (result.exit_code, result.first_seq, result.last_seq) == (0, 1001, 1024)
    manifest = read_manifest(directory)
    manifest.first_seq = 1000
    write_manifest(directory, manifest)
    assert verify_run(directory).exit_code == 1
    with pytest.raises(JournalCorruptError):
        list(read_run(directory))


def test_every_step_that_fails_leaves_the_segment(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive the disk has no room for, or does not confirm, is not put in place."""
    run = make_run(24, segment_bytes=1024)
    entry = read_manifest(run).segments[0]

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        compress_segment(run, entry)
    assert sorted(path.name for path in run.glob("000001*")) == ["000001.seg"]
