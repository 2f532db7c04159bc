"""An image in, the class and the map that says where the classifier looked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite import artifact as artifacts
from camlite import backends, cam, image
from camlite.artifact import Artifact
from camlite.errors import ArtifactError, CamliteError
from camlite.image import Pixels


def load(path: str | Path, backend: str | None = None, threads: int = 1) -> Explainer:
    """Open an artifact for explaining.

    Args:
        path: a ``.tflite`` or ``.onnx`` file of ``camlite export``.
        backend: ``ai-edge-litert``, ``tflite-runtime`` or ``onnxruntime``; by default whichever is installed.
        threads: how many threads one run may use.

    Raises:
        ArtifactError: the file is no artifact or is damaged.
        BackendError: no installed backend can run it.
    """
    return Explainer(artifacts.read(path), backend, threads)


@dataclass(frozen=True)
class Explanation:
    """The answer for one image.

    Attributes:
        image: the image that was explained, uint8 (H, W, channels).
        scores: float32 (K,), in the order of the labels.
        classes: the classes that are explained; by default the one with the highest score.
        features: the last feature map, float32 (h, w, C).
        explainer: what made it.
    """

    image: Pixels
    scores: NDArray[np.float32]
    classes: tuple[int, ...]
    features: NDArray[np.float32]
    explainer: Explainer
    squeeze: bool

    @cached_property
    def label(self) -> str:
        """Label of the class with the highest score."""
        return self.explainer.labels[int(self.scores.argmax())]

    @cached_property
    def score(self) -> float:
        """The highest score."""
        return float(self.scores.max())

    @cached_property
    def evidence(self) -> NDArray[np.float32]:
        """The raw map in logits: float32 (h, w) of the top class, or (n, h, w) of the n classes asked for."""
        maps = cam.evidence(self.features, self.explainer.artifact.arrays.weights, self.classes)
        return maps[0] if self.squeeze else maps

    @cached_property
    def heatmap(self) -> NDArray[np.float32]:
        """Evidence at the size of the classifier's input, clipped at 0 and scaled to 0..1.

        float32 (height, width) of the top class, or (n, height, width) of the n classes asked for.
        """
        return cam.heatmap(self.evidence, *self.explainer.heatmap_matrices)

    @cached_property
    def completeness(self) -> float:
        """How far evidence and bias are from adding up to the scores: the largest difference, in scores.

        Near 0 where features, class weights and scores belong together; the precision sets how near.
        """
        arrays, head = self.explainer.artifact.arrays, self.explainer.artifact.card.head
        return cam.completeness(self.features, arrays.weights, arrays.bias, self.scores, head.activation)

    def overlay(self, opacity: float = 0.8, zoom: int = 1) -> Pixels:
        """The heatmap of the first explained class over the image: uint8 (H * zoom, W * zoom, 3).

        What the classifier does not see of the image (``fit: crop``) stays grey.

        Args:
            opacity: of the hottest place, 0..1.
            zoom: each pixel of the image is drawn as so many by so many.
        """
        large = self.image.repeat(zoom, axis=0).repeat(zoom, axis=1)
        height, width = large.shape[:2]
        rows, columns = image.window(height, width, self.explainer.artifact.card.preprocessing)
        maps = self.evidence if self.squeeze else self.evidence[0]
        heat = np.zeros((height, width), np.float32)
        heat[rows, columns] = cam.heatmap(
            maps,
            cam.resize_matrix(maps.shape[0], rows.stop - rows.start),
            cam.resize_matrix(maps.shape[1], columns.stop - columns.start),
        )
        return image.overlay(large, heat, opacity)


class Explainer:
    """A loaded artifact. Not for several threads at once: open one in each."""

    def __init__(self, artifact: Artifact, backend: str | None = None, threads: int = 1) -> None:
        self.artifact = artifact
        self._interpreter = backends.open_interpreter(artifact, backend, threads)
        self.backend = backend or backends.installed(artifact.format)[0]
        self._check_tensors()
        target, head = artifact.card.preprocessing, artifact.card.head
        self.heatmap_matrices = (
            cam.resize_matrix(head.height, target.height),
            cam.resize_matrix(head.width, target.width),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """One label a class, in the order of the scores."""
        return self.artifact.card.labels

    def explain(self, pixels: NDArray[np.uint8], classes: Sequence[int | str] | None = None) -> Explanation:
        """Classify an image and say where the classifier looked.

        Args:
            pixels: uint8 (H, W) or (H, W, channels) of any size; channels is 1 (grey), 3 (RGB) or 4 (RGBA).
            classes: the classes to explain, by index or label; by default the one with the highest score.

        Raises:
            ImageError: the image has another dtype or shape.
            CamliteError: a class is unknown.
        """
        checked = image.check(np.asarray(pixels))
        interpreter = self._interpreter
        real = image.prepare(checked, self.artifact.card.preprocessing)
        results = interpreter.invoke(interpreter.input.quantize(real))
        scores, features = (interpreter.outputs[name].dequantize(results[name]) for name in ("scores", "features"))
        chosen = (int(scores.argmax()),) if classes is None else tuple(map(self._class_index, classes))
        return Explanation(checked, scores, chosen, features, self, squeeze=classes is None)

    def _class_index(self, wanted: int | str) -> int:
        labels = self.labels
        if isinstance(wanted, str) and wanted in labels:
            return labels.index(wanted)
        if not isinstance(wanted, str) and 0 <= wanted < len(labels):
            return int(wanted)
        shown = ", ".join(labels[:12]) + (", ..." if len(labels) > 12 else "")
        raise CamliteError(f"class {wanted!r} is unknown; expected 0 to {len(labels) - 1} or a label: {shown}")

    def _check_tensors(self) -> None:
        """The interpreter's tensors must be those that the card speaks of."""
        card = self.artifact.card
        target, head = card.preprocessing, card.head
        expected: dict[str, Any] = {
            "features": (head.height, head.width, head.channels),
            "scores": (len(card.labels),),
        }
        received = {name: tensor.shape for name, tensor in self._interpreter.outputs.items()}
        image_shape = (target.height, target.width, target.channels)
        if received != expected or self._interpreter.input.shape != image_shape:
            raise ArtifactError(
                f"{self.artifact.path}: the model has outputs {received} for an image "
                f"{self._interpreter.input.shape}, its card says {expected} for {image_shape}; export it again"
            )
