"""`camlite_export.exporting`: a small classifier becomes eight artifacts, each as its precision says."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from camlite import artifact
from camlite.artifact import Container
from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.artifact.precisions import Precision
from camlite.errors import CamliteError
from camlite.images.labelled_images import LabelledImages
from camlite_export import exporting
from camlite_export.agreement import interpreter_process
from camlite_export.agreement.reference import inputs_of, reference_of
from camlite_export.cutting import two_output
from camlite_export.sources.pixel_conventions import preprocessing
from support import classifier_kinds
from support.fresh_process import BACKENDS

EIGHT = [
    *(("tflite", precision) for precision in ("float32", "float16", "dynamic", "int8", "int16x8")),
    *(("onnx", precision) for precision in ("float32", "float16", "int8")),
]
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 16, 20, 3), np.uint8)
LABELS = ("cat", "dog", "crane")

Kind = tuple[Container, Precision]


def small(hidden: bool = False) -> keras.Model:
    """Depthwise and separable convolutions with normalizations, 8 x 10 places.

    Each layer has a name, as Keras's own count up with every model of a process, and stand in what is exported.
    """
    chain = [
        layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="first"),
        layers.BatchNormalization(name="first_normalization"),
        layers.ReLU(6.0, name="first_relu"),
        layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
        layers.BatchNormalization(name="depthwise_normalization"),
        layers.ReLU(name="depthwise_relu"),
        layers.SeparableConv2D(12, 3, padding="same", name="separable"),
        layers.BatchNormalization(name="separable_normalization"),
        layers.ReLU(name="last_map"),
        layers.GlobalAveragePooling2D(name="average"),
        *([layers.Dense(10, activation="relu", name="hidden")] if hidden else []),
        layers.Dense(3, activation="softmax", name="scores"),
    ]
    return classifier_kinds.lively(keras.Sequential([keras.Input((16, 20, 3), name="image"), *chain], name="small"))


def images_of(pixels: np.ndarray) -> LabelledImages:
    return LabelledImages([str(i) for i in range(len(pixels))], None, lambda i: pixels[i])


def exported(
    folder: Path,
    wanted: list[Kind],
    model: keras.Model | None = None,
    evidence_method: EvidenceMethod = "device",
    **options: Any,
) -> list[exporting.Exported]:
    model = model or small()
    cut = two_output.cut(model, evidence_method=evidence_method)
    given = {
        "name": "small",
        "labels": LABELS,
        "target": preprocessing(cut.image_shape),
        "calibration": images_of(IMAGES),
        "folder": folder,
    }
    return exporting.export(cut, wanted=wanted, **{**given, **options}).artifacts


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, exporting.Exported]:
    folder = tmp_path_factory.mktemp("eight")
    return dict(zip(EIGHT, exported(folder, EIGHT), strict=True))


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, exporting.Exported]:
    """Those of a head that is not affine."""
    wanted = [kind for kind in EIGHT if kind != ("tflite", "int16x8")]
    return dict(zip(wanted, exported(tmp_path_factory.mktemp("seven"), wanted, small(hidden=True)), strict=True))


@pytest.fixture(scope="module")
def in_the_graph(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, exporting.Exported]:
    """The eight with evidence in the graph."""
    folder = tmp_path_factory.mktemp("graph")
    return dict(zip(EIGHT, exported(folder, EIGHT, evidence_method="graph"), strict=True))


_EXPORT = """
import pickle
import sys
from pathlib import Path

if __name__ == "__main__":  # the interpreters' processes import this file again, and must not load TensorFlow
    import test_exporting

    folder, wanted = Path(sys.argv[1]), [tuple(kind.split(".")) for kind in sys.argv[2:]]
    exported = test_exporting.exported(folder, wanted, test_exporting.small(hidden=True))
    folder.with_suffix(".pickle").write_bytes(pickle.dumps(exported))
"""


def in_a_fresh_process(folder: Path, wanted: list[Kind], hash_seed: str = "0") -> list[exporting.Exported]:
    script = folder.with_suffix(".py")
    script.write_text(_EXPORT)
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": f"{here}{os.pathsep}{os.environ['PYTHONPATH']}",
    }
    command = [sys.executable, str(script), str(folder), *map(".".join, wanted)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert finished.returncode == 0, finished.stderr
    found: list[exporting.Exported] = pickle.loads(folder.with_suffix(".pickle").read_bytes())
    return found


# --- What an artifact is --------------------------------------------------------------------------------------------


def test_the_folder_holds_the_artifacts_and_nothing_else(eight: Mapping[Kind, exporting.Exported]) -> None:
    (folder,) = {one.path.parent for one in eight.values()}
    assert {path.name for path in folder.iterdir()} == {f"small.{p}.{f}" for f, p in EIGHT}
    assert all(one.size == one.path.stat().st_size for one in eight.values())


@pytest.mark.parametrize("kind", EIGHT, ids=".".join)
def test_the_card_says_what_was_exported(eight: Mapping[Kind, exporting.Exported], kind: Kind) -> None:
    read = artifact.read(eight[kind].path)
    card, arrays = read.card, read.arrays
    assert (read.container, card.precision) == kind
    assert (card.name, card.labels) == ("small", LABELS)
    assert (card.preprocessing.height, card.preprocessing.width, card.preprocessing.channels) == (16, 20, 3)
    assert (card.head.layer, card.head.evidence, card.head.activation) == ("last_map", "device", "softmax")
    assert (card.head.height, card.head.width, card.head.channels) == (8, 10, 12)
    assert arrays.weights is not None
    assert arrays.weights.shape == (12, 3)
    assert card.made_with["keras"] == keras.__version__


def test_the_golden_samples_are_answered_by_keras(eight: Mapping[Kind, exporting.Exported]) -> None:
    arrays = artifact.read(eight["tflite", "int8"].path).arrays
    cut = two_output.cut(small())
    inputs = inputs_of(list(arrays.golden_images), preprocessing(cut.image_shape))
    expected = reference_of(cut, inputs)
    np.testing.assert_array_equal(arrays.golden_scores, expected.scores)
    np.testing.assert_array_equal(arrays.golden_evidence, expected.evidence)


@pytest.mark.parametrize("kind", EIGHT, ids=".".join)
def test_every_backend_finds_the_same_names_and_the_dtypes_of_the_precision(
    eight: Mapping[Kind, exporting.Exported], kind: Kind, interpreters: Mapping[str, Executor]
) -> None:
    integers = kind == ("tflite", "int8")
    able = [backend for backend in interpreters if BACKENDS[backend] == kind[0]]
    assert able
    for backend in able:
        image, outputs = interpreters[backend].submit(interpreter_process.tensors, eight[kind].path, backend).result()
        assert (image.shape, image.dtype) == ((16, 20, 3), np.dtype("uint8" if integers else "float32"))
        assert {name: (tensor.shape, tensor.dtype) for name, tensor in outputs.items()} == {
            "features": ((8, 10, 12), np.dtype("int8" if integers else "float32")),
            "scores": ((3,), np.dtype("int8" if integers else "float32")),
        }
        assert bool(image.scale) == integers
        assert all(bool(tensor.scale) == integers for tensor in outputs.values())


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_the_batch_of_onnx_is_dynamic(eight: Mapping[Kind, exporting.Exported], precision: Precision) -> None:
    import onnx

    graph = onnx.load(eight["onnx", precision].path).graph
    assert [value.name for value in graph.input] == ["image"]
    assert {value.name for value in graph.output} == {"features", "scores"}
    for value in (*graph.input, *graph.output):
        first, *others = value.type.tensor_type.shape.dim
        assert first.dim_param
        assert all(side.dim_value for side in others)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_batch_of_tflite_is_1(eight: Mapping[Kind, exporting.Exported], precision: Precision) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    read = artifact.read(eight["tflite", precision].path)
    graph = schema.Model.GetRootAs(read.model, 0).Subgraphs(0)
    ends = [*graph.InputsAsNumpy(), *graph.OutputsAsNumpy()]
    assert {graph.Tensors(int(i)).Shape(0) for i in ends} == {1}


def test_int8_of_tflite_is_integer_throughout(eight: Mapping[Kind, exporting.Exported]) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    graph = schema.Model.GetRootAs(artifact.read(eight["tflite", "int8"].path).model, 0).Subgraphs(0)
    dtypes = {graph.Tensors(i).Type() for i in range(graph.TensorsLength())}
    assert dtypes <= {schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT32}


# Top-1 agreement, evidence correlation (5th percentile), as measured, then what is asked for. A random classifier's
# scores lie close together, so few of 24 images may change sides.
LIMITS = {
    "float32": (1.0, 0.999999),
    "float16": (1.0, 0.9999),
    "dynamic": (0.9, 0.99),
    "int16x8": (0.9, 0.99),
    "int8": (0.9, 0.97),
}


def agrees(one: exporting.Exported, precision: Precision) -> None:
    """On each of `IMAGES`, within `LIMITS`."""
    measured = one.measurement
    assert measured is not None
    agreement, correlation = LIMITS[precision]
    assert len(measured) == len(IMAGES)
    assert measured.same_class.mean() >= agreement
    assert np.quantile(measured.correlation, 0.05) >= correlation


@pytest.mark.parametrize("kind", EIGHT, ids=".".join)
def test_agreement_with_keras_is_measured(eight: Mapping[Kind, exporting.Exported], kind: Kind) -> None:
    agrees(eight[kind], kind[1])


@pytest.mark.parametrize("kind", [kind for kind in EIGHT if kind[1] != "int16x8"], ids=".".join)
def test_a_head_that_is_not_affine_agrees_as_well(seven: Mapping[Kind, exporting.Exported], kind: Kind) -> None:
    agrees(seven[kind], kind[1])
    assert artifact.read(seven[kind].path).arrays.weights is None


@pytest.mark.parametrize("kind", EIGHT, ids=".".join)
def test_evidence_in_the_graph_agrees_as_well(in_the_graph: Mapping[Kind, exporting.Exported], kind: Kind) -> None:
    agrees(in_the_graph[kind], kind[1])
    arrays = artifact.read(in_the_graph[kind].path).arrays
    assert (arrays.weights, arrays.stored_weights, arrays.weights_rest) == (None, None, None)
    assert arrays.bias is not None


# --- How it is written ----------------------------------------------------------------------------------------------


def test_without_images_random_fields_are_measured(tmp_path: Path) -> None:
    (one,) = exported(tmp_path, [("onnx", "float32")], calibration=None)
    assert one.measurement is not None
    assert len(one.measurement) == 4


def test_progress_names_each_stage(tmp_path: Path) -> None:
    named: list[str] = []
    wanted: list[Kind] = [("onnx", "float32"), ("onnx", "float16")]
    exported(tmp_path, wanted, progress=named.append)
    assert len(named) == exporting.stages(wanted, "cam")
    assert {"float32.onnx", "float16.onnx", "measuring", "measuring, 24 of 24 images"} <= set(named)


@pytest.mark.parametrize("container", ["tflite", "onnx"])
def test_the_gradient_of_a_depthwise_convolution_is_exported_by_other_operators(
    tmp_path: Path, container: Container
) -> None:
    """Interpreters have none of TensorFlow's."""
    (one,) = exported(tmp_path / "out", [(container, "float32")], two_scales_by_depthwise())
    assert (one.verdict, one.failures) == ("checked", ())


def two_scales_by_depthwise() -> keras.Model:
    image = keras.Input((16, 20, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")(image)
    fine = layers.GlobalAveragePooling2D()(layers.DepthwiseConv2D(3, activation="relu")(x))
    coarse = layers.GlobalAveragePooling2D()(layers.DepthwiseConv2D(3, strides=2, activation="relu")(x))
    scores = layers.Dense(3, activation="softmax")(layers.Concatenate()([fine, coarse]))
    return classifier_kinds.lively(keras.Model(image, scores, name="small"))


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(CamliteError, match="choose another --output"):
        exported(tmp_path / "taken", [("onnx", "float32")])


def test_the_weights_are_as_they_were_afterwards(tmp_path: Path) -> None:
    """Rounding and bias correction change them while they are converted."""
    model = small()
    before = [weight.copy() for weight in model.get_weights()]
    exported(tmp_path, [("onnx", "int8")], model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_another_process_writes_the_same_bytes(seven: Mapping[Kind, exporting.Exported], tmp_path: Path) -> None:
    again = in_a_fresh_process(tmp_path / "again", [("tflite", "int8"), ("onnx", "int8")], hash_seed="77")
    for one in again:
        assert one.path.read_bytes() == (seven["tflite", "int8"].path.parent / one.path.name).read_bytes()
