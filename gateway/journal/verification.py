"""What a check of a run found: counts, a torn end, findings with their places."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from gateway.journal.snapshot_file import START_SNAPSHOT

EXIT_CLEAN: Final = 0
EXIT_CORRUPT: Final = 1
EXIT_UNREADABLE: Final = 2

Kind: TypeAlias = Literal["corrupt", "unreadable", "signature"]
"""`signature`: one is missing or wrong, which says nothing against the bytes of the record."""
Progress: TypeAlias = Callable[[int], None]
"""Called with the number of bytes checked so far."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, and where."""

    kind: Kind
    file: str
    offset: int
    message: str


class Verification(msgspec.Struct, kw_only=True):
    """What `verify_run` found."""

    run: str
    status: str
    """What the manifest says: `running` for ever where the writer could not say more."""
    life: str = ""
    """What became of the run, as `gateway.journal.life` tells it; empty when that is not known."""
    segments: int = 0
    sealed: int = 0
    records: int = 0
    first_seq: int = 0
    last_seq: int = 0
    bytes: int = 0
    checkpoints: int = 0
    sync_marks: int = 0
    torn_bytes: int = 0
    """Length of a torn end: an append that was never acknowledged."""
    torn_file: str = ""
    torn_offset: int = 0
    path: str = ""
    durability: str = ""
    reserve: str = ""
    """Directory that continues the run, empty when none does."""
    reserve_first_seq: int = 0
    signed: int = 0
    """Closed segments with an Ed25519 signature; it was checked if a public key was given."""
    unsigned: list[str] = msgspec.field(default_factory=list)
    """Closed segments without one."""
    signatures_checked: bool = False
    deleted_segments: int = 0
    """Segments deleted by retention; their digests are in the tombstone."""
    deleted_records: int = 0
    deleted: list[str] = msgspec.field(default_factory=list)
    """What was deleted, and when."""
    snapshots: int = 0
    """Snapshots that were checked."""
    passed_over: str = ""
    """Why there is nothing to check: the run never served. Empty for every other."""
    findings: list[Finding] = msgspec.field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 clean, 1 corrupt or not signed as asked, 2 unreadable."""
        return _exit_code(self.findings)

    @property
    def record_exit_code(self) -> int:
        """As `exit_code`, of what a start stands on.

        Snapshots made on the way and signatures are left out: a start can do without the first,
        and does not look at the second.
        """
        needed = [found for found in self.findings if not _is_spare(found)]
        return _exit_code([found for found in needed if found.kind != "signature"])

    @property
    def signature_findings(self) -> list[Finding]:
        """Signatures that are missing or wrong."""
        return [found for found in self.findings if found.kind == "signature"]

    @property
    def spare_snapshots(self) -> list[str]:
        """Snapshots made on the way that can't be read."""
        return [found.file for found in self.findings if _is_spare(found)]


def _is_spare(finding: Finding) -> bool:
    name = Path(finding.file).name
    return name.endswith(".snapshot") and name != START_SNAPSHOT


def _exit_code(findings: list[Finding]) -> int:
    kinds = {finding.kind for finding in findings}
    if kinds & {"corrupt", "signature"}:
        return EXIT_CORRUPT
    return EXIT_UNREADABLE if kinds else EXIT_CLEAN
