"""`camlite_export.sources.untrusted.model_file`, `hdf5` and `rehearsal`: files that are read before Keras is there."""

from __future__ import annotations

import io
import json
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from camlite.errors import CamliteError, ClassifierError
from camlite_export.sources import keras_files
from camlite_export.sources.untrusted import model_file, rehearsal
from support import damaged_keras
from support.fresh_process import run_python


@pytest.fixture
def h5(tmp_path: Path) -> Path:
    return damaged_keras.write_h5(tmp_path / "model.h5")


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    return damaged_keras.write_keras(tmp_path / "model.keras")


def refusal(path: Path) -> str:
    with pytest.raises(ClassifierError) as raised:
        rehearsal.read_all(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_file_as_keras_writes_it_is_read(h5: Path, zipped: Path) -> None:
    for path in (h5, zipped):
        rehearsal.rehearse(path)
        assert model_file.read(path).structure == damaged_keras.STRUCTURE
        with model_file.open_weights(path) as weights:
            assert list(weights)


def test_a_keras_file_may_be_hdf5_as_that_of_keras_2_10(h5: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.keras"
    path.write_bytes(h5.read_bytes())
    assert not model_file.read(path).is_zip


def _external_storage(file: h5py.File, folder: Path) -> None:
    (folder / "elsewhere").write_bytes(bytes(400))
    file.create_dataset("more", (100,), "f4", external=[(str(folder / "elsewhere"), 0, 400)])


def _virtual(file: h5py.File, _: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "data", (4,))
    file.create_virtual_dataset("more", layout)


def _external_link(file: h5py.File, _: Path) -> None:
    file["more"] = h5py.ExternalLink("/etc/elsewhere.h5", "/data")


def _soft_link(file: h5py.File, _: Path) -> None:
    file["more"] = h5py.SoftLink("/nowhere")


def _giant_chunks(file: h5py.File, _: Path) -> None:
    file.create_dataset("more", (8, 8), "f4", maxshape=(None, None), chunks=(1 << 14, 1 << 14))


def _filter_of_others(file: h5py.File, _: Path) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((4,))
    plan.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)
    h5py.h5d.create(file.id, b"more", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4,)), plan)


def _never_written(file: h5py.File, _: Path) -> None:
    file.create_dataset("more", (1 << 20, 1 << 20), "f4", chunks=(64, 64))


def _texts(file: h5py.File, _: Path) -> None:
    file.create_dataset("more", data=["a", "b"], dtype=h5py.string_dtype())


def _named_type(file: h5py.File, _: Path) -> None:
    file["more"] = np.dtype("f4")


def _deep(file: h5py.File, _: Path) -> None:
    file.create_group("/".join("g" * 100))


OF_HDF5: dict[str, tuple[Callable[[h5py.File, Path], None], str]] = {
    "external storage": (_external_storage, "the data of /more are elsewhere"),
    "a virtual data set": (_virtual, "the data of /more are elsewhere"),
    "an external link": (_external_link, "is a link to elsewhere"),
    "a soft link": (_soft_link, "is a link to elsewhere"),
    "giant chunks": (_giant_chunks, "in chunks of more than 64 MB"),
    "a filter that is no part of HDF5": (_filter_of_others, "compressed by filter 32001"),
    "an array that was never written": (_never_written, "declares 1099511627"),
    "texts": (_texts, "expected numbers"),
    "a named type": (_named_type, "neither a group nor an array"),
    "groups 100 deep": (_deep, "or 64 deep"),
}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("kind", OF_HDF5)
def test_hdf5_that_holds_its_data_elsewhere_or_asks_for_too_much(
    kind: str, suffix: str, h5: Path, zipped: Path, tmp_path: Path
) -> None:
    change, why = OF_HDF5[kind]
    if suffix == ".h5":
        with h5py.File(h5, "r+") as file:
            change(file, tmp_path)
        assert why in refusal(h5)
        return
    weights = tmp_path / "weights.h5"
    with h5py.File(weights, "w") as file:
        change(file, tmp_path)
    assert why in refusal(damaged_keras.write_keras(zipped, weights.read_bytes()))


@pytest.mark.parametrize("method", [1, 9, 93, 95, 99])
def test_a_zip_that_the_standard_library_does_not_unpack(zipped: Path, method: int) -> None:
    content = bytearray(zipped.read_bytes())
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = content.find(signature)
        while start >= 0:
            content[start + at : start + at + 2] = struct.pack("<H", method)
            start = content.find(signature, start + 4)
    zipped.write_bytes(content)
    assert f"is compressed by method {method}" in refusal(zipped)


def test_an_encrypted_zip(zipped: Path) -> None:
    content = bytearray(zipped.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(signature)
        while start >= 0:
            content[start + at] |= 1
            start = content.find(signature, start + 4)
    zipped.write_bytes(content)
    assert "is encrypted" in refusal(zipped)


def test_a_deflate_stream_that_is_corrupt(zipped: Path) -> None:
    damaged_keras.write_keras(zipped, method=zipfile.ZIP_DEFLATED)
    content = bytearray(zipped.read_bytes())
    start = content.find(b"config.json") + len("config.json")
    content[start : start + 20] = b"\xff" * 20
    zipped.write_bytes(content)
    assert "no Keras model" in refusal(zipped)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_could_be_read_in_two_ways(zipped: Path) -> None:
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr("config.json", "{}")
    assert "holds config.json twice" in refusal(zipped)


@pytest.mark.parametrize("name", ["../outside", "/outside", "assets/../../outside"])
def test_a_zip_with_entries_outside_of_it(zipped: Path, name: str) -> None:
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr(name, "")
    assert "lies outside of it" in refusal(zipped)


def test_a_zip_with_many_entries(zipped: Path) -> None:
    with zipfile.ZipFile(zipped, "a") as archive:
        for index in range(10_001):
            archive.writestr(str(index), "")
    assert "entries, 10000 at the most" in refusal(zipped)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 5_000, "\ud800", "null", ""])
def test_a_structure_that_is_no_json_of_ours(zipped: Path, text: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(zipped) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, text.encode(errors="surrogatepass") if name == "config.json" else old.read(name))
    zipped.write_bytes(content.getvalue())
    if text == "null":
        assert model_file.read(zipped).structure is None
    else:
        assert "no Keras model" in refusal(zipped)


def test_a_structure_of_more_than_32_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "large.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", random.Random(0).randbytes(33 << 20))
    assert "config.json has" in refusal(path)


def test_what_the_process_of_its_own_refuses_is_said_as_here(h5: Path, tmp_path: Path) -> None:
    with h5py.File(h5, "r+") as file:
        _external_storage(file, tmp_path)
    with pytest.raises(ClassifierError) as raised:
        rehearsal.rehearse(h5)
    assert str(raised.value) == refusal(h5)


def test_a_file_that_takes_too_long_is_given_up(h5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "_SECONDS", 0.01)
    with pytest.raises(ClassifierError, match="reading it takes more than"):
        rehearsal.rehearse(h5)


def test_a_file_that_ends_the_process_which_reads_it_is_refused(h5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "_CHILD", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(ClassifierError, match="ends the process that does, with -11"):
        rehearsal.rehearse(h5)


def test_the_process_that_reads_has_limits() -> None:
    """Of addresses and of seconds: what asks for more is ended by the system."""
    code = (
        "import resource; from pathlib import Path; from camlite_export.sources.untrusted import rehearsal; "
        "rehearsal._limit(1000); limits = (resource.RLIMIT_CPU, resource.RLIMIT_AS); "
        "print(*(resource.getrlimit(one)[0] for one in limits))"
    )
    assert run_python(code).stdout.split() == ["20", str((1 << 30) + 2000)]


def test_a_file_that_has_changed_is_read_again(h5: Path) -> None:
    rehearsal.rehearse(h5)
    h5.write_bytes(h5.read_bytes()[:1000])
    with pytest.raises(ClassifierError, match="no Keras model"):
        rehearsal.rehearse(h5)


def _ends(folder: Path, first: int, count: int) -> dict[str, list[int]]:
    code = "import sys; from support.damaged_keras import main; from pathlib import Path; "
    code += f"main({first}, {count}, 20, Path({str(folder)!r}))"
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    ends: dict[str, list[int]] = json.loads(finished.stdout)
    return ends


def test_damaged_files_are_refused_in_one_line_or_read(tmp_path: Path) -> None:
    ends = _ends(tmp_path, 0, 400)
    assert ends.keys() == {"read", "refused"}
    assert len(ends["refused"]) > 300


@pytest.mark.endurance
def test_many_damaged_files(tmp_path: Path) -> None:
    """Killed by a limit is a refusal, too: the wall is there for it."""
    ends = _ends(tmp_path, 0, 20_000)
    assert not ends.keys() & {"several lines", "another exception"}


def _opened(path: Path) -> str:
    try:
        keras_files.open_classifier(path)
    except CamliteError as error:
        return _is_one_line(path, str(error))
    return "opened"


def _is_one_line(path: Path, message: str) -> str:
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    return "refused"


def _odd_structures(folder: Path, count: int) -> dict[str, int]:
    ends = {"refused": 0, "opened": 0}
    for seed in range(count):
        structure = damaged_keras.damage_structure(damaged_keras.STRUCTURE, seed)
        ends[_opened(damaged_keras.write_keras(folder / "odd.keras", structure=structure))] += 1
    return ends


def test_odd_structures_are_refused_in_one_line_or_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    ends = _odd_structures(tmp_path, 300)
    assert ends["refused"] > 150
    assert ends["opened"] > 5


@pytest.mark.endurance
def test_many_odd_structures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    _odd_structures(tmp_path, 10_000)
