"""Make keys, and sign artifacts with them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from camlite.artifact import Sign, signature
from camlite.artifact.signature import Signature
from camlite.errors import CamliteError

_MINE_ALONE, _FOR_ALL_TO_READ = 0o600, 0o644
_OF_OTHERS = 0o077


def make_keys(private: Path, public: Path) -> None:
    """Make a pair of Ed25519 keys, as PEM files: the private one with permissions 0600, without a passphrase.

    Raises:
        CamliteError: one of the files exists already or cannot be written; then neither is made.
    """
    serialization = signature.library("hazmat.primitives.serialization")
    key = _ed25519().Ed25519PrivateKey.generate()
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    shared = key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    _create(private, secret, _MINE_ALONE)
    try:
        _create(public, shared, _FOR_ALL_TO_READ)
    except CamliteError:
        private.unlink()
        raise


def _create(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask is
            file.write(content)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            with contextlib.suppress(OSError):  # on a read-only disk there is nothing to remove
                path.unlink()
        raise CamliteError(f"{path}: cannot make the key ({error.strerror}); choose another NAME") from None


def signer(private: Path) -> Sign:
    """A function that signs with a private key.

    Raises:
        CamliteError: the file cannot be read, others can read it, or it is not an Ed25519 private key without a
            passphrase.
    """
    content = signature.read_key_file(private, _OF_OTHERS, "which others can read: make a new one, or chmod 600")
    try:
        key = signature.library("hazmat.primitives.serialization").load_pem_private_key(content, password=None)
    except (ValueError, TypeError):  # TypeError: it has a passphrase
        key = None
    if not isinstance(key, _ed25519().Ed25519PrivateKey):
        raise CamliteError(
            f"{private}: no Ed25519 private key without a passphrase; expected the .key file of `camlite keygen`"
        )
    serialization = signature.library("hazmat.primitives.serialization")
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return lambda message: Signature(public, key.sign(message))


def _ed25519() -> Any:
    return signature.library("hazmat.primitives.asymmetric.ed25519")
