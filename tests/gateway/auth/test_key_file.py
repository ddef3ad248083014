"""A file with a secret is there whole or not at all, for its owner only, and never made twice."""

import stat
from pathlib import Path

import pytest

from gateway.auth.key_file import read_or_make


def test_made_once(tmp_path: Path) -> None:
    """The first caller's content stays; only the owner can read it and nothing else is left."""
    path = tmp_path / "a.key"
    assert read_or_make(path, lambda: b"first") == b"first"
    assert read_or_make(path, lambda: b"second") == b"first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["a.key"]


def test_cut_short(tmp_path: Path) -> None:
    """An end while it is made leaves no file, so that the next start makes it."""
    path = tmp_path / "a.key"

    def cut() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_or_make(path, cut)
    assert not path.exists()
    assert read_or_make(path, lambda: b"made") == b"made"


def test_two_at_a_time(tmp_path: Path) -> None:
    """Whoever comes second meanwhile takes what the first has made."""
    path = tmp_path / "a.key"

    def late() -> bytes:
        assert read_or_make(path, lambda: b"winner") == b"winner"
        return b"loser"

    assert read_or_make(path, late) == b"winner"
