"""The classifiers behind the test vectors of runtime/spec: ``python -m support.spec_classifiers FOLDER`` exports them,
or those that are named behind FOLDER.

Keras is imported inside the functions: the processes of the interpreters import this file, too.
"""

from __future__ import annotations

import base64
import contextlib
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from support import spec_guided

if TYPE_CHECKING:
    import keras

_GREY = ("grey_12x8.pgm", "colour_19x7.ppm", "grey_13x21.pgm")
_STRIPES = ("horizontal", "vertical", "plain")

# The private key of test 1 in RFC 8032, section 7.1, which everybody knows: PKCS #8 begins with these 16 bytes.
_KEY = "maker.key"
_PKCS8 = "302e020100300506032b657004220420"
_SECRET = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"

# Classifier -> the artifacts that are kept, the options of `camlite export`, and the pictures.
KINDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "stripes": (
        ("float32.tflite", "float16.tflite", "int8.tflite", "float32.onnx", "int8.onnx"),
        ("--preprocess", "unit"),
        (*_GREY, "grey_1x1.pgm"),
    ),
    "graph": (
        ("int8.tflite", "float32.onnx"),
        ("--preprocess", "unit", "--evidence", "graph", "--sign", _KEY),
        _GREY[:2],
    ),
    "hidden": (("float32.tflite", "int8.tflite", "float32.onnx"), ("--preprocess", "unit"), _GREY[:2]),
    "many": (("float32.tflite", "float32.onnx"), ("--preprocess", "unit"), _GREY[:2]),
    "places": (
        ("float32.tflite", "int8.tflite", "float32.onnx"),
        ("--preprocess", "imagenet", "--fit", "crop"),
        ("colour_8x8.ppm", "colour_9x17.ppm", "colour_19x7.ppm", "grey_13x21.pgm"),
    ),
    "bgr": (
        ("float32.tflite", "int8.tflite"),
        ("--preprocess", "caffe"),
        ("colour_8x6.ppm", "colour_19x7.ppm", "grey_13x21.pgm"),
    ),
    "described": (
        ("float32.tflite",),
        ("--preprocess", "signed"),
        ("colour_8x8.ppm", "grey_13x21.pgm"),
    ),
    "guided": (("float32.tflite", "int8.tflite", "float32.onnx"), ("--preprocess", "unit"), _GREY[:2]),
    "guided_top": (("float32.tflite", "float32.onnx"), ("--preprocess", "unit"), _GREY[:2]),
    "pieces": (("float32.tflite", "float32.onnx"), ("--preprocess", "unit"), _GREY[:2]),
    "pieces_top": (("float32.tflite",), ("--preprocess", "unit"), _GREY[:2]),
    "channels_first": (
        ("float32.onnx",),
        ("--preprocess", "imagenet", "--fit", "crop"),
        ("colour_8x8.ppm", "colour_19x7.ppm", "grey_13x21.pgm"),
    ),
}

# As artifacts were before they had an output `bias`; they may be so still.
_WITHOUT_BIAS = ("hidden", "many")


def classifiers() -> dict[str, keras.Model]:
    """The trained classifiers, by name."""
    return {
        "stripes": _stripes("stripes"),
        "graph": _stripes("graph"),
        "hidden": _stripes("hidden", hidden=4),
        "many": _stripes("many", hidden=6, classes=65),
        "pieces": _stripes("pieces", hidden=5),
        "pieces_top": _stripes("pieces_top", hidden=6, classes=65),
        "places": _places(),
        "bgr": _bgr(),
        "described": _described(),
        "guided": _stripes("guided"),
        "guided_top": _stripes("guided_top", padded=False),
    }


def _stripes(name: str, hidden: int = 0, classes: int = 3, padded: bool = True) -> keras.Model:
    """8 x 12 grey -> features 4 x 6 x 4 of four edge directions -> which way stripes run; or any answer.

    Not padded: 10 x 14 grey -> features 2 x 4 x 4, in the middle.
    """
    import keras
    from keras import layers

    model = keras.Sequential(name=name)
    model.add(keras.Input((8, 12, 1) if padded else (10, 14, 1)))
    padding = "same" if padded else "valid"
    model.add(layers.Conv2D(4, 3, padding=padding, activation="relu", name="edges"))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(4, 3, padding=padding, activation="relu", name="blurred"))
    model.add(layers.GlobalAveragePooling2D())
    if hidden:
        model.add(layers.Dense(hidden, activation="relu"))
    model.add(layers.Dense(classes, activation="softmax"))
    slope = np.outer([-1, 0, 1], [1, 2, 1]) / 8
    edges = np.stack([slope, -slope, slope.T, -slope.T], axis=-1)[:, :, np.newaxis]
    blur = np.tile(np.eye(4) / 9, (3, 3, 1, 1))
    random = np.random.default_rng(0)
    between = [random.normal(size=(4, hidden)) * 8, random.normal(size=hidden) / 4] if hidden else []
    if hidden:
        last = [random.normal(size=(hidden, classes)) * 4, random.normal(size=classes)]
    else:
        rows = np.array([[1, -0.5, -0.5], [1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, 1, -0.5]])
        last = [24 * rows, np.array([0, 0, 1.5])]
    model.set_weights([edges, np.zeros(4), blur, np.zeros(4), *between, *last])
    return model


def _places() -> keras.Model:
    """8 x 8 RGB -> features 2 x 2 x 3, how far each colour stands out -> sigmoid; class weights differ by place."""
    import keras
    from keras import layers

    model = keras.Sequential(name="places")
    model.add(keras.Input((8, 8, 3)))
    model.add(layers.Conv2D(3, 1, strides=2, activation="relu", name="excess"))
    model.add(layers.AveragePooling2D(2, name="averaged"))
    model.add(layers.Flatten())
    model.add(layers.Dense(3, activation="sigmoid"))
    excess = (np.eye(3) * 1.5 - 0.5)[np.newaxis, np.newaxis]
    classes = (1 + np.arange(4).reshape(2, 2, 1, 1) / 4) * (np.eye(3) * 1.5 - 0.5) / 2
    model.set_weights([excess, np.full(3, 0.5), classes.reshape(12, 3), np.full(3, -1.0)])
    return model


def _described() -> keras.Model:
    """8 x 8 RGB around 0 -> features 4 x 4 x 6 -> softmax: an input that programs of others can make, too."""
    import keras
    from keras import layers

    model = keras.Sequential(name="described")
    model.add(keras.Input((8, 8, 3)))
    model.add(layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="mixed"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3, activation="softmax"))
    random = np.random.default_rng(2)
    model.set_weights([random.normal(size=shape) / 2 for shape in ((3, 3, 3, 6), (6,), (6, 3), (3,))])
    return model


def _bgr() -> keras.Model:
    """6 x 8 BGR around 0 -> features 3 x 4 x 4 -> three numbers without an activation."""
    import keras
    from keras import layers

    model = keras.Sequential(name="bgr")
    model.add(keras.Input((6, 8, 3)))
    model.add(layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="mixed"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=shape) / 8 for shape in ((3, 3, 3, 4), (4,), (4, 3), (3,))])
    return model


def _calibration(model: keras.Model) -> np.ndarray:
    """Uint8 (24, H, W, channels): stripes of many contrasts."""
    random = np.random.default_rng(1)
    height, width, channels = model.inputs[0].shape[1:]
    rows, columns, _ = np.indices((height, width, channels))
    images = []
    for index in range(24):
        low, high = sorted(random.integers(0, 256, 2))
        run = (rows, columns, np.zeros_like(rows))[index % 3]
        images.append(np.where(run // 2 % 2, low, high) * random.uniform(0.5, 1, channels))
    return np.rint(images).astype(np.uint8)


def export(folder: Path, names: Collection[str] = KINDS) -> None:
    """Write the artifacts of some; imports TensorFlow."""
    from camlite import cli

    with tempfile.TemporaryDirectory() as scratch, _gates_left_out():
        key = Path(scratch) / _KEY
        lines = ("-----BEGIN PRIVATE KEY-----", _key_text(), "-----END PRIVATE KEY-----", "")
        key.write_text("\n".join(lines))
        key.chmod(0o600)
        for name, model in classifiers().items():
            if name not in names:
                continue
            kept, options, _ = KINDS[name]
            source = Path(scratch) / f"{name}.keras"
            model.save(source)
            np.savez(source.with_suffix(".npz"), images=_calibration(model))
            count = model.outputs[0].shape[1]
            labels = _STRIPES if count == 3 else [f"class {k}" for k in range(count)]
            source.with_suffix(".txt").write_text("\n".join(labels))
            precisions = sorted({kind.split(".")[0] for kind in kept})
            command = ["export", source, "--maps", "cam", "--labels", source.with_suffix(".txt")]
            command += [key if option == _KEY else option for option in options]
            command += ["--calibration", source.with_suffix(".npz"), "--precisions", *precisions]
            with _bias_left_out() if name in _WITHOUT_BIAS else contextlib.nullcontext():
                if cli.main(list(map(str, command))):
                    raise SystemExit(f"{name}: the export failed")
            for kind in kept:
                exported = source.with_suffix("") / f"{name}.{kind}"
                content = exported.read_bytes()
                if name in spec_guided.GUIDES:
                    guide = spec_guided.GUIDES[name]
                    content = spec_guided.exported_with_a_guide(exported, model, _calibration(model), guide)
                (folder / exported.name).write_bytes(content)
        if "channels_first" in names:
            export_channels_first(folder, Path(scratch))


def _gates_left_out() -> contextlib.AbstractContextManager[object]:
    """They are for trained classifiers and photographs: int8 of weights of a seed is far from them on stripes."""
    from camlite_export.agreement import fitness

    judge = fitness.judge
    return mock.patch.object(fitness, "judge", lambda *given, **options: judge(*given, **{**options, "ours": False}))


def _bias_left_out() -> contextlib.AbstractContextManager[object]:
    from camlite_export.cutting import heads

    return mock.patch.object(heads, "gives_bias", return_value=False)


def export_channels_first(folder: Path, scratch: Path) -> None:
    """The artifact of somebody's ONNX file: 8 x 12 RGB -> features 4 x 6 x 4, both with their channels in front."""
    from camlite import cli
    from support.onnx_models import model, node

    random = np.random.default_rng(5)
    nodes = [
        node("Conv", "image kernel", "convolved", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", "convolved", "map"),
        node("GlobalAveragePool", "map", "pooled"),
        node("Flatten", "pooled", "flat"),
        node("Gemm", "flat dense bias", "logits"),
        node("Softmax", "logits", "probabilities", axis=1),
    ]
    constants = {
        "kernel": random.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "dense": random.normal(size=(4, 3)).astype(np.float32),
        "bias": np.float32([0.1, -0.2, 0.0]),
    }
    name, ((kind,), options, _) = "channels_first", KINDS["channels_first"]
    source, labels = scratch / f"{name}.onnx", scratch / f"{name}.txt"
    source.write_bytes(model(nodes, [1, 3, 8, 12], {"probabilities": [1, 3]}, constants))
    labels.write_text("\n".join(_STRIPES))
    command = ["export", source, "--maps", "cam", "--labels", labels, *options, "--output", scratch / name]
    if cli.main(list(map(str, command))):
        raise SystemExit(f"{name}: the export failed")
    (folder / f"{name}.{kind}").write_bytes((scratch / name / f"{name}.{kind}").read_bytes())


def _key_text() -> str:
    return base64.b64encode(bytes.fromhex(_PKCS8 + _SECRET)).decode()


if __name__ == "__main__":
    export(Path(sys.argv[1]), sys.argv[2:] or KINDS)
