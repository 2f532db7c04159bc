"""``--certificate`` and ``--key``: HTTPS."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from camlite.artifact.signature import read_key_file
from camlite.errors import CamliteError

_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """What connections are secured with, TLS 1.2 or newer; None where neither is given.

    Raises:
        CamliteError: only one is given, they cannot be read or do not belong together, or others can read the key.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise CamliteError("--certificate and --key: expected both, or neither; docs/device.md tells how to make them")
    read_key_file(key, _OF_OTHERS, "which others can use: make a new one, or chmod 600", "private key")
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.minimum_version = ssl.TLSVersion.TLSv1_2

    def no_password() -> str:
        raise CamliteError(f"--key {key}: is locked by a password; expected one without, as `openssl -nodes` makes it")

    try:
        secured.load_cert_chain(certificate, key, no_password)
    except OSError as error:  # ssl.SSLError is one, too
        reason = error.strerror or "no pair of PEM files"
        if isinstance(error, ssl.SSLError):
            pair = error.reason == "KEY_VALUES_MISMATCH"
            reason = "the key is another certificate's" if pair else "expected a certificate and its key, both PEM"
        raise CamliteError(f"--certificate {certificate}, --key {key}: {reason}") from None
    return secured
