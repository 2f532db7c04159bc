"""An image in, the class and the map that says where the classifier looked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class Explanation:
    """The answer for one image. Evidence and heatmap are made when they are first asked for.

    Attributes:
        image: the image that was explained, uint8 (H, W, channels).
        scores: float32 (K,), in the order of the labels.
        classes: the classes that are explained; by default the one with the highest score.
        explainer: what made it.
    """

    def __init__(
        self,
        explainer: Explainer,
        image: Pixels,
        scores: NDArray[np.float32],
        classes: tuple[int, ...],
        kept: Mapping[str, NDArray[Any]],
        single: bool,
    ) -> None:
        self.explainer, self.image, self.scores, self.classes = explainer, image, scores, classes
        self._kept, self._single = kept, single
        self._evidence: NDArray[np.float32] | None = None
        self._heatmap: NDArray[np.float32] | None = None

    @property
    def label(self) -> str:
        """Label of the class with the highest score."""
        return self.explainer.labels[int(self.scores.argmax())]

    @property
    def score(self) -> float:
        """The highest score."""
        return float(self.scores.max())

    @property
    def features(self) -> NDArray[np.float32]:
        """The last feature map, float32 (h, w, C)."""
        return self.explainer.outputs["features"].dequantize(self._kept["features"])

    @property
    def evidence(self) -> NDArray[np.float32]:
        """The raw map in logits: float32 (h, w) of the top class, or (n, h, w) of the n classes asked for."""
        if self._evidence is None:
            maps = self.explainer.evidence(self._kept, self.classes)
            self._evidence = maps[0] if self._single else maps
        return self._evidence

    @property
    def heatmap(self) -> NDArray[np.float32]:
        """Evidence at the size of the classifier's input, clipped at 0 and scaled to 0..1.

        float32 (height, width) of the top class, or (n, height, width) of the n classes asked for.
        """
        if self._heatmap is None:
            self._heatmap = cam.heatmap(self.evidence, self.explainer.resizing)
        return self._heatmap

    @property
    def completeness(self) -> float | None:
        """How far evidence and bias are from adding up to the scores: the largest difference, in scores.

        Near 0 where features, class weights and scores belong together; the precision sets how near. None
        where evidence is not made of class weights: gradients need not add up to the score.
        """
        arrays, head = self.explainer.artifact.arrays, self.explainer.artifact.card.head
        if arrays.weights is None or arrays.bias is None:
            return None
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
        maps = self.evidence if self._single else self.evidence[0]
        heat = np.zeros((height, width), np.float32)
        seen = (rows.stop - rows.start, columns.stop - columns.start)
        resizing = cam.Resizing((maps.shape[0], maps.shape[1]), seen)
        heat[rows, columns] = cam.heatmap(maps, resizing)
        return image.overlay(large, heat, opacity)


class Explainer:
    """A loaded artifact. Not for several threads at once: open one in each."""

    def __init__(self, artifact: Artifact, backend: str | None = None, threads: int = 1) -> None:
        self.artifact = artifact
        self._interpreter = backends.open_interpreter(artifact, backend, threads)
        self.backend = backend or backends.installed(artifact.format)[0]
        self._check_tensors()
        self.outputs = self._interpreter.outputs
        target, head = artifact.card.preprocessing, artifact.card.head
        self._prepare = image.Preparation(target, self._interpreter.input, self._interpreter.image)
        self._kept = [name for name in ("features", "evidence") if name in self.outputs]
        weights = artifact.arrays.weights
        self._weight_sums = None
        if weights is not None and self.outputs["features"].scale:
            sums = weights.sum(axis=-2)  # (K,), or (h, w, K)
            self._weight_sums = np.moveaxis(sums.reshape(1, 1, -1) if sums.ndim == 1 else sums, -1, 0)
        self.resizing = cam.Resizing((head.height, head.width), (target.height, target.width))

    @property
    def labels(self) -> tuple[str, ...]:
        """One label a class, in the order of the scores."""
        return self.artifact.card.labels

    @property
    def any_class(self) -> bool:
        """Whether any class can be explained; else the top class alone."""
        maps = self._interpreter.outputs.get("evidence")
        return maps is None or maps.shape[2] == len(self.labels)

    def explain(self, pixels: NDArray[np.uint8], classes: Sequence[int | str] | None = None) -> Explanation:
        """Classify an image and say where the classifier looked.

        Args:
            pixels: uint8 (H, W) or (H, W, channels) of any size; channels is 1 (grey), 3 (RGB) or 4 (RGBA).
            classes: the classes to explain, by index or label; by default the one with the highest score.

        Raises:
            ImageError: the image has another dtype or shape.
            CamliteError: a class is unknown.
        """
        # The hot path. The model's input and output memory is used in place; what an explanation keeps is copied
        # once, as the next run overwrites it, and stays as stored until somebody asks for it in real numbers.
        checked = image.check(np.array(pixels))  # a copy too: a camera's buffer may change before overlay()
        self._prepare(checked)
        self._interpreter.invoke()
        results = self._interpreter.results
        scores = self.outputs["scores"].dequantize(results["scores"])
        top = int(scores.argmax())
        chosen = (top,) if classes is None else self._chosen(classes, top)
        kept = {name: results[name].copy() for name in self._kept}
        return Explanation(self, checked, scores, chosen, kept, classes is None)

    def evidence(self, outputs: Mapping[str, NDArray[Any]], classes: tuple[int, ...]) -> NDArray[np.float32]:
        """Evidence of some classes, float32 (n, h, w), from outputs as the interpreter stores them.

        Integer features are multiplied as they are, and scale and zero point put right on the few numbers of the
        map: both are linear.
        """
        weights = self.artifact.arrays.weights
        if weights is None:
            chosen = classes if self.any_class else (0,)
            maps = self.outputs["evidence"].dequantize(outputs["evidence"][..., chosen])
            return np.ascontiguousarray(np.moveaxis(maps, -1, 0))
        tensor, features = self.outputs["features"], outputs["features"]
        if self._weight_sums is None:
            return cam.evidence(features, weights, classes)
        evidence = cam.evidence(features.astype(np.float32), weights, classes)
        evidence -= tensor.zero_point * self._weight_sums[list(classes)]
        evidence *= np.float32(tensor.scale)
        return evidence

    def _chosen(self, classes: Sequence[int | str], top: int) -> tuple[int, ...]:
        chosen = tuple(map(self._class_index, classes))
        if not self.any_class and any(k != top for k in chosen):
            raise CamliteError(
                f"{self.artifact.path}: carries evidence of the top class alone ({self.labels[top]}); "
                f"leave `classes` out"
            )
        return chosen

    def _class_index(self, wanted: int | str) -> int:
        labels = self.labels
        if isinstance(wanted, str) and wanted in labels:
            return labels.index(wanted)
        if not isinstance(wanted, str) and wanted in range(len(labels)):
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
        if head.method != "cam":
            maps = 1 if received.get("evidence", (0,))[-1] == 1 else len(card.labels)
            expected["evidence"] = (head.height, head.width, maps)
        image_shape = (target.height, target.width, target.channels)
        if received != expected or self._interpreter.input.shape != image_shape:
            raise ArtifactError(
                f"{self.artifact.path}: the model has outputs {received} for an image "
                f"{self._interpreter.input.shape}, its card says {expected} for {image_shape}; export it again"
            )
