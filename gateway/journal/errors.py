"""What can be wrong with a record."""

from pathlib import Path


class JournalError(Exception):
    """Base of everything the record's writer and readers raise."""


class JournalFullError(JournalError):
    """No room for another segment: the record cannot be continued until there is."""


class JournalUnreadableError(JournalError):
    """The record is not there, or was written by a version this one cannot read."""


class JournalManifestError(JournalUnreadableError):
    """The manifest of a run is gone, or what is there is none; another version is not the cause."""


class JournalKeyError(JournalUnreadableError):
    """A part of the record is encrypted, and its key is not given or is no key."""


class JournalDeletedError(JournalUnreadableError):
    """A part of the record was deleted when its retention was over."""


class JournalCorruptError(JournalError):
    """Bytes of the record are not what was written, from `offset` of `path` on."""

    def __init__(self, path: Path, offset: int, message: str) -> None:
        super().__init__(f"{path} at byte {offset}: {message}")
        self.path = path
        self.offset = offset
        self.message = message
