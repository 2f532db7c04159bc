"""Who made an artifact: an Ed25519 signature (RFC 8032) of its seal, and so of model bytes, card and arrays.

A seal detects corruption; a signature proves that the owner of a private key has sealed the file. It follows the seal
as text: public key and signature in hexadecimal. The library ``cryptography`` (extra ``sign``) is imported only to
verify or make a signature.
"""

from __future__ import annotations

import importlib
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from camlite.errors import ArtifactError, CamliteError
from camlite.system import files as opening
from camlite.system.installing import remedy

MARK = b"camlite signature ed25519:"
LENGTH = len(MARK) + 64 + 1 + 128

_TEXT = MARK + rb"([0-9a-f]{64}):([0-9a-f]{128})"
_MOST_KEY_BYTES = 1 << 16


class Signature(NamedTuple):
    """The signature in an artifact; nothing is verified yet.

    Attributes:
        public_key: 32 bytes: the key that it claims to be made with.
        signature: 64 bytes.
    """

    public_key: bytes
    signature: bytes

    def to_bytes(self) -> bytes:
        """The text in an artifact, `LENGTH` bytes."""
        return MARK + f"{self.public_key.hex()}:{self.signature.hex()}".encode()


def from_bytes(text: bytes) -> Signature:
    """Read what `Signature.to_bytes` has written.

    Raises:
        ValueError: it is something else.
    """
    match = re.fullmatch(_TEXT, text)
    if not match:
        raise ValueError("the signature cannot be read")
    return Signature(*(bytes.fromhex(part.decode()) for part in match.groups()))


def public_keys(files: Sequence[str | Path]) -> tuple[bytes, ...]:
    """The raw public keys, 32 bytes each, of files that ``camlite keygen`` (or ``openssl pkey -pubout``) has written.

    Raises:
        CamliteError: a file cannot be read, others can write it, or it holds no Ed25519 public key.
    """
    return tuple(_public_key(Path(file)) for file in files)


def verify(signature: Signature | None, message: bytes, trusted: Sequence[bytes], where: str) -> None:
    """Prove that the holder of one of the trusted keys has signed a message.

    Raises:
        ArtifactError: there is no signature, it was made with another key, or it does not fit the message.
    """
    if signature is None:
        raise ArtifactError(f"{where}: not signed, but trusted keys were given; export it with --sign KEY")
    if signature.public_key not in trusted:
        raise ArtifactError(
            f"{where}: signed with the key {signature.public_key.hex()[:16]}, which is not among the "
            f"{len(trusted)} trusted; if you know its owner, add it to them"
        )
    try:
        key = library("hazmat.primitives.asymmetric.ed25519").Ed25519PublicKey.from_public_bytes(signature.public_key)
        key.verify(signature.signature, message)
    except library("exceptions").InvalidSignature:
        raise ArtifactError(
            f"{where}: its signature does not fit: it was altered after it was signed; get it again from its maker"
        ) from None


def library(module: str) -> Any:
    """A module of the library cryptography.

    Raises:
        CamliteError: it is not installed.
    """
    try:
        return importlib.import_module(f"cryptography.{module}")
    except ImportError as error:
        told = remedy(error, "cryptography", "sign")
        raise CamliteError(f"signatures need the library cryptography: {told}") from None


def read_key_file(file: Path, forbidden: int, remedy: str, what: str = "key") -> bytes:
    """The content of a key or token file, where the permissions of others allow no misuse.

    Args:
        file: of the key.
        forbidden: permission bits that must not be set; not looked at on Windows, which has none.
        remedy: what to do where one is.
        what: an error calls it.

    Raises:
        CamliteError: it cannot be read, or one of the bits is set.
    """
    try:
        with opening.regular(file) as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read(_MOST_KEY_BYTES)
    except OSError as error:
        raise CamliteError(f"{file}: cannot read the {what} ({error.strerror}); check the path") from None
    if mode & forbidden and os.name == "posix":
        raise CamliteError(f"{file}: a {what} with permissions {mode:04o}, {remedy} {file}")
    return content


def _public_key(file: Path) -> bytes:
    content = read_key_file(file, stat.S_IWGRP | stat.S_IWOTH, "so that others can put theirs in its place: chmod 644")
    try:
        key = library("hazmat.primitives.serialization").load_pem_public_key(content)
    except ValueError:
        key = None
    if not isinstance(key, library("hazmat.primitives.asymmetric.ed25519").Ed25519PublicKey):
        raise CamliteError(f"{file}: no Ed25519 public key; expected the .pub file of `camlite keygen`")
    serialization = library("hazmat.primitives.serialization")
    raw: bytes = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return raw
