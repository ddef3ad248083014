"""The Ed25519 signature of a closed segment: who holds the public key can prove it offline.

The signature is over a statement of plain lines that names the run, the segment, its records, its
digest and the digest of the segment before. It is kept beside the segment, `000001.seg.sig`, as the
statement and one more line, and in the manifest once the run has ended. Signing is the work of a
process of its own, never of the one that trades.
"""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from gateway.journal.archive import check_content, open_segment
from gateway.journal.durable import replace_durably
from gateway.journal.errors import JournalKeyError, JournalUnreadableError
from gateway.journal.manifest import Manifest, SealedSegment, write_manifest

SIGNATURE_SUFFIX: Final = ".sig"
_SIGNATURE_BYTES_MAX: Final = 4096
_LAST_LINE: Final = b"signature "


class PublicKey(NamedTuple):
    """A public key and its id: 16 hexadecimal digits of a digest of it."""

    key_id: str
    key: Ed25519PublicKey

    def verifies(self, statement: bytes, signature: bytes) -> bool:
        """Tell whether the holder of the private key signed `statement`."""
        try:
            self.key.verify(signature, statement)
        except InvalidSignature:
            return False
        return True

    @property
    def pem(self) -> bytes:
        """The key as a PEM file has it."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class SealKey(NamedTuple):
    """A private key that signs segments."""

    public: PublicKey
    key: Ed25519PrivateKey


class StoredSignature(NamedTuple):
    """A signature as it is kept."""

    statement: bytes
    """Empty where only the signature is kept, in a manifest or a tombstone."""
    signed_by: str
    signature: bytes

    @property
    def signature_text(self) -> str:
        """The signature in base64."""
        return base64.b64encode(self.signature).decode()


def public_key(key: Ed25519PublicKey) -> PublicKey:
    """Return a public key with its id."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PublicKey(hashlib.sha256(b"ordergate seal key\n" + raw).digest()[:8].hex(), key)


def make_key_files(path: Path) -> SealKey:
    """Make a key pair: the private key in `path`, for its owner only, the public in `path`.pub.

    Raises FileExistsError when either is there, and OSError.
    """
    public_path = path.with_name(path.name + ".pub")
    for file in (path, public_path):
        if file.exists():
            raise FileExistsError(f"{file} exists already")
    key = Ed25519PrivateKey.generate()
    made = SealKey(public_key(key.public_key()), key)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace_durably(path, pem, mode=0o600)
    replace_durably(public_path, made.public.pem)
    return made


def _pem(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalKeyError(f"{path}: {error.strerror}") from None


def read_seal_key(path: Path) -> SealKey:
    """Return the private key in a PEM file; raises JournalKeyError."""
    pem = _pem(path)
    if b"BEGIN PUBLIC KEY-----" in pem:
        raise JournalKeyError(f"{path}: holds a public key; the private one signs")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise JournalKeyError(
            f"{path}: no Ed25519 private key in PEM without a password, which begins with "
            "`-----BEGIN PRIVATE KEY-----`; `ordergate record key seal FILE` makes one"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise JournalKeyError(f"{path}: holds a private key of another kind; Ed25519 is wanted")
    return SealKey(public_key(key.public_key()), key)


def read_public_key(path: Path) -> PublicKey:
    """Return the public key in a PEM file; raises JournalKeyError."""
    pem = _pem(path)
    if b"PRIVATE KEY-----" in pem:
        raise JournalKeyError(
            f"{path}: holds a private key; give the public one, which `ordergate record key seal` "
            f"puts beside it as {path.name}.pub"
        )
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise JournalKeyError(
            f"{path}: no Ed25519 public key in PEM, which begins with "
            "`-----BEGIN PUBLIC KEY-----`; `ordergate record key seal FILE` makes one as FILE.pub"
        ) from None
    if not isinstance(key, Ed25519PublicKey):
        raise JournalKeyError(f"{path}: holds a public key of another kind; Ed25519 is wanted")
    return public_key(key)


def statement(run_id: str, entry: SealedSegment, previous_digest: str, key_id: str) -> bytes:
    """Return what is signed of a segment; `previous_digest` is empty for the first of a run."""
    lines = (
        "ordergate segment seal 1",
        f"run {run_id}",
        f"segment {entry.number}",
        f"first_seq {entry.first_seq}",
        f"last_seq {entry.last_seq}",
        f"count {entry.count}",
        f"digest {entry.digest}",
        f"previous_digest {previous_digest or '-'}",
        f"key {key_id}",
    )
    return "".join(f"{line}\n" for line in lines).encode()


def signature_path(segment: Path) -> Path:
    """Return where the signature of a segment is kept, given the segment's plain name."""
    return segment.with_name(segment.name + SIGNATURE_SUFFIX)


def read_signature(segment: Path) -> StoredSignature | None:
    """Return the signature kept beside a segment, None when there is none.

    Raises JournalUnreadableError when the file is not a signature.
    """
    path = signature_path(segment)
    try:
        with path.open("rb") as file:
            text = file.read(_SIGNATURE_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalUnreadableError(f"{path}: {error.strerror}") from None
    stated, found, rest = text.rpartition(_LAST_LINE)
    key_line = stated.rpartition(b"\nkey ")[2]
    try:
        signature = base64.b64decode(rest.removesuffix(b"\n"), validate=True)
        signed_by = key_line.removesuffix(b"\n").decode("ascii")
    except (binascii.Error, ValueError):
        found = b""
    if not found or not rest.endswith(b"\n"):
        raise JournalUnreadableError(f"{path}: not a signature")
    return StoredSignature(stated, signed_by, signature)


def entry_signature(entry: SealedSegment) -> StoredSignature | None:
    """Return the signature in an entry of a manifest or a tombstone, None when it has none."""
    if not entry.signature:
        return None
    try:
        signature = base64.b64decode(entry.signature, validate=True)
    except ValueError:
        signature = b""
    return StoredSignature(b"", entry.signed_by, signature)


def check_signature(
    run_id: str,
    entry: SealedSegment,
    previous_digest: str,
    stored: StoredSignature,
    keys: tuple[PublicKey, ...],
) -> str:
    """Return what is wrong with a signature, empty when nothing is.

    `entry` says what the segment really holds. Without keys only the statement is compared.
    """
    expected = statement(run_id, entry, previous_digest, stored.signed_by)
    if stored.statement and stored.statement != expected:
        return "the signature is of another statement than the segment's content makes"
    if not keys:
        return ""
    key = next((key for key in keys if key.key_id == stored.signed_by), None)
    if key is None:
        given = ", ".join(key.key_id for key in keys)
        return f"signed with key {stored.signed_by}, which is not the one given ({given})"
    if not key.verifies(expected, stored.signature):
        return f"the signature is not one of key {key.key_id} over this segment"
    return ""


def sign_segment(
    directory: Path, run_id: str, entry: SealedSegment, previous_digest: str, key: SealKey
) -> SealedSegment:
    """Sign one closed segment, after reading that it is what its entry says; return the new entry.

    Raises OSError, JournalCorruptError and JournalUnreadableError.
    """
    segment = directory / entry.file
    with open_segment(segment) as source:
        check_content(segment, source, entry)
    stated = statement(run_id, entry, previous_digest, key.public.key_id)
    signature = base64.b64encode(key.key.sign(stated)).decode()
    replace_durably(signature_path(segment), stated + f"signature {signature}\n".encode())
    return msgspec.structs.replace(entry, signed_by=key.public.key_id, signature=signature)


def sign_run(directory: Path, manifest: Manifest, key: SealKey) -> list[SealedSegment]:
    """Sign every closed segment that is there and not signed; return those signed now.

    The manifest of a run that has ended is completed with all signatures; that of a running one
    belongs to its writer. Raises as `sign_segment` does.
    """
    signed: list[SealedSegment] = []
    entries: list[SealedSegment] = []
    previous_digest = ""
    for entry in manifest.segments:
        segment = directory / entry.file
        try:
            stored = read_signature(segment) or entry_signature(entry)
            if stored is None:
                entry = sign_segment(directory, manifest.run_id, entry, previous_digest, key)
                signed.append(entry)
            elif not entry.signature:
                entry = msgspec.structs.replace(
                    entry, signed_by=stored.signed_by, signature=stored.signature_text
                )
        except FileNotFoundError:
            pass  # deleted by retention before it was ever signed
        entries.append(entry)
        previous_digest = entry.digest
    if manifest.status == "ended" and entries != manifest.segments:
        manifest.segments = entries
        write_manifest(directory, manifest, synced=True)
    return signed
