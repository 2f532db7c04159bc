"""ONNX's metadata in `.onnx` artifacts, as Netron, Windows ML and others look for them."""

from __future__ import annotations

import ast

import onnx
import pytest

from camlite import artifact
from camlite.artifact.card import Preprocessing
from camlite.soundness import onnx_model
from camlite_export.targets import onnx_metadata
from camlite_export.targets.description import Description
from support import spec_vectors

UNIT = Preprocessing(8, 8, 3, (1 / 255,) * 3, (0.0,) * 3, "stretch")
MODEL = artifact.read(spec_vectors.FOLDER / "places.float32.onnx").model


def described(preprocessing: Preprocessing = UNIT, model: bytes = MODEL) -> onnx.ModelProto:
    description = Description("birds", "float32", ('tit "blue"', "Möwe"), preprocessing, "softmax")
    content = onnx_metadata.described(model, description)
    onnx_model.verify(content)
    return onnx.ModelProto.FromString(content)


def said(proto: onnx.ModelProto) -> dict[str, str]:
    return {one.key: one.value for one in proto.metadata_props}


def test_labels_are_a_mapping_that_python_and_yaml_can_read():
    assert ast.literal_eval(said(described())["names"]) == {0: 'tit "blue"', 1: "Möwe"}


@pytest.mark.parametrize(
    ("scale", "offset", "name"),
    [
        (1.0, 0.0, "NominalRange_0_255"),
        (1 / 255, 0.0, "Normalized_0_1"),
        (2 / 255, -1.0, "Normalized_1_1"),
        (1 / 127.5, 0.0, None),
    ],
)
def test_the_range_of_pixels_has_the_name_that_onnx_gives_it_or_none(scale, offset, name):
    proto = described(UNIT._replace(scale=(scale,) * 3, offset=(offset,) * 3))

    assert said(proto).get("Image.NominalPixelRange") == name


def test_one_channel_on_another_scale_has_no_range():
    assert "Image.NominalPixelRange" not in said(described(UNIT._replace(scale=(1 / 255, 1 / 255, 1 / 127.5))))


@pytest.mark.parametrize(
    ("changed", "name"),
    [({}, "Rgb8"), ({"order": "bgr"}, "Bgr8"), ({"channels": 1, "scale": (1.0,), "offset": (0.0,)}, "Gray8")],
)
def test_the_order_of_channels_has_the_name_that_onnx_gives_it(changed, name):
    assert said(described(UNIT._replace(**changed)))["Image.BitmapPixelFormat"] == name


def test_producer_and_sentences_are_those_that_viewers_show():
    proto = described()

    assert (proto.producer_name, proto.domain) == ("camlite", "")
    assert "birds" in proto.doc_string
    assert "8 x 8 pixels, RGB" in proto.graph.input[0].doc_string
    assert all(output.doc_string for output in proto.graph.output)


def test_what_a_file_says_of_itself_is_kept_and_nothing_is_said_twice():
    proto = onnx.ModelProto.FromString(MODEL)
    proto.metadata_props.add(key="trained on", value="birds")

    twice = described(model=described(model=proto.SerializeToString()).SerializeToString())

    assert said(twice)["trained on"] == "birds"
    keys = [one.key for one in twice.metadata_props]
    assert len(keys) == len(set(keys))


def test_an_exported_artifact_tells_the_same_as_its_card(tiny):
    path = tiny / "stripes" / "stripes.int8.onnx"
    card, proto = artifact.read(path).card, onnx.load(path)

    assert tuple(ast.literal_eval(said(proto)["names"]).values()) == card.labels
    assert said(proto)["Image.NominalPixelRange"] == "Normalized_0_1"
    assert said(proto)["Image.BitmapPixelFormat"] == "Gray8"
