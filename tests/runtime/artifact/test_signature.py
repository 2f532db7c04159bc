"""Signatures: who sealed an artifact, and a device that insists on it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest

import camlite
from camlite import ArtifactError, CamliteError, artifact
from camlite.system.installing import how_to_install
from camlite_export import signing
from support.fresh_process import one_line, run_camlite, run_python
from support.mutants import parent
from support.small_artifacts import MODELS, SMALL, small_arrays, small_artifact

pytest.importorskip("cryptography")
CONTAINERS = sorted(MODELS)


@dataclasses.dataclass(frozen=True)
class Keys:
    private: Path
    public: Path


def keys(folder: Path, name: str) -> Keys:
    made = Keys(folder / f"{name}.key", folder / f"{name}.pub")
    signing.make_keys(made.private, made.public)
    return made


@pytest.fixture
def maker(tmp_path):
    return keys(tmp_path, "maker")


@pytest.fixture
def stranger(tmp_path):
    return keys(tmp_path, "stranger")


def signed(container: str, key: Keys) -> bytes:
    model = MODELS[container]
    card = SMALL._replace(model_sha256=hashlib.sha256(model).hexdigest())
    return artifact.pack(container, model, card, small_arrays(), signing.signer(key.private))


def written(folder: Path, content: bytes) -> Path:
    path = folder / "artifact"
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_signed_artifact_is_read_where_its_key_is_trusted(container, maker, stranger, tmp_path):
    path = written(tmp_path, signed(container, maker))

    back = artifact.read(path, trusted=[stranger.public, maker.public])

    assert back.trusted
    assert back.model == MODELS[container]
    assert back.signer is not None


@pytest.mark.parametrize("container", CONTAINERS)
def test_signed_artifacts_of_format_version_1_stay_readable(container, tmp_path):
    """The files were written when version 1 was made; their key is that of test 1 of RFC 8032, section 7.1."""
    folder = Path(__file__).with_name("format_1")
    key = tmp_path / "signed.pub"
    key.write_bytes((folder / "signed.pub").read_bytes())
    key.chmod(0o644)  # a clone may have made it writable to a group

    back = artifact.read(folder / f"signed.{container}", trusted=[key])

    assert back.trusted
    assert back.model == MODELS[container]


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_device_that_does_not_insist_reads_it_as_it_reads_any_other(container, maker, tmp_path):
    back = artifact.read(written(tmp_path, signed(container, maker)))

    assert back.signer is not None
    assert not back.trusted


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_device_that_insists_refuses_what_is_not_signed(container, maker, tmp_path):
    with pytest.raises(ArtifactError, match="not signed, but trusted keys were given"):
        artifact.read(written(tmp_path, small_artifact(container)), trusted=[maker.public])


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_signature_by_another_key_is_refused(container, maker, stranger, tmp_path):
    path = written(tmp_path, signed(container, stranger))

    with pytest.raises(ArtifactError, match="which is not among the 1 trusted"):
        artifact.read(path, trusted=[maker.public])
    with pytest.raises(ArtifactError, match="which is not among the 0 trusted"):
        artifact.read(path, trusted=[])


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_signature_that_was_copied_from_another_artifact_does_not_fit(container, maker, tmp_path):
    """An enemy changes the card, seals it again and keeps the maker's key and signature."""
    path = written(tmp_path, signed(container, maker))
    genuine = artifact.read(path)
    text = path.read_bytes()
    start = text.rindex(b"camlite signature ed25519:")
    signature_text = text[start : start + camlite.artifact.signature.LENGTH]
    forged_card = genuine.card._replace(labels=("a", "b", "c"))
    forged = artifact.pack(
        container,
        genuine.model,
        forged_card,
        genuine.arrays,
        lambda _: camlite.artifact.signature.from_bytes(signature_text),
    )

    with pytest.raises(ArtifactError, match="its signature does not fit"):
        artifact.read(written(tmp_path, forged), trusted=[maker.public])
    assert artifact.read(written(tmp_path, forged)).card.labels == ("a", "b", "c")  # that is what insisting is for


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_flipped_byte_and_every_truncation_of_a_signed_artifact_is_noticed(container, maker, tmp_path):
    content = signed(container, maker)
    path = tmp_path / "artifact"
    for position in range(0, len(content), 3):
        for damaged in (content[:position], content[:position] + b"\xa5" + content[position + 1 :]):
            if damaged == content:
                continue
            path.unlink(missing_ok=True)
            path.write_bytes(damaged)
            with pytest.raises(ArtifactError):
                artifact.read(path, trusted=[maker.public])


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_signed_artifact_that_has_lost_its_signature_is_damaged_for_everybody(container, maker, refusal):
    content = signed(container, maker)
    lost = (
        camlite.artifact.signature.LENGTH if container == "tflite" else content.rindex(b"\x72", 0, -200) - len(content)
    )

    assert "damaged artifact" in refusal(content[: -abs(lost)])


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_same_key_gives_the_same_bytes(container, maker):
    assert signed(container, maker) == signed(container, maker)


def test_zip_tools_still_list_a_signed_artifact(maker, tmp_path):
    import zipfile

    with zipfile.ZipFile(written(tmp_path, signed("tflite", maker))) as archive:
        assert archive.testzip() is None


def test_the_private_key_is_for_its_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        made = keys(tmp_path, "open")
    finally:
        os.umask(before)

    assert stat.S_IMODE(made.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.public.stat().st_mode) == 0o644


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o777])
def test_a_private_key_that_others_can_read_is_refused_with_what_to_do(mode, maker):
    maker.private.chmod(mode)

    with pytest.raises(CamliteError, match=f"{mode:04o}, which others can read: .* chmod 600 {maker.private}"):
        signing.signer(maker.private)


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_trusted_key_that_others_can_replace_is_refused_with_what_to_do(mode, maker, tmp_path):
    maker.public.chmod(mode)

    with pytest.raises(CamliteError, match=f"permissions {mode:04o}, so that others .* chmod 644 {maker.public}"):
        artifact.read(written(tmp_path, signed("onnx", maker)), trusted=[maker.public])


def test_a_key_is_never_overwritten_and_half_a_pair_is_not_left(maker, tmp_path):
    secret = maker.private.read_bytes()
    with pytest.raises(CamliteError, match=r"maker\.key: cannot make the key"):
        keys(tmp_path, "maker")
    (tmp_path / "half.pub").write_text("mine")
    with pytest.raises(CamliteError, match=r"half\.pub: cannot make the key"):
        keys(tmp_path, "half")

    assert maker.private.read_bytes() == secret
    assert not (tmp_path / "half.key").exists()
    assert (tmp_path / "half.pub").read_text() == "mine"


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_file_that_is_no_key_is_refused(content, maker, tmp_path):
    path = written(tmp_path, signed("onnx", maker))
    for one in (maker.private, maker.public):
        one.write_bytes(content)
    with pytest.raises(CamliteError, match="no Ed25519 public key"):
        artifact.read(path, trusted=[maker.public])
    with pytest.raises(CamliteError, match="no Ed25519 private key"):
        signing.signer(maker.private)


def test_a_key_of_another_kind_and_the_wrong_half_are_refused(maker, tmp_path):
    with pytest.raises(CamliteError, match="no Ed25519 public key"):
        camlite.artifact.signature.public_keys([maker.private])
    maker.public.chmod(0o600)
    with pytest.raises(CamliteError, match="no Ed25519 private key"):
        signing.signer(maker.public)
    with pytest.raises(CamliteError, match=r"cannot read the key .No such file"):
        camlite.artifact.signature.public_keys([tmp_path / "none.pub"])


def test_keys_of_openssl_are_keys(tmp_path):
    """Whoever keeps keys in openssl, or in what speaks its formats, needs no other tool."""
    import shutil

    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    made = Keys(tmp_path / "o.key", tmp_path / "o.pub")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", made.private], check=True)
    subprocess.run(["openssl", "pkey", "-in", made.private, "-pubout", "-out", made.public], check=True)
    made.private.chmod(0o600)

    assert artifact.read(written(tmp_path, signed("tflite", made)), trusted=[made.public]).trusted


def test_commands_make_keys_insist_on_them_and_show_them(tiny, tmp_path):
    path = tiny / "stripes" / "stripes.int8.tflite"
    assert run_camlite("keygen", tmp_path / "maker").returncode == 0
    one, signer = artifact.read(path), signing.signer(tmp_path / "maker.key")
    sealed = tmp_path / "signed.tflite"
    sealed.write_bytes(artifact.pack(one.container, one.model, one.card, one.arrays, signer))
    trusted = ("--trusted", tmp_path / "maker.pub")

    assert run_camlite("check", sealed, *trusted).returncode == 0
    shown = run_camlite("inspect", sealed, *trusted).stdout
    assert "trusted" in next(line for line in shown.splitlines() if line.startswith("signature"))
    assert "not verified" in run_camlite("inspect", sealed).stdout
    assert "not signed" in run_camlite("check", path, *trusted).stderr
    for command in (
        ("explain", path, "none.png"),
        ("watch", path, tmp_path, "--output", tmp_path / "results", "--once"),
    ):
        assert "not signed" in one_line(run_camlite(*command, *trusted))
    assert "File exists" in one_line(run_camlite("keygen", tmp_path / "maker"))


def test_without_the_library_unsigned_and_signed_artifacts_are_read_and_insisting_says_what_to_install(maker, tmp_path):
    path = written(tmp_path, signed("tflite", maker))
    finished = run_camlite("inspect", path, without=["cryptography"])
    assert finished.returncode == 0, finished.stderr

    line = one_line(run_camlite("inspect", path, "--trusted", maker.public, without=["cryptography"]))
    assert how_to_install("sign") in line


def test_the_library_is_imported_only_where_keys_are_given(maker, tmp_path):
    source = (
        "import sys; from camlite import artifact; artifact.read(sys.argv[1]); print('cryptography' in sys.modules)"
    )
    assert run_python(source, str(written(tmp_path, signed("tflite", maker)))).stdout == "False\n"


def test_load_insists_too(tiny, maker):
    with pytest.raises(ArtifactError, match="not signed"):
        camlite.load(tiny / "stripes" / "stripes.int8.tflite", trusted=[maker.public])


def test_mutants_seal_what_only_a_signature_can_tell(tiny, maker, tmp_path):
    """Anybody can seal; only the key's owner can sign."""
    one = parent(tiny / "stripes" / "stripes.int8.tflite")
    forged = written(tmp_path, one.with_card({**one.card(), "labels": ["a", "b", "c"]}))

    assert artifact.read(forged).card.labels == ("a", "b", "c")
    with pytest.raises(ArtifactError, match="not signed"):
        artifact.read(forged, trusted=[maker.public])
