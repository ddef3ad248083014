"""Proving a run whole, or naming the file and the byte at which it is not."""

from pathlib import Path
from typing import Final

import msgspec

from gateway.journal.errors import JournalError, JournalUnreadableError
from gateway.journal.foundation import check_foundation
from gateway.journal.manifest import (
    MANIFEST_NAME,
    Durability,
    Manifest,
    SealedSegment,
    read_manifest,
)
from gateway.journal.reader import segment_begun
from gateway.journal.reserve import begun_seq, find_reserve, torn_reserve
from gateway.journal.seal import (
    PublicKey,
    StoredSignature,
    check_signature,
    entry_signature,
    read_signature,
    signature_path,
)
from gateway.journal.segment import segment_name, segment_numbers
from gateway.journal.segment_check import Link, SegmentCheck
from gateway.journal.tail import examine_tail
from gateway.journal.tombstone import TOMBSTONE_NAME, Tombstone, deleted_text, read_tombstone
from gateway.journal.unserved import unserved
from gateway.journal.verification import (
    EXIT_CLEAN,
    EXIT_CORRUPT,
    EXIT_UNREADABLE,
    Finding,
    Kind,
    Progress,
    Verification,
)
from rules.events import RunBegan
from rules.values import INT63_MAX

_OF_A_RESERVE: Final = frozenset(
    ("status", "ended_ns", "segments", "first_seq", "segment_bytes", "reserve")
)
"""Fields of a manifest in which a reserve may differ from its run."""

__all__ = [
    "EXIT_CLEAN",
    "EXIT_CORRUPT",
    "EXIT_UNREADABLE",
    "Finding",
    "Progress",
    "Verification",
    "verify_run",
]


def verify_run(
    path: Path,
    progress: Progress | None = None,
    public_keys: tuple[PublicKey, ...] = (),
    require_signatures: bool = False,
) -> Verification:
    """Check every byte of the run in `path`; never raises for what it finds there.

    Each segment is checked to its first fault; the checks of the next one go on from its header.
    With public keys the signatures of closed segments are checked too. Where a reserve continues
    the run, the run's own segments count to the reserve's first record. A run that never served
    and can't be read is passed over.
    """
    result = Verification(
        run=path.name,
        status="unknown",
        path=str(path),
        signatures_checked=bool(public_keys),
    )
    result.passed_over = unserved(path)
    if result.passed_over:
        return result
    end_seq = INT63_MAX
    try:
        reserve = find_reserve(path)
        if reserve is not None:
            result.reserve = str(reserve)
            result.reserve_first_seq = end_seq = begun_seq(reserve)
        checks = [_RunCheck(path, result, progress, public_keys, end_seq)]
        if reserve is not None:
            checks.append(_RunCheck(reserve, result, progress, public_keys, INT63_MAX))
            _hold_together(checks[0].manifest, checks[1])
        result.run, result.status = checks[0].manifest.run_id, checks[0].manifest.status
        result.durability = checks[0].manifest.durability
        for check in checks:
            check.run()
        if reserve is None and not result.torn_bytes and (torn := torn_reserve(path)):
            _tell_torn(torn, checks[0].manifest.durability, result)
    except (JournalError, OSError) as error:
        result.findings.append(Finding("unreadable", str(path / MANIFEST_NAME), 0, str(error)))
    for file in result.unsigned if require_signatures else ():
        result.findings.append(Finding("signature", file, 0, "the closed segment is not signed"))
    return result


def _hold_together(own: Manifest, reserve: "_RunCheck") -> None:
    """Report what the manifest of a reserve says otherwise than the run's."""
    for name in Manifest.__struct_fields__:
        if name in _OF_A_RESERVE or getattr(own, name) == getattr(reserve.manifest, name):
            continue
        message = f"{name} is not what the manifest of the run says"
        file = str(reserve.path / MANIFEST_NAME)
        reserve.result.findings.append(Finding("corrupt", file, 0, message))


def _tell_torn(reserve: Path, durability: Durability, result: Verification) -> None:
    """Tell of a reserve that was torn as it began: of none of its records anybody was told."""
    path = reserve / segment_name(1)
    result.torn_file = str(path)
    result.torn_bytes = examine_tail(path, 0, 1, durability).torn_bytes


class _RunCheck:
    """The walk through the segments of one run."""

    def __init__(
        self,
        path: Path,
        result: Verification,
        progress: Progress | None,
        public_keys: tuple[PublicKey, ...],
        end_seq: int,
    ) -> None:
        self.path = path
        self.manifest = read_manifest(path)
        self.present = segment_numbers(path)
        self.tombstone = read_tombstone(path) or Tombstone(run_id=self.manifest.run_id)
        self.result = result
        self.progress = progress
        self.public_keys = public_keys
        self.end_seq = end_seq
        """First record of the reserve that continues the run: from there on nothing counts here."""
        self.last_ns = 0
        """Time of the last record."""

    def run(self) -> None:
        """Check all segments, those there, those listed and those deleted."""
        result, present = self.result, self.present
        listed = [segment.number for segment in self.manifest.segments]
        gone = [s.number for deletion in self.tombstone.deletions for s in deletion.segments]
        begun = (n for n in reversed(present) if segment_begun(self.path / segment_name(n)))
        last_begun = next(begun, 0)
        link: Link | None = None
        began: RunBegan | None = None
        for number in range(1, max([0, *present, *listed, *gone]) + 1):
            if link is not None and link.next_seq >= self.end_seq:
                break
            file = self.path / segment_name(number)
            check = SegmentCheck(
                file, number, self.manifest, link, result, number < last_begun, self.progress
            )
            check.end_seq = self.end_seq
            if number in present:
                check.run()
                began = began or check.began
                self.last_ns = check.last_ns or self.last_ns
                if check.digest and self.manifest.status == "ended" and number not in listed:
                    self._report("corrupt", file, "the manifest does not list the segment")
                if check.digest:
                    self._signatures(file, check.closed_entry(), link)
            elif deleted := self._deleted(file, number, link):
                link = deleted
                continue
            elif number < last_begun or number in listed:
                check.report("corrupt", 0, "the segment is missing")
            link = Link(check.next_seq, check.digest)
        if not present and not listed:
            self._report("unreadable", self.path, "there is a manifest but no segment")
        check_foundation(self.path, self.manifest, began, result)
        self._ending()
        if self.end_seq < INT63_MAX and link is not None and 0 < link.next_seq < self.end_seq:
            self._report(
                "corrupt",
                self.path,
                f"records {link.next_seq} to {self.end_seq - 1} are missing: the reserve goes on "
                f"with {self.end_seq}",
            )

    def _ending(self) -> None:
        """Hold the end that the manifest states against the last record."""
        manifest, last_ns = self.manifest, self.last_ns
        wanted_ns = last_ns if manifest.status == "ended" else 0
        if last_ns and self.end_seq == INT63_MAX and manifest.ended_ns != wanted_ns:
            message = f"ended_ns is {manifest.ended_ns}; by the records it is {wanted_ns}"
            self._report("corrupt", self.path / MANIFEST_NAME, message)

    def _deleted(self, file: Path, number: int, link: Link | None) -> Link | None:
        """Return what a deleted segment leaves to go on from, None when it was not deleted."""
        found = self.tombstone.deletion(number)
        if found is None:
            return None
        deletion, entry = found
        listed = self.manifest.sealed(number)
        if listed is not None and _unsigned(listed) != _unsigned(entry):
            self._report(
                "corrupt",
                self.path / TOMBSTONE_NAME,
                f"segment {number} is another there than in the manifest",
            )
        self.result.deleted_segments += 1
        self.result.deleted_records += entry.count
        self.result.deleted.append(deleted_text(deletion, entry))
        self._signatures(file, entry, link)
        return Link(entry.last_seq + 1, bytes.fromhex(entry.digest))

    def _signatures(self, file: Path, entry: SealedSegment, link: Link | None) -> None:
        """Check the signatures of a closed segment, beside it and in the manifest."""
        stored: list[tuple[Path, StoredSignature | None]] = []
        try:
            stored.append((signature_path(file), read_signature(file)))
        except JournalUnreadableError as error:
            self._report("signature", signature_path(file), str(error))
        listed = self.manifest.sealed(entry.number)
        if listed is not None:
            stored.append((self.path / MANIFEST_NAME, entry_signature(listed)))
        if entry.signature:
            stored.append((self.path / TOMBSTONE_NAME, entry_signature(entry)))
        found = [(path, signature) for path, signature in stored if signature is not None]
        if not found:
            self.result.unsigned.append(entry.file)
            return
        self.result.signed += 1
        previous_digest = link.digest.hex() if link is not None else ""
        before = self.manifest.sealed(entry.number - 1)
        if not previous_digest and before is not None:
            # The segment before is damaged; that is told of it and not of this one.
            previous_digest = before.digest
        for path, signature in found:
            problem = check_signature(
                self.manifest.run_id, entry, previous_digest, signature, self.public_keys
            )
            if problem:
                self._report("signature", path, f"segment {entry.number}: {problem}")

    def _report(self, kind: Kind, path: Path, message: str) -> None:
        self.result.findings.append(Finding(kind, str(path), 0, message))


def _unsigned(entry: SealedSegment) -> SealedSegment:
    return msgspec.structs.replace(entry, signed_by="", signature="")
