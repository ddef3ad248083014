"""The manifest of a run: which code, rulebook and machine wrote it, and its sealed segments.

`DATA/<run id>/manifest.json` is replaced whole, so a reader sees the old one or the new one.
"""

import hashlib
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

import gateway
import rules
from gateway.builds import is_compiled
from gateway.journal.disk import REAL_DISK, Disk
from gateway.journal.errors import JournalError, JournalManifestError, JournalUnreadableError
from gateway.journal.frame import FORMAT_VERSION
from rules.rulebook import Rulebook
from rules.values import NS_PER_SECOND

DATA_VARIABLE: Final = "ORDERGATE_DATA"
"""Names the data directory for commands that read or keep a record."""
DATA_DIRECTORY: Final = "ordergate-data"
"""Where runs are kept unless told otherwise, below the working directory."""
MANIFEST_NAME: Final = "manifest.json"

EMBEDDED: Final = "embedded"
"""`Manifest.engine` of a gate with the matching engine in its own process."""

_PACKAGES: Final = (
    "msgspec",
    "mypy_extensions",
    "aiohttp",
    "grpcio",
    "protobuf",
    "cachetools",
    "cryptography",
    "opentelemetry-sdk",
    "typer",
    "rich",
    "uvloop",
)
_RUNS_TOLD: Final = 3
"""Runs that are named to whoever asks for one that there is not."""
_RUN_ID: Final = re.compile(r"([0-9]{8}T[0-9]{6}\.[0-9]{9}Z)(?:-([0-9]{1,9}))?")

Durability: TypeAlias = Literal["process", "disk"]
Status: TypeAlias = Literal["running", "ended"]


class SealedSegment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment to which nothing more is added."""

    number: int
    file: str
    first_seq: int
    last_seq: int
    count: int
    first_ns: int
    """Time of the first record, 0 when there is none."""
    last_ns: int
    bytes: int
    digest: str
    """SHA-256 in hex of all its bytes before the seal, as the seal states it."""
    signed_by: str = ""
    """Id of the Ed25519 key the segment is signed with, empty when it is not."""
    signature: str = ""
    """The signature in base64; `gateway.journal.seal` says of what."""


class Manifest(msgspec.Struct, kw_only=True):
    """What is needed to read a run again, on another machine and in another year."""

    format_version: int = FORMAT_VERSION
    run_id: str
    status: Status = "running"
    started_ns: int
    ended_ns: int = 0
    """Time of the last record when the run was closed, 0 before."""
    first_seq: int = 1
    """Number of the run's first record: one more than the last of the run before it."""
    durability: Durability = "process"
    segment_bytes: int
    ordergate_version: str
    code_digest: str
    compiled: bool = False
    """Whether the rules were compiled code; they decide the same either way."""
    python: str
    packages: dict[str, str]
    platform: str
    rulebook_name: str
    rulebook_revision: str
    rulebook_text: str
    """The whole resolved rulebook as JSON, so that a replay needs no other file."""
    config_digest: str = ""
    """SHA-256 in hex of the configuration in force, secrets left out; empty where none was told."""
    reserve: str = ""
    """Directory that continues the run if its record is lost, empty when there is none."""
    previous: str = ""
    """The run this one continues, from its `start.snapshot`; empty when it begins with nothing."""
    engine: str = ""
    """`embedded` when the matching engine was in the gate's own process."""
    segments: list[SealedSegment] = msgspec.field(default_factory=list)

    def sealed(self, number: int) -> SealedSegment | None:
        """Return the entry of a sealed segment, None when it is not sealed."""
        for segment in self.segments:
            if segment.number == number:
                return segment
        return None


class _Version(msgspec.Struct):
    """What is read of a manifest first: a later version's may have other fields."""

    format_version: int = FORMAT_VERSION


class Run(msgspec.Struct, frozen=True):
    """A run on disk."""

    path: Path
    manifest: Manifest


def new_manifest(
    run_id: str,
    rulebook: Rulebook,
    started_ns: int,
    segment_bytes: int,
    durability: Durability = "process",
    config_digest: str = "",
    first_seq: int = 1,
) -> Manifest:
    """Return the manifest of a run that begins now, in this process."""
    return Manifest(
        run_id=run_id,
        started_ns=started_ns,
        first_seq=first_seq,
        durability=durability,
        segment_bytes=segment_bytes,
        ordergate_version=ordergate_version(),
        code_digest=code_digest(),
        compiled=is_compiled(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=package_versions(),
        platform=platform.platform(),
        rulebook_name=rulebook.name,
        rulebook_revision=rulebook.revision,
        rulebook_text=rulebook.text,
        config_digest=config_digest,
    )


def ordergate_version() -> str:
    """Return the installed version, `source` when run from a source tree."""
    try:
        return metadata.version("ordergate")
    except metadata.PackageNotFoundError:
        return "source"


def package_versions() -> dict[str, str]:
    """Return the versions of the packages ordergate stands on, those installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def code_digest() -> str:
    """Return the SHA-256 in hex of all source files of rules/ and gateway/, names included."""
    digest = hashlib.sha256()
    for package in (rules, gateway):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            text = path.read_bytes()
            name = f"{package.__name__}/{path.relative_to(root).as_posix()}"
            digest.update(f"{name}\n{len(text)}\n".encode() + text)
    return digest.hexdigest()


def make_run_directory(data: Path, started_ns: int) -> Path:
    """Make and return the directory of a run that starts at `started_ns`.

    Its name, the run id, is the start in UTC; a second run of the same instant gets `-2`.
    Raises JournalError when the directory can't be made.
    """
    seconds, nanoseconds = divmod(started_ns, NS_PER_SECOND)
    moment = datetime.fromtimestamp(seconds, UTC)
    run_id = f"{moment:%Y%m%dT%H%M%S}.{nanoseconds:09d}Z"
    try:
        data.mkdir(parents=True, exist_ok=True)
        path, attempt = data / run_id, 2
        while True:
            try:
                path.mkdir()
                return path
            except FileExistsError:
                path, attempt = data / f"{run_id}-{attempt}", attempt + 1
    except OSError as error:
        raise JournalError(f"cannot make a run's directory in {data}: {error}") from error


def write_manifest(
    directory: Path, manifest: Manifest, disk: Disk = REAL_DISK, synced: bool = False
) -> None:
    """Replace the manifest of a run, on the disk when this returns if `synced`.

    Raises OSError with the old one still in place.
    """
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    disk.replace_file(directory / MANIFEST_NAME, text + b"\n", synced)


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of the run in `directory`.

    Raises JournalUnreadableError, which is JournalManifestError where the manifest is gone or was
    destroyed.
    """
    path = directory / MANIFEST_NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise JournalManifestError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise JournalUnreadableError(f"{path}: {error.strerror}") from None
    try:
        version = msgspec.json.decode(text, type=_Version).format_version
        if version > FORMAT_VERSION:
            raise JournalUnreadableError(
                f"{path}: format version {version}; this version reads up to {FORMAT_VERSION}"
            )
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JournalManifestError(f"{path}: not a manifest: {error}") from None


def run_directories(data: Path) -> list[Path]:
    """Return the directories of all runs in a data directory, readable or not, oldest first."""
    if not data.is_dir():
        return []
    matches = ((path, _RUN_ID.fullmatch(path.name)) for path in data.iterdir() if path.is_dir())
    found = [(match[1], int(match[2] or 1), path) for path, match in matches if match]
    return [path for _, _, path in sorted(found)]


def runs(data: Path) -> list[Run]:
    """Return the readable runs in a data directory, oldest first."""
    readable = []
    for path in run_directories(data):
        try:
            readable.append(Run(path, read_manifest(path)))
        except JournalUnreadableError:
            continue
    return readable


def latest_run(data: Path) -> Run | None:
    """Return the run of a data directory that started last, None when there is none."""
    found = runs(data)
    return found[-1] if found else None


def find_run(path: Path, run_id: str = "") -> Run:
    """Return the run meant by `path`: a run's directory, or a data directory's `run_id` or latest.

    Raises JournalUnreadableError.
    """
    if run_id:
        if not (path / run_id).is_dir():
            known = [directory.name for directory in run_directories(path)][-_RUNS_TOLD:]
            told = f"the last are {', '.join(known)}" if known else "it has none"
            raise JournalUnreadableError(f"`{run_id}` is not a run of {path}; {told}")
        return Run(path / run_id, read_manifest(path / run_id))
    if (path / MANIFEST_NAME).is_file():
        return Run(path, read_manifest(path))
    run = latest_run(path)
    if run is None:
        raise JournalUnreadableError(f"{path}: neither a run nor a directory with runs")
    return run
