"""TFLite's metadata in `.tflite` artifacts: read back, in the order of the outputs, and believed by MediaPipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import camlite
from camlite import artifact
from camlite.artifact.card import Preprocessing
from camlite.soundness.flatbuffer import Reader
from camlite_export.sources.tflite import flatbuffer, metadata
from camlite_export.targets import tflite_metadata
from camlite_export.targets.description import Description
from support import spec_vectors

# The tables of metadata_schema.fbs that are written, by their fields in its order.
SCHEMA = {
    **metadata._SCHEMA,
    "TensorMetadata": ("name str", "description str", "dimension_names -", "content Content",
                       "process_units [ProcessUnit]", "stats Stats", "associated_files [AssociatedFile]"),
    "Content": ("content_properties_type B", "content_properties ImageProperties", "range -"),
    "ImageProperties": ("color_space b", "default_size ImageSize"),
    "ImageSize": ("width I", "height I"),
    "Stats": ("max [f]", "min [f]"),
}  # fmt: skip
SIGNED = Preprocessing(8, 10, 3, (2 / 255,) * 3, (-1.0,) * 3, "stretch")


def written(preprocessing: Preprocessing = SIGNED, outputs: tuple[str, ...] = ("features", "scores")) -> dict:
    description = Description("birds", "float32", ("tit", "Möwe"), preprocessing, "softmax")
    content = tflite_metadata.written(description, outputs)
    assert content[4:8] == b"M001"
    return Reader(content, SCHEMA, unread=("Options", "Skipped")).root("ModelMetadata")


def test_the_model_says_its_name_and_that_any_parser_can_read_it():
    root = written()

    assert (root["name"], root["author"], root["min_parser_version"]) == ("birds", "camlite", "1.0.0")
    assert root["version"] == camlite.__version__
    assert "2 classes" in root["description"]


@pytest.mark.parametrize("outputs", [("features", "scores"), ("scores", "features"), ("evidence", "scores", "guide")])
def test_outputs_are_told_in_the_order_that_they_have_and_labels_are_those_of_the_scores(outputs):
    (graph,) = written(outputs=outputs)["subgraph_metadata"]

    told = graph["output_tensor_metadata"]
    assert tuple(one["name"] for one in told) == outputs
    assert all(one["description"] for one in told)
    files = {one["name"]: [(file["name"], file["type"]) for file in one.get("associated_files", ())] for one in told}
    assert files == {name: [("labels.txt", 2)] if name == "scores" else [] for name in outputs}


def test_the_image_is_told_with_its_size_colours_and_range():
    (image,) = written()["subgraph_metadata"][0]["input_tensor_metadata"]

    properties = image["content"]["content_properties"]
    assert image["content"]["content_properties_type"] == 2
    assert (properties["color_space"], properties["default_size"]) == (1, {"width": 10, "height": 8})
    assert image["stats"]["min"] == (-1.0,) * 3
    assert image["stats"]["max"] == pytest.approx((1.0,) * 3)


def told_normalization(preprocessing: Preprocessing) -> metadata.Metadata:
    """What the reader of other people's files makes of it, in a model."""
    read = artifact.read(spec_vectors.FOLDER / "described.float32.tflite")
    described = tflite_metadata.described(
        read.model, Description("x", "float32", ("a", "b", "c"), preprocessing, "softmax")
    )
    return metadata.read(flatbuffer.read(described), b"")


def test_normalization_turns_each_pixel_into_what_the_card_says():
    told = told_normalization(SIGNED)

    pixels = np.arange(256)
    assert (len(told.mean), len(told.std)) == (1, 1), "MediaPipe refuses three equal numbers"
    assert (pixels - told.mean[0]) / told.std[0] == pytest.approx(pixels * 2 / 255 - 1, abs=1e-6)


def test_channels_that_differ_have_a_mean_each():
    scale, offset = (0.01, 0.02, 0.03), (-1.0, -2.0, -3.0)

    told = told_normalization(SIGNED._replace(scale=scale, offset=offset))

    assert told.mean == pytest.approx((100, 100, 100))
    assert told.std == pytest.approx((100, 50, 100 / 3))


@pytest.mark.parametrize("changed", [{"order": "bgr"}, {"scale": (0.0, 1.0, 1.0)}])
def test_what_a_program_that_feeds_rgb_would_do_wrong_has_no_normalization(changed):
    told = told_normalization(SIGNED._replace(**changed))

    assert (told.mean, told.std) == (None, None)


@pytest.mark.parametrize("name", ["stripes.float32", "stripes.int8", "graph.int8", "hidden.float32", "colours.int8"])
def test_metadata_of_an_artifact_are_those_of_its_card_and_its_outputs(name, tiny):
    path = tiny / name.split(".")[0] / f"{name}.tflite"
    read = artifact.read(path)
    objects = flatbuffer.read(read.model)

    (graph,), (signature,) = objects.subgraphs, objects.signatureDefs
    names = {one.tensorIndex: one.name.decode() for one in signature.outputs}
    (entry,) = (one for one in objects.metadata if one.name == tflite_metadata.NAME)
    content = bytes(objects.buffers[entry.buffer].data)
    (described,) = Reader(content, SCHEMA, unread=("Options", "Skipped")).root("ModelMetadata")["subgraph_metadata"]
    outputs = described["output_tensor_metadata"]
    assert [one["name"] for one in outputs] == [names[int(i)] for i in graph.outputs]
    (file,) = (file for one in outputs if one["name"] == "scores" for file in one["associated_files"])
    with zipfile.ZipFile(path) as archive:
        assert tuple(archive.read(file["name"]).decode().split("\n")) == read.card.labels


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_every_exported_tflite_artifact_has_labels_that_other_programs_find(tiny, precision):
    path = tiny / "stripes" / f"stripes.{precision}.tflite"

    with zipfile.ZipFile(path) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert metadata.read(flatbuffer.read(path.read_bytes()), path.read_bytes()).labels == (
        "horizontal",
        "vertical",
        "plain",
    )


def test_metadata_that_a_file_had_are_replaced():
    read = artifact.read(spec_vectors.FOLDER / "described.float32.tflite")
    description = Description("other", "float32", ("a", "b", "c"), SIGNED, "softmax")

    once = tflite_metadata.described(read.model, description)

    assert tflite_metadata.described(once, description) == once
    assert [one.name for one in flatbuffer.read(once).metadata].count(tflite_metadata.NAME) == 1


_IN_MEDIAPIPE = """
import json, sys
import mediapipe, numpy
from mediapipe.tasks.python import BaseOptions, vision
options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=sys.argv[1]))
image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=numpy.load(sys.argv[2]))
with vision.ImageClassifier.create_from_options(options) as classifier:
    heads = classifier.classify(image).classifications
print(json.dumps({head.head_name: [[one.category_name, one.score] for one in head.categories] for head in heads}))
"""


def test_mediapipe_classifies_as_camlite_does(tmp_path):
    """In a process of its own, and mostly in an environment of its own: it brings a TFLite, and needs numpy 2."""
    python = os.environ.get("MEDIAPIPE_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import mediapipe"], capture_output=True).returncode:
        pytest.skip("mediapipe is not installed: MEDIAPIPE_PYTHON names the Python of an environment that has it")
    path = spec_vectors.FOLDER / "described.float32.tflite"
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    np.save(tmp_path / "image.npy", image)
    command = [python, "-c", _IN_MEDIAPIPE, path, tmp_path / "image.npy"]

    answered = subprocess.run(command, capture_output=True, check=True, text=True).stdout

    scores = dict(json.loads(answered.splitlines()[-1])["scores"])
    explained = camlite.load(path).explain(image)
    expected = dict(zip(artifact.read(path).card.labels, explained.scores, strict=True))
    assert scores == pytest.approx({label: float(score) for label, score in expected.items()}, abs=1e-6)
