"""How explaining grows: small float32 classifiers that differ in one size, on ai-edge-litert (ONNX for batches).

Prints JSON: for each axis a list of (size, microseconds of the plain loop, of explaining).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from camlite import artifact
from camlite.artifact import Container
from camlite.artifact.arrays import Arrays
from camlite.artifact.card import Card, Head, Preprocessing
from camlite.bench import benchmark, plain_loop
from camlite.explainer import Explainer
from camlite.maps import cam, resize
from camlite.system.fresh_process import FreshProcess

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_BATCHES = (1, 4, 16, 64, 256)


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a network is made with: its input (height, width), features (side, side, channels) and classes."""

    height: int = 56
    width: int = 56
    side: int = 7
    channels: int = 128
    classes: int = 10


AXES: dict[str, dict[str, Shape]] = {
    "classes": {str(k): Shape(classes=k) for k in (10, 100, 1000, 10_000)},
    "features": {f"{n} x {n}": Shape(height=64, width=64, side=n) for n in (3, 7, 16, 32)},
    "input": {
        f"{w} x {h}": Shape(height=h, width=w) for h, w in ((28, 28), (112, 112), (224, 224), (480, 640), (1080, 1920))
    },
    "threads": {"1": Shape(224, 224, 28, 256), "2": Shape(224, 224, 28, 256)},
}


def main() -> None:
    """Make the networks in a folder, then run each in a process without TensorFlow."""
    folder = Path(sys.argv[1])
    found: dict[str, list[tuple[str, float, float]]] = {}
    made: dict[Shape, Path] = {}
    for axis, shapes in AXES.items():
        for name, shape in shapes.items():
            if shape not in made:
                made[shape] = build(shape, "tflite", folder)
            threads = int(name) if axis == "threads" else 1
            with FreshProcess(ONE_THREAD) as process:
                times = process.submit(single, made[shape], "ai-edge-litert", threads).result()
            found.setdefault(axis, []).append((name, *times))
    with FreshProcess(ONE_THREAD) as process:
        found["batch (ONNX)"] = process.submit(batches, build(Shape(), "onnx", folder)).result()
    print(json.dumps(found))


def build(shape: Shape, container: Container, folder: Path) -> Path:
    """A sealed artifact with random weights: one convolution, pooled to the features' size, a second, and the head."""
    import keras

    from camlite_export.cutting import two_output
    from camlite_export.targets import onnx_target, tflite_target

    layers = keras.layers
    image = keras.Input((shape.height, shape.width, 3), name="image")
    small = layers.Conv2D(16, 3, 2, padding="same", activation="relu")(image)
    small = layers.Resizing(shape.side, shape.side)(small)
    features = layers.Conv2D(shape.channels, 3, padding="same", activation="relu", name="features")(small)
    pooled = layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, layers.Dense(shape.classes, activation="softmax")(pooled))
    cut = two_output.cut(model, "features")
    content = (tflite_target if container == "tflite" else onnx_target).convert(cut, "float32", None)
    path = folder / f"{'_'.join(map(str, dataclasses.astuple(shape)))}.{container}"
    path.write_bytes(_sealed(shape, cut, container, content))
    return path


def _sealed(shape: Shape, cut: Any, container: Container, content: bytes) -> bytes:
    third = (1 / 255,) * 3
    head = Head("features", shape.side, shape.side, shape.channels, "softmax", "device")
    card = Card(
        "growth",
        "float32",
        tuple(map(str, range(shape.classes))),
        Preprocessing(shape.height, shape.width, 3, third, (0.0,) * 3, "stretch"),
        head,
        "0" * 64,
        hashlib.sha256(content).hexdigest(),
        {},
    )
    none = np.zeros((0, shape.side, shape.side), np.float32)
    golden = np.zeros((0, 8, 8, 3), np.uint8), np.zeros((0, shape.classes), np.float32), none
    return artifact.pack(container, content, card, Arrays(cut.affine.weights, cut.affine.bias, *golden))


def single(path: Path, backend: str, threads: int) -> tuple[float, float]:
    """Median microseconds of the plain loop, and of explaining."""
    read = artifact.read(path)
    model = path.with_suffix(f".bare.{read.container}")
    model.write_bytes(read.model)
    explainer, target = Explainer(read, backend, threads), read.card.preprocessing
    classify = plain_loop.classifier(model, backend, threads, target.scale[0], 0.0)
    pixels = np.random.default_rng(0).integers(0, 256, (target.height, target.width, 3)).astype(np.uint8)
    contenders = {"classify": lambda: classify(pixels), "explain": lambda: explainer.explain(pixels).heatmap}
    timings, _ = benchmark.interleave(contenders, "classify")
    return timings["classify"].median, timings["explain"].median


def batches(path: Path) -> list[tuple[str, float, float]]:
    """Microseconds for each image of a batch: classified, and with the evidence and heatmap of its top class."""
    import onnxruntime

    read = artifact.read(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(read.model, options, providers=["CPUExecutionProvider"])
    target, weights = read.card.preprocessing, read.arrays.weights
    resizing = resize.Resizing((read.card.head.height, read.card.head.width), (target.height, target.width))

    def classify(inputs: np.ndarray) -> np.ndarray:
        (scores,) = session.run(["scores"], {"image": inputs})
        top: np.ndarray = scores.argmax(axis=1)
        return top

    def explain(inputs: np.ndarray) -> list[np.ndarray]:
        features, scores = session.run(["features", "scores"], {"image": inputs})
        maps = zip(features, scores.argmax(axis=1), strict=True)
        return [resize.heatmap(cam.evidence(one, weights, [k])[0], resizing) for one, k in maps]

    found = []
    for size in _BATCHES:
        inputs = np.random.default_rng(0).random((size, target.height, target.width, 3), np.float32)
        contenders = {"classify": lambda i=inputs: classify(i), "explain": lambda i=inputs: explain(i)}
        timings, _ = benchmark.interleave(contenders, "classify")
        found.append((str(size), timings["classify"].median / size, timings["explain"].median / size))
    return found


if __name__ == "__main__":
    import growth  # by its name, so that other processes find its functions

    growth.main()
