"""An image in, the class and the map that says where the classifier looked out."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite import artifact as artifacts
from camlite import backends
from camlite.artifact import Artifact
from camlite.errors import AnswerError, ArtifactError, CamliteError, ImageError
from camlite.images import preprocessing
from camlite.images.preprocessing import Pixels
from camlite.maps import cam, evidence, resize
from camlite.maps.fine_evidence import Fine, FineEvidence, FinestMap
from camlite.maps.redistribution import Redistribution
from camlite.show.overlay import lay_over

# Classes that the text of an explanation names.
_MOST_TOLD = 5


def load(
    path: str | Path, backend: str | None = None, threads: int = 1, trusted: Sequence[str | Path] | None = None
) -> Explainer:
    """Open an artifact for explaining.

    Args:
        path: a ``.tflite`` or ``.onnx`` file of ``camlite export``.
        backend: ``ai-edge-litert``, ``tflite-runtime`` or ``onnxruntime``; by default the first one that is installed.
        threads: how many threads one run may use, 1 to 256.
        trusted: files with public keys (``camlite keygen``). The artifact must be signed with one of them; by default
            signatures are not checked.

    Raises:
        ArtifactError: the file is no artifact, is damaged, or is not signed with a trusted key.
        BackendError: no installed backend can run it, or threads are not from 1 to 256.
    """
    return Explainer(artifacts.read(path, trusted), backend, threads)


class Explanation:
    """The answer for one image. The heatmap is made when it is first asked for.

    Attributes:
        image: the image that was explained, uint8 (H, W, channels).
        classes: the classes that are explained; by default the one with the highest score.
        evidence: the raw map in logits: float32 (h, w) of the top class, or (n, h, w) of the n classes that were asked
            for. With `against`, it is their evidence minus that of the other class.
        fine: the same evidence, redistributed over the finer cells of the model's guide; its sum is the same. float32
            (h', w'), or (n, h', w') of the n classes that were asked for; None if the artifact has no guide for all of
            them.
        guide: the guide of the explained classes that redistributed it: float32 with the shape of `fine`, or None.
        against: index of the class that the others are compared with, or None.
        explainer: the explainer that made this.
    """

    __slots__ = (
        *("_bias", "_features", "_heatmap", "_maps", "_scores"),
        *("against", "classes", "evidence", "explainer", "fine", "guide", "image"),
    )

    def __init__(
        self,
        explainer: Explainer,
        image: Pixels,
        scores: NDArray[Any],
        features: NDArray[Any],
        maps: NDArray[Any] | None,
        classes: tuple[int, ...],
        evidence: NDArray[np.float32],
        against: int | None = None,
        fine: Fine | None = None,
        bias: NDArray[np.float32] | None = None,
    ) -> None:
        # What the model gave stays as stored until somebody asks for it in real numbers.
        self.explainer, self.image, self._scores, self._features = explainer, image, scores, features
        self._maps, self._bias = maps, bias
        self.classes, self.evidence, self.against = classes, evidence, against
        self.fine = None if fine is None else fine.evidence
        self.guide = None if fine is None else fine.guide
        self._heatmap: NDArray[np.float32] | None = None

    @property
    def scores(self) -> NDArray[np.float32]:
        """Scores, float32 (K,), in the order of the labels."""
        return self.explainer.outputs["scores"].dequantize(self._scores)

    @property
    def label(self) -> str:
        """Label of the class with the highest score."""
        return self.explainer.labels[int(self._scores.argmax())]

    @property
    def score(self) -> float:
        """The highest score."""
        return float(self.scores.max())

    @property
    def features(self) -> NDArray[np.float32]:
        """The last feature map, float32 (h, w, C)."""
        return self.explainer.outputs["features"].dequantize(self._features)

    @property
    def finest(self) -> FinestMap:
        """The map that pictures are made of: `fine` if there is one, else `evidence`; and where its cells lie."""
        head, guide = self.explainer.artifact.card.head, self.explainer.artifact.arrays.guide
        if self.fine is None or guide is None:
            return FinestMap("plain", self.evidence, head.window)
        return FinestMap("fine", self.fine, guide.window)

    @property
    def heatmap(self) -> NDArray[np.float32]:
        """The finest evidence at the size of the classifier's input, clipped at 0 and scaled to 0..1.

        It is 0 outside the cells. float32 (height, width) of the top class, or (n, height, width) of the n classes that
        were asked for.
        """
        if self._heatmap is None:
            explainer, fine = self.explainer, self.fine  # without `finest`, which would be two calls more
            if fine is None:
                self._heatmap = resize.heatmap(self.evidence, explainer.resizing)
            else:
                self._heatmap = resize.heatmap(fine, explainer.fine_resizing)
        return self._heatmap

    @property
    def completeness(self) -> float | None:
        """How far evidence and bias are from adding up to the scores: the largest difference, in scores.

        It is near 0 if features, class weights and scores belong together; how near depends on the precision. Fine
        evidence must add up as well. It is None if evidence is made of gradients, which need not add up, and the model
        does not give the bias of the active pieces.
        """
        arrays, head = self.explainer.artifact.arrays, self.explainer.artifact.card.head
        bias = arrays.bias if self._bias is None else self._bias
        if bias is None:  # see `EvidenceTraits.adds_up`
            return None
        if arrays.weights is not None:
            logits = cam.logits(self.features, arrays.weights, bias)
        else:
            sums = self.explainer.outputs["evidence"].dequantize(np.asarray(self._maps)).sum(axis=(0, 1))
            of_them = int(self._scores.argmax()) if head.evidence_traits.top_only else slice(None)
            logits = bias.copy()
            logits[of_them] += sums[0] if head.evidence_traits.top_only else sums
        found = cam.completeness(logits, self.scores, head.activation)
        if self.fine is None:
            return found
        sums, chosen = self.fine.reshape(len(self.classes), -1).sum(axis=1), list(self.classes)
        behind = bias[chosen]
        if self.against is not None:
            behind = behind + logits[self.against] - bias[self.against]
        logits[chosen] = sums + behind
        return float(np.maximum(found, cam.completeness(logits, self.scores, head.activation)))  # NaN stays NaN

    def spread(self, height: int, width: int, index: int = 0, peak: float | None = None) -> NDArray[np.float32]:
        """The heatmap over the whole image as it is drawn, at any size: float32 (height, width) in 0..1.

        Resized smoothly, see `camlite.maps.resize.smooth_matrix`, where `heatmap` is bilinear.
        It is 0 where the classifier does not see the image, because of ``fit: crop`` or because it crops the image
        itself.

        Args:
            height: height of the result, in pixels.
            width: width of the result, in pixels.
            index: position of the class among the explained ones.
            peak: the evidence, in logits, that becomes 1; by default the maximum of this class. Give the maximum of
                several classes (see `peaks`) to put them on one scale.
        """
        rows, columns = preprocessing.window(height, width, self.explainer.artifact.card.preprocessing)
        maps, resizing = self._at(rows.stop - rows.start, columns.stop - columns.start)
        heat = resize.heatmap(maps[index], resizing, peak)
        if heat.shape == (height, width):
            return heat
        whole = np.zeros((height, width), np.float32)
        whole[rows, columns] = heat
        return whole

    def peaks(self, height: int, width: int) -> NDArray[np.float32]:
        """The maximum of each explained class's map, resized to this size: float32 (n,), in logits.

        It is 0 if nothing speaks for a class.
        """
        rows, columns = preprocessing.window(height, width, self.explainer.artifact.card.preprocessing)
        maps, resizing = self._at(rows.stop - rows.start, columns.stop - columns.start)
        return np.array([max(0, resizing(one).max()) for one in maps], np.float32)  # one by one: they may be large

    def _at(self, height: int, width: int) -> tuple[NDArray[np.float32], resize.Resizing]:
        """The finest map of each class (n, h, w), and what resizes it to the part of a picture that it covers."""
        finest = self.finest
        maps = finest.evidence.reshape(-1, *finest.evidence.shape[-2:])
        return maps, resize.Resizing((maps.shape[1], maps.shape[2]), (height, width), finest.window, smooth=True)

    def overlay(self, opacity: float = 0.8, zoom: int = 1) -> Pixels:
        """The heatmap of the first explained class over the image: uint8 (H * zoom, W * zoom, 3).

        Parts of the image that the classifier does not see stay grey: ``fit: crop``, or what it crops itself.

        Args:
            opacity: opacity of the hottest place, 0..1.
            zoom: each pixel of the image becomes zoom x zoom pixels.
        """
        large = self.image if zoom == 1 else self.image.repeat(zoom, axis=0).repeat(zoom, axis=1)
        heat = self.spread(large.shape[0], large.shape[1])
        return lay_over(large, heat, opacity)

    def save(self, path: str | Path) -> Path:
        """Write the picture of `camlite explain`: the overlay of each explained class with label and score.

        Needs Pillow (extra ``image``).

        Args:
            path: must end with ``.png``, ``.jpg`` or ``.jpeg``. An existing file is replaced. If writing fails, no
                partial file is left.

        Returns:
            The path.

        Raises:
            ImageError: the suffix is another one, the file cannot be written, or Pillow is not installed.
        """
        from camlite.images import picture_files
        from camlite.show import drawing

        target = Path(path)
        form = picture_files.FORMS.get(target.suffix.lower())
        if form is None:
            known = ", ".join(picture_files.FORMS)
            raise ImageError(f"{target}: a picture is saved as {known}; choose one of these suffixes")
        picture_files.write(target, drawing.draw(self, drawing.Drawing()), form)
        return target

    def to_dict(self) -> dict[str, Any]:
        """The record that ``camlite explain --json`` prints, ready for `json.dumps`; see `camlite.show.json_record.of`.

        Numbers that are not finite become None.
        """
        from camlite.show import json_record, say

        record: dict[str, Any] = say.finite(json_record.of(self))
        return record

    def __repr__(self) -> str:
        labels, scores = self.explainer.labels, self.scores
        told = ", ".join(f"{labels[k]} {scores[k]:.3f}" for k in self.classes[:_MOST_TOLD])
        more = ", ..." if len(self.classes) > _MOST_TOLD else ""
        more += "" if self.against is None else f" against {labels[self.against]} {scores[self.against]:.3f}"
        height, width = self.image.shape[:2]
        return f"<Explanation of an image {height} x {width}: {told}{more}>"

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows: the picture of `save`; nothing where Pillow is not installed."""
        from camlite.images import picture_files
        from camlite.show import drawing

        try:
            return picture_files.encode(drawing.draw(self, drawing.Drawing()))
        except ImageError:
            return None


class Explainer:
    """A loaded artifact.

    Several threads may share one: a lock lets only one image at a time into the interpreter. For more speed open one
    explainer per thread; interpreters release Python's lock while they compute.

    Attributes:
        artifact: the file that was loaded.
        backend: the interpreter that runs it.
        outputs: the model's output tensors, by name.
        resizing: from evidence to the size of the classifier's input.
        fine_resizing: from fine evidence to that size.
        redistribution: from evidence to fine evidence; None if the artifact has no guide.

    Raises:
        ArtifactError: the model is damaged or does not match its card, or its guide does not cover the evidence.
        BackendError: see `camlite.load`.
    """

    redistribution: Redistribution | None
    fine_resizing: resize.Resizing

    def __init__(self, artifact: Artifact, backend: str | None = None, threads: int = 1) -> None:
        self.artifact = artifact
        self._lock = threading.Lock()
        self._interpreter = backends.open_interpreter(artifact, backend, threads)
        self.backend = backend or backends.installed(artifact.container)[0]
        self.outputs = self._interpreter.outputs
        target, head = artifact.card.preprocessing, artifact.card.head
        results = self._interpreter.results
        self._prepare = preprocessing.Preparation(target, self._interpreter.input, self._interpreter.image)
        self._invoke, self._scores, self._features = self._interpreter.invoke, results["scores"], results["features"]
        self._labels = _told_apart(artifact.card.labels)
        self._whole_scores = self._scores.dtype.kind != "f"
        traits = head.evidence_traits
        self._bias = results.get("bias")
        gives_all = not traits.has_weights and (traits.adds_up or self._bias is not None)
        self._maps = results["evidence"] if gives_all else None
        self._evidence = evidence.reading(artifact.arrays.weights, traits.top_only, self.outputs, results)
        self.resizing = resize.Resizing((head.height, head.width), (target.height, target.width), head.window)
        self._fine = self._reading_of_fine_evidence()
        self.redistribution = None if self._fine is None else self._fine.redistribution

    def _reading_of_fine_evidence(self) -> FineEvidence | None:
        card, guide = self.artifact.card, self.artifact.arrays.guide
        if guide is None:
            self.fine_resizing = self.resizing
            return None
        target, size = card.preprocessing, (guide.height, guide.width)
        self.fine_resizing = resize.Resizing(size, (target.height, target.width), guide.window)
        try:
            return FineEvidence(guide, card.head, self._evidence, self.outputs, self._interpreter.results)
        except ValueError as error:
            raise ArtifactError(f"{self.artifact.path}: {error}; export it again") from None

    @property
    def labels(self) -> tuple[str, ...]:
        """One label per class, in the order of the scores. If several classes have the same label, numbers tell them
        apart."""
        return self._labels

    @property
    def any_class(self) -> bool:
        """Whether every class can be explained; otherwise only the top class can."""
        return not self.artifact.card.head.evidence_traits.top_only

    def explain(
        self,
        pixels: NDArray[np.uint8],
        classes: Sequence[int | str] | None = None,
        finite: bool = True,
        against: int | str | None = None,
    ) -> Explanation:
        """Classify an image and show where the classifier looked.

        With `against`, the map shows why this class and not the other one: evidence of one minus evidence of the other.
        If evidence adds up, its sum plus the difference of the two biases is the difference of the two logits.

        Args:
            pixels: uint8 (H, W) or (H, W, channels) of any size; channels is 1 (grey), 3 (RGB) or 4 (RGBA).
            classes: the classes to explain, by index or label; by default the one with the highest score (except
                `against`).
            against: the class to compare them with, by index or label; by default none.
            finite: whether to raise `AnswerError` if the answer has numbers that are not finite. Pass False if your
                program looks for NaN itself.

        Raises:
            AnswerError: scores, evidence or fine evidence are NaN or infinite.
            ImageError: the image has a wrong dtype or shape.
            CamliteError: a class is unknown or compared with itself, or the artifact holds evidence of the top class
                only.
        """
        # The hot path, as short as the measurements in docs/performance.md made it. The model's input and output
        # memory is used in place. What an explanation keeps is copied once: the next run overwrites the results, and
        # a camera its buffer. An array's own methods (copy, argmax, dot) start within a tenth of a microsecond, the
        # functions of numpy take ten times as long.
        with self._lock:
            seen = self._prepare(pixels)
            self._invoke()
            top = int(self._scores.argmax())
            chosen: tuple[int, ...] = (top,)
            other = None
            if against is not None:
                other = self.class_index(against)
                chosen, maps = self._contrast(classes, other)
            elif classes is None:
                maps = self._evidence.one(top)
            else:
                chosen, maps = self._of(classes, top)
            # A sum of squares is not finite where one number is not: a quarter of the time of `np.isfinite`. It is
            # infinite, too, where numbers are above 1e19, and only then all are looked at.
            flat, scores = maps.ravel(), self._scores
            suspect = not (math.isfinite(flat.dot(flat)) and (self._whole_scores or math.isfinite(scores.dot(scores))))
            if suspect and finite and not (np.isfinite(maps).all() and np.isfinite(scores).all()):
                raise self._not_finite("scores and evidence")
            fine = None
            if self._fine is not None:
                fine = self._fine.of(maps, chosen, top, other)
                if fine is not None and finite and not _finite(fine.evidence):
                    raise self._not_finite("fine evidence")
            every = None if self._maps is None else self._maps.copy()
            bias = None if self._bias is None else self._bias.copy()
            return Explanation(
                self, seen, self._scores.copy(), self._features.copy("K"), every, chosen, maps, other, fine, bias
            )

    def _not_finite(self, what: str) -> AnswerError:
        return AnswerError(
            f"{self.artifact.path}: its answer holds numbers that are not finite; "
            f"expected finite {what}: run `camlite check`, and export it again"
        )

    def _contrast(self, classes: Sequence[int | str] | None, other: int) -> tuple[tuple[int, ...], NDArray[np.float32]]:
        """Indices of classes, and their evidence minus another's: (n, h, w), or (h, w) of the best of the others."""
        if not self.any_class:
            raise CamliteError(
                f"{self.artifact.path}: holds evidence of the top class only, so nothing can be compared with it; "
                f"leave `against` out, or export it with --evidence graph"
            )
        ranked = (-self.outputs["scores"].dequantize(self._scores)).argsort(kind="stable")
        chosen = tuple(map(self.class_index, ranked[ranked != other][:1] if classes is None else classes))
        if other in chosen or not chosen:
            raise CamliteError(f"class {self.labels[other]!r} is explained against itself; name another class")
        maps = self._evidence.many(chosen) - self._evidence.many((other,))
        return chosen, maps[0] if classes is None else maps

    def _of(self, classes: Sequence[int | str], top: int) -> tuple[tuple[int, ...], NDArray[np.float32]]:
        """Indices of classes, and their evidence (n, h, w)."""
        every = range(len(self.labels))
        if isinstance(classes, range) and classes == every and self.any_class:
            return tuple(every), self._evidence.many(every)  # to look up a thousand takes as long as to sum their maps
        chosen = tuple(map(self.class_index, classes))
        if not self.any_class and any(k != top for k in chosen):
            raise CamliteError(
                f"{self.artifact.path}: holds evidence of the top class only ({self.labels[top]}); leave `classes` out"
            )
        return chosen, self._evidence.many(chosen)

    def class_index(self, wanted: int | str) -> int:
        """Index of a class, given by index or label.

        Raises:
            CamliteError: the class is unknown.
        """
        labels = self.labels
        if isinstance(wanted, str) and wanted in labels:
            return labels.index(wanted)
        if not isinstance(wanted, str) and wanted in range(len(labels)):
            return int(wanted)
        shown = ", ".join(labels[:12]) + (", ..." if len(labels) > 12 else "")
        raise CamliteError(f"class {wanted!r} is unknown; expected 0 to {len(labels) - 1} or a label: {shown}")


def _finite(numbers: NDArray[np.float32]) -> bool:
    flat = numbers.ravel()
    return math.isfinite(flat.dot(flat)) or bool(np.isfinite(flat).all())  # see `Explainer.explain`


def _told_apart(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Labels of which none is there twice: ``crane (class 0)``. Exports refuse such; older artifacts may have them."""
    if len(set(labels)) == len(labels):
        return labels
    from collections import Counter

    counts = Counter(labels)
    return tuple(f"{label} (class {k})" if counts[label] > 1 else label for k, label in enumerate(labels))
