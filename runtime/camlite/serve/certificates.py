"""``--certificate`` and ``--key``: HTTPS."""

from __future__ import annotations

import contextlib
import re
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from camlite.artifact.signature import read_key_file
from camlite.errors import CamliteError

_NOT_YET, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL
_NAME = re.compile(r"[0-9A-Za-z.:-]+")  # of a host, or an address
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


@dataclass(frozen=True)
class Seen:
    """A certificate, as a client sees it that trusts it.

    Attributes:
        trouble: why browsers refuse it at this time, in one line; None where its time is right.
        names: the names and addresses that it is for, without those that stand for many (``*.example.org``); empty
            where it has none or its time is wrong.
    """

    trouble: str | None = None
    names: tuple[str, ...] = ()

    def name_for(self, address: str) -> str | None:
        """The name by which clients must ask for the server at an address; None where the address does as well."""
        return None if address in self.names or not self.names else self.names[0]


def seen(certificate: Path, secured: ssl.SSLContext) -> Seen:
    """What a client sees of a certificate.

    Python tells the dates and names of a certificate only of a peer that it trusts. So one that trusts this one
    connects, in memory.

    Args:
        certificate: the file; secured: `context` of it.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = client.wrap_bio(back, there), secured.wrap_bio(there, back, server_side=True)
    try:
        for side in 2 * sides:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        entries = (sides[0].getpeercert() or {}).get("subjectAltName", ())
        return Seen(names=tuple(name for name in (str(entry[1]) for entry in entries) if _NAME.fullmatch(name)))
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _EXPIRED:
            return Seen(
                f"--certificate {certificate}: has expired, and browsers refuse it; make a new one (docs/device.md)"
            )
        if error.verify_code == _NOT_YET:
            return Seen(f"--certificate {certificate}: is not valid yet; check the clock of this machine")
    except (ssl.SSLError, ValueError):  # whatever else a browser may think of it; no handshake, no certificate
        pass
    return Seen()
