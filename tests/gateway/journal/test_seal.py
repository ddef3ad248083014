"""Signatures of closed segments: whoever has the public key sees what was changed."""

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from gateway.journal import JournalCorruptError, JournalKeyError
from gateway.journal.archive import compress_segment
from gateway.journal.manifest import read_manifest, write_manifest
from gateway.journal.seal import (
    make_key_files,
    read_public_key,
    read_seal_key,
    read_signature,
    sign_run,
    signature_path,
)
from gateway.journal.verify import verify_run

from .keeping_world import make_data, seal_key


def test_signed_and_unsigned_are_told_apart(tmp_path: Path) -> None:
    """A closed segment is signed or not, and signing does all there are, once."""
    run = make_data(tmp_path / "data", (0,))[0]
    key = seal_key(tmp_path)
    manifest = read_manifest(run)
    names = [entry.file for entry in manifest.segments]
    assert verify_run(run).unsigned == names
    assert [entry.file for entry in sign_run(run, manifest, key)] == names
    assert sign_run(run, read_manifest(run), key) == []
    result = verify_run(run, None, (key.public,), True)
    assert (result.exit_code, result.signed, result.unsigned) == (0, len(names), [])
    assert all(entry.signed_by == key.public.key_id for entry in read_manifest(run).segments)
    signature_path(run / names[0]).unlink()
    assert verify_run(run, None, (key.public,), True).exit_code == 0, "the manifest has it too"


def test_manifest_of_a_running_run_is_its_writers(tmp_path: Path) -> None:
    """Signing beside a running gate leaves the manifest alone; the files are enough to verify."""
    run = make_data(tmp_path / "data", (0,), killed=(0,))[0]
    key = seal_key(tmp_path)
    before = (run / "manifest.json").read_bytes()
    signed = sign_run(run, read_manifest(run), key)
    assert signed
    assert (run / "manifest.json").read_bytes() == before
    result = verify_run(run, None, (key.public,), True)
    assert (result.exit_code, result.signed) == (0, len(signed))


def test_signature_of_a_compressed_segment(tmp_path: Path) -> None:
    """The signature is over the plain bytes, so the form does not matter."""
    run = make_data(tmp_path / "data", (0,))[0]
    key = seal_key(tmp_path)
    first, second = read_manifest(run).segments[:2]
    compress_segment(run, first)
    sign_run(run, read_manifest(run), key)
    compress_segment(run, second)
    assert verify_run(run, None, (key.public,), True).exit_code == 0


def test_any_change_to_a_signature_is_found(tmp_path: Path) -> None:
    """A flipped bit anywhere in a signature's file is corrupt, and the segment is named."""
    run = make_data(tmp_path / "data", (0,))[0]
    key = seal_key(tmp_path)
    sign_run(run, read_manifest(run), key)
    path = signature_path(run / "000002.seg")
    good = path.read_bytes()
    for position in range(len(good)):
        changed = bytearray(good)
        changed[position] ^= 1 << (position % 8)
        path.write_bytes(changed)
        result = verify_run(run, None, (key.public,))
        assert result.exit_code == 1, (position, bytes(changed))
        assert result.findings[0].file == str(path)
    path.write_bytes(signature_path(run / "000003.seg").read_bytes())
    result = verify_run(run)
    assert result.exit_code == 1, "a signature of another segment shows without the key"
    assert "segment 2" in result.findings[0].message


def test_rewritten_history_is_found(tmp_path: Path) -> None:
    """Whoever writes the whole run anew, digests and all, can't sign it."""
    run = make_data(tmp_path / "data", (0,))[0]
    key = seal_key(tmp_path)
    sign_run(run, read_manifest(run), key)
    # The same run by its name, every digest right, one record fewer.
    shutil.rmtree(run)
    assert make_data(tmp_path / "data", (0,), records=39)[0] == run
    assert verify_run(run, None, (key.public,)).exit_code == 0
    assert verify_run(run, None, (key.public,), True).exit_code == 1
    sign_run(run, read_manifest(run), make_key_files(tmp_path / "thief.pem"))
    result = verify_run(run, None, (key.public,))
    assert result.exit_code == 1
    assert key.public.key_id in result.findings[0].message


def test_signature_of_a_manifest_is_checked(tmp_path: Path) -> None:
    """A signature that only the manifest has must be right too."""
    run = make_data(tmp_path / "data", (0,))[0]
    key = seal_key(tmp_path)
    sign_run(run, read_manifest(run), key)
    for path in run.glob("*.sig"):
        path.unlink()
    manifest = read_manifest(run)
    for signature in ("", "?", manifest.segments[0].signature):
        changed = msgspec.structs.replace(manifest.segments[1], signature=signature)
        manifest.segments[1] = changed
        write_manifest(run, manifest)
        result = verify_run(run, None, (key.public,))
        assert result.exit_code == (1 if signature else 0)
        assert (result.unsigned == ["000002.seg"]) is (not signature)


def test_what_is_damaged_is_not_signed(tmp_path: Path) -> None:
    """A signature vouches for the content, so a changed segment gets none."""
    run = make_data(tmp_path / "data", (0,))[0]
    path = run / "000001.seg"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalCorruptError):
        sign_run(run, read_manifest(run), seal_key(tmp_path))
    assert not list(run.glob("*.sig"))


def test_openssl_verifies(tmp_path: Path) -> None:
    """The statement and the signature can be checked without this program."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return
    run = make_data(tmp_path / "data", (0,))[0]
    key = seal_key(tmp_path)
    sign_run(run, read_manifest(run), key)
    stored = read_signature(run / "000001.seg")
    assert stored is not None
    (tmp_path / "statement").write_bytes(stored.statement)
    (tmp_path / "signature").write_bytes(stored.signature)
    command = f"{openssl} pkeyutl -verify -pubin -inkey seal.pem.pub -rawin -in statement"
    done = subprocess.run(
        [*command.split(), "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_key_files(tmp_path: Path) -> None:
    """A key pair is made once; what is no such key is refused with what is wrong."""
    key = seal_key(tmp_path)
    path = tmp_path / "seal.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_seal_key(path).public.key_id == key.public.key_id
    assert read_public_key(tmp_path / "seal.pem.pub").key_id == key.public.key_id
    with pytest.raises(FileExistsError):
        make_key_files(path)
    (tmp_path / "words").write_text("no key at all")
    for read, wrong, told in (
        (read_seal_key, "seal.pem.pub", "the private one signs"),
        (read_public_key, "seal.pem", r"give the public one, .* as seal\.pem\.pub"),
    ):
        with pytest.raises(JournalKeyError, match=told):
            read(tmp_path / wrong)
        with pytest.raises(JournalKeyError, match=r"Ed25519 .*`ordergate record key seal FILE`"):
            read(tmp_path / "words")
        with pytest.raises(JournalKeyError):
            read(tmp_path / "missing")
