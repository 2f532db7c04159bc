"""Where `camlite serve` says that it is: addresses that open, a line that works as printed, and HTTPS."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from camlite.serve import addresses
from support.fresh_process import one_line, run_camlite

pytest.importorskip("tornado")

TOKEN = "a token of some length"
NEW_PAIR = [
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "365",
    "-subj",
    "/CN=device",
]


@pytest.fixture
def artifact(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.int8.tflite"


@contextmanager
def serving(artifact: Path, folder: Path, *options: str) -> Iterator[list[str]]:
    """The lines that it prints when it has begun."""
    command = [sys.executable, "-m", "camlite", "serve", str(artifact), "--port", "0", "--workers", "1", *options]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
    try:
        lines = [""]
        while not lines[-1].startswith("try it: "):
            lines.append(process.stdout.readline().rstrip("\n"))
            assert lines[-1], (folder / "log").read_text()
        yield lines[1:]
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def answer_of(line: str, folder: Path) -> dict:
    """Of the line that is printed, typed into a shell."""
    if shutil.which("curl") is None or shutil.which("sh") is None:
        pytest.skip("needs curl")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    finished = subprocess.run(
        ["sh", "-c", line.removeprefix("try it: ")], cwd=folder, env=environment, capture_output=True, timeout=60
    )
    return json.loads(finished.stdout)


def status(url: str, context: ssl.SSLContext | None = None) -> int:
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    with urllib.request.build_opener(*handlers).open(url, timeout=30) as answer:
        return int(answer.status)


def test_on_this_machine_it_says_one_address_and_a_line_that_works(artifact, tmp_path):
    with serving(artifact, tmp_path) as lines:
        address, trial = lines
        assert address.startswith(f"serving {artifact} on http://127.0.0.1:")
        assert answer_of(trial, tmp_path)["label"] in ("horizontal", "vertical", "plain")


def test_on_all_addresses_it_names_those_that_open(artifact, tmp_path):
    (tmp_path / "my token").write_text(TOKEN)
    (tmp_path / "my token").chmod(0o600)
    with serving(artifact, tmp_path, "--host", "0.0.0.0", "--token-file", "my token") as lines:
        *told, trial = lines
        urls = [line.rpartition(" on ")[2] for line in told]
        assert urls[-1].startswith("http://127.0.0.1:")
        assert not any("0.0.0.0" in url for url in urls)
        assert [status(url) for url in urls if ".local:" not in url] == [200] * sum(
            ".local:" not in url for url in urls
        )
        assert answer_of(trial, tmp_path)["width"] > 0
        assert TOKEN not in "\n".join(lines)


def test_addresses_of_version_6_are_in_brackets():
    assert addresses.urls(ipaddress.ip_address("::1"), 80, "http") == ["http://[::1]:80"]
    assert all("[::]" not in url for url in addresses.urls(ipaddress.ip_address("::"), 80, "http"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificate.pem and key.pem, made as docs/device.md says, and other.pem, another key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("pair")
    for key, certificate in (("key.pem", "certificate.pem"), ("other.pem", "unused.pem")):
        subprocess.run(
            [*NEW_PAIR, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    (folder / "readable.pem").write_bytes((folder / "key.pem").read_bytes())
    (folder / "readable.pem").chmod(0o644)
    locked = ["openssl", "pkcs8", "-topk8", "-in", "key.pem", "-out", "locked.pem", "-passout", "pass:secret"]
    subprocess.run(locked, cwd=folder, check=True, capture_output=True)
    (folder / "locked.pem").chmod(0o600)
    return folder


def test_with_a_certificate_it_speaks_https_and_nothing_else(artifact, pair, tmp_path):
    options = (f"--certificate={pair / 'certificate.pem'}", f"--key={pair / 'key.pem'}", "--timeout=1")
    with serving(artifact, tmp_path, *options) as (address, trial):
        url = address.rpartition(" on ")[2]
        assert url.startswith("https://127.0.0.1:")
        assert status(url, ssl.create_default_context(cafile=pair / "certificate.pem")) == 200
        with pytest.raises(OSError, match=r"CERTIFICATE_VERIFY_FAILED"):
            status(url)
        assert answer_of(trial, tmp_path)["width"] > 0
        port = int(url.rpartition(":")[2])
        for sent in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b""):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(sent)
                start = time.monotonic()
                with contextlib.suppress(ConnectionError):
                    assert b"HTTP/1.1 200" not in b"".join(iter(lambda: connection.recv(4096), b""))
                assert time.monotonic() - start < 10
        assert status(url, ssl.create_default_context(cafile=pair / "certificate.pem")) == 200
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_where_the_certificate_is_for_another_name_the_line_asks_by_it(artifact, tmp_path):
    """As the command of docs/device.md makes it: for raspberrypi.local, which need not lead here."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    named = [*NEW_PAIR, "-addext", "subjectAltName=DNS:raspberrypi.local", "-keyout", "named.key", "-out", "named.pem"]
    subprocess.run(named, cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    options = ("--certificate=named.pem", "--key=named.key")

    with serving(artifact, tmp_path, *options, "--token-file=token") as (address, name, trial):
        url = f"https://raspberrypi.local:{address.rpartition(':')[2]}"
        assert name == f"the certificate is for raspberrypi.local: where this name leads here, open {url}"
        assert answer_of(trial, tmp_path)["width"] > 0
    with serving(artifact, tmp_path, *options) as (_, trial):  # only names of this machine are answered
        assert answer_of(trial, tmp_path)["width"] > 0


def made_with(folder: Path, name: str, first: timedelta, last: timedelta) -> Path:
    """A certificate for the key of `pair`, of no authority, that is valid from and until so long after now."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    now, who = datetime.now(timezone.utc), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device")])
    builder = x509.CertificateBuilder(who, who, key.public_key(), 1, now + first, now + last)
    builder = builder.add_extension(x509.BasicConstraints(False, None), True)
    path = folder / name
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        (-2 * DAY, -DAY, "has expired, and browsers refuse it; make a new one (docs/device.md)"),
        (DAY, 2 * DAY, "is not valid yet; check the clock of this machine"),
        (-DAY, DAY, None),
    ],
    ids=["expired", "not yet", "good"],
)
def test_a_certificate_whose_time_is_over_is_a_line_at_the_start(first, last, says, artifact, pair, tmp_path):
    certificate = made_with(pair, "dated.pem", first, last)
    options = (f"--certificate={certificate}", f"--key={pair / 'key.pem'}")

    with serving(artifact, tmp_path, *options):
        lines = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("camlite: ")]

    assert lines == ([f"camlite: --certificate {certificate}: {says}"] if says else [])


@pytest.mark.parametrize(
    ("certificate", "key", "says"),
    [
        ("certificate.pem", None, "--certificate and --key: expected both, or neither"),
        (None, "key.pem", "--certificate and --key: expected both, or neither"),
        ("certificate.pem", "readable.pem", "readable.pem: a private key with permissions 0644"),
        ("certificate.pem", "locked.pem", "--key locked.pem: is locked by a password"),
        ("certificate.pem", "other.pem", "--certificate certificate.pem, --key other.pem: the key is another"),
        ("key.pem", "key.pem", "--certificate key.pem, --key key.pem: expected a certificate and its key, both PEM"),
        ("none.pem", "key.pem", "--certificate none.pem, --key key.pem: No such file"),
        ("certificate.pem", "none.pem", "none.pem: cannot read the private key (No such file"),
    ],
)
def test_a_certificate_that_does_not_do_is_one_line(certificate, key, says, artifact, pair):
    options = [*(["--certificate", certificate] if certificate else []), *(["--key", key] if key else [])]

    complaint = one_line(run_camlite("serve", artifact, "--port", "0", *options, cwd=pair))

    assert complaint.startswith(f"camlite: {says}")
