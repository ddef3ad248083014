"""Proving a run whole, or naming the file and the byte at which it is not."""

from pathlib import Path

from gateway.journal.errors import JournalError, JournalUnreadableError
from gateway.journal.manifest import MANIFEST_NAME, Manifest, SealedSegment, read_manifest
from gateway.journal.reader import segment_begun
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
from gateway.journal.tombstone import TOMBSTONE_NAME, Tombstone, deleted_text, read_tombstone
from gateway.journal.verification import (
    EXIT_CLEAN,
    EXIT_CORRUPT,
    EXIT_UNREADABLE,
    Finding,
    Kind,
    Progress,
    Verification,
)

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
    path: Path, progress: Progress | None = None, public_keys: tuple[PublicKey, ...] = ()
) -> Verification:
    """Check every byte of the run in `path`; never raises for what it finds there.

    Each segment is checked to its first fault; the checks of the next one go on from its header.
    With public keys the signatures of closed segments are checked too.
    """
    try:
        manifest = read_manifest(path)
        present = segment_numbers(path)
        tombstone = read_tombstone(path)
    except (JournalError, OSError) as error:
        finding = Finding("unreadable", str(path / MANIFEST_NAME), 0, str(error))
        return Verification(run=path.name, status="unknown", findings=[finding])
    return _RunCheck(path, manifest, tombstone, progress, public_keys).run(present)


class _RunCheck:
    """The walk through the segments of one run."""

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        tombstone: Tombstone | None,
        progress: Progress | None,
        public_keys: tuple[PublicKey, ...],
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.tombstone = tombstone or Tombstone(run_id=manifest.run_id)
        self.progress = progress
        self.public_keys = public_keys
        self.result = Verification(
            run=manifest.run_id,
            status=manifest.status,
            durability=manifest.durability,
            signatures_checked=bool(public_keys),
        )

    def run(self, present: list[int]) -> Verification:
        """Check all segments, those there, those listed and those deleted."""
        result = self.result
        listed = [segment.number for segment in self.manifest.segments]
        gone = [s.number for deletion in self.tombstone.deletions for s in deletion.segments]
        begun = (n for n in reversed(present) if segment_begun(self.path / segment_name(n)))
        last_begun = next(begun, 0)
        link: Link | None = None
        for number in range(1, max([0, *present, *listed, *gone]) + 1):
            file = self.path / segment_name(number)
            check = SegmentCheck(
                file, number, self.manifest, link, result, number < last_begun, self.progress
            )
            if number in present:
                check.run()
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
        return result

    def _deleted(self, file: Path, number: int, link: Link | None) -> Link | None:
        """Return what a deleted segment leaves to go on from, None when it was not deleted."""
        found = self.tombstone.deletion(number)
        if found is None:
            return None
        deletion, entry = found
        listed = self.manifest.sealed(number)
        if listed is not None and (listed.digest, listed.count) != (entry.digest, entry.count):
            self._report(
                "corrupt",
                self.path / TOMBSTONE_NAME,
                f"segment {number} has another digest or count there than in the manifest",
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
            self._report("corrupt", signature_path(file), str(error))
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
        for path, signature in found:
            problem = check_signature(
                self.manifest.run_id, entry, previous_digest, signature, self.public_keys
            )
            if problem:
                self._report("corrupt", path, f"segment {entry.number}: {problem}")

    def _report(self, kind: Kind, path: Path, message: str) -> None:
        self.result.findings.append(Finding(kind, str(path), 0, message))
