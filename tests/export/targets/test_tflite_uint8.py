"""`camlite export --outputs uint8`: the same answers in a form that MediaPipe takes, and where it is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import camlite
from camlite import artifact, backends, cli, self_check
from camlite.artifact.card import Preprocessing
from camlite.artifact.writing import pack
from camlite.backends.interpreter import Tensor
from camlite.errors import ClassifierError
from camlite_export import artifact_kinds
from camlite_export.targets import tflite_uint8
from camlite_export.to_c import converting
from support import spec_vectors

NAMES = ("stripes.int8.tflite", "guided.int8.tflite", "graph.int8.tflite")
UNIT = Preprocessing(8, 12, 3, (1 / 255,) * 3, (0.0,) * 3, "stretch")


def as_it_was(image: Tensor) -> Preprocessing:
    """Pixels for which the input stays what the converter has made of it."""
    return Preprocessing(1, 1, 1, (image.scale,), (-image.zero_point * image.scale,), "stretch")


def written(name: str, folder: Path) -> Path:
    """A vector with uint8 outputs and the same input, sealed again."""
    read = artifact.read(spec_vectors.FOLDER / name)
    model = tflite_uint8.convert(bytes(read.model), as_it_was(backends.open_interpreter(read).input))
    card = read.card._replace(model_sha256=hashlib.sha256(model).hexdigest())
    path = folder / name
    path.write_bytes(pack("tflite", model, card, read.arrays))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_int8_outputs_become_uint8_and_all_answers_stay_the_same_to_the_bit(name, tmp_path):
    before, after = camlite.load(spec_vectors.FOLDER / name), camlite.load(written(name, tmp_path))

    image = before.artifact.arrays.golden_images[0]
    one, other = before.explain(image), after.explain(image)
    assert np.array_equal(one.scores, other.scores)
    assert np.array_equal(one.features, other.features)
    assert np.allclose(one.evidence, other.evidence, rtol=1e-6, atol=1e-7)
    assert (one.fine is None) == (other.fine is None)
    assert self_check.check(after).passed


@pytest.mark.parametrize("name", NAMES)
def test_only_types_and_zero_points_of_outputs_change(name, tmp_path):
    paths = spec_vectors.FOLDER / name, written(name, tmp_path)
    expected, received = (dict(backends.open_interpreter(artifact.read(path)).outputs) for path in paths)

    shifted = {key for key, one in expected.items() if one.dtype == np.int8}
    assert shifted >= {"features", "scores"}
    assert received == {
        key: one._replace(dtype=np.dtype(np.uint8), zero_point=one.zero_point + 128) if key in shifted else one
        for key, one in expected.items()
    }


@pytest.mark.parametrize("offset", [0.0, -1.0])
def test_pixels_go_in_as_they_are(offset):
    """Other programs hand them over so, whatever scale the input has."""
    read = artifact.read(spec_vectors.FOLDER / "stripes.int8.tflite")
    target = Preprocessing(1, 1, 1, ((1 - offset) / 255,), (offset,), "stretch")

    model = tflite_uint8.convert(bytes(read.model), target)

    image = converting.model_tensors.read(model).input
    pixels = np.arange(256, dtype=np.float32)
    real = pixels * target.scale[0] + target.offset[0]
    assert image.dtype == np.uint8
    assert np.abs(image.dequantize(pixels) - real).max() <= 0.54 * target.scale[0]
    steps = real.astype(np.float64) / image.scale + image.zero_point
    assert np.abs(steps % 1 - 0.5).min() > 5e-5  # none half way, where readers round in their own ways
    assert offset or np.array_equal(image.quantize(real), pixels)


def test_to_c_takes_them(tmp_path):
    made = converting.convert(artifact.read(written("stripes.int8.tflite", tmp_path)))

    assert made.files["stripes.h"].count(b"CAMLITE_UINT8") == 3  # the input, features, scores
    assert b"CAMLITE_WITH_UINT8 0" not in made.files["camlite.c"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"order": "bgr"}, "blue first"),
        ({"offset": (0.0, 0.0, -0.1)}, "for each channel"),
        ({"scale": (-1 / 255,) * 3}, "no uint8 zero point"),
        ({"offset": (0.5,) * 3}, "no uint8 zero point"),
    ],
)
def test_where_pixels_cannot_go_in_as_they_are_it_is_refused(change, why):
    tflite_uint8.check_pixels(UNIT)

    with pytest.raises(ClassifierError, match=f"--outputs uint8: .*{why}"):
        tflite_uint8.check_pixels(UNIT._replace(**change))


def test_what_has_no_int8_outputs_is_refused_before_the_long_work():
    for path, containers, precisions, why in (
        (Path("model.onnx"), None, None, "does not apply to a file that ships"),
        (Path("model.tflite"), None, None, "does not apply to a file that ships"),
        (Path("model.keras"), ["onnx"], ["int8"], "applies to int8.tflite only, and this export makes int8.onnx"),
        (Path("model.keras"), ["tflite"], ["float32"], "makes float32.tflite"),
    ):
        with pytest.raises(ClassifierError, match=why):
            artifact_kinds.check_options(path, containers, precisions, calibrated=True, outputs="uint8")
    artifact_kinds.check_options(Path("model.keras"), None, None, calibrated=True, outputs="uint8")


@pytest.mark.endurance
def test_an_export_has_them_in_int8_tflite_only_and_is_fit(tmp_path):
    from support import doors

    doors.export(tmp_path, "--outputs", "uint8", "--formats", "tflite")

    for precision, dtype in (("int8", "uint8"), ("float32", "float32")):
        path = tmp_path / f"described.{precision}.tflite"
        outputs = backends.open_interpreter(artifact.read(path)).outputs
        assert {one.dtype.name for one in outputs.values()} == {dtype}
    options = ["--data", str(tmp_path / "described.npz")]
    assert (
        cli.main(["parity", str(tmp_path / "described.keras"), str(tmp_path / "described.int8.tflite"), *options]) == 0
    )
