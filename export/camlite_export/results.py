"""What `camlite_export.export` and `inspect` give: frozen, short as text, a table and a picture in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from camlite.artifact.card import Activation
from camlite.artifact.evidence_methods import EVIDENCE_METHODS, EvidenceMethod
from camlite_export.exporting import Exported
from camlite_export.reports import notebook
from camlite_export.rightness.pixel_decision import Decision
from camlite_export.sources.source import Step


@dataclass(frozen=True, repr=False)
class Export:
    """The artifacts of one classifier.

    Attributes:
        artifacts: what was written, in the order of formats and precisions.
        folder: where they lie.
        picture: ``heatmaps.png``, which shows one of them at work; None where there were no calibration images.
        left_out: which precisions were not made, and why; None where none was left out.
        pixels: what was decided on them, and from what.
        labels_from: where the labels are from, in one line.
        notes: what of folders and labels did not match, each one line.
    """

    artifacts: tuple[Exported, ...]
    folder: Path
    picture: Path | None
    left_out: str | None
    pixels: Decision
    labels_from: str
    notes: tuple[str, ...] = ()

    HEADER = ("file", "kB", "accuracy", "top-1 agreement", "evidence correlation (5th percentile)")

    @property
    def paths(self) -> Mapping[str, Path]:
        """``int8.tflite`` and the like -> the artifact's file."""
        return {".".join(one.path.name.split(".")[-2:]): one.path for one in self.artifacts}

    def rows(self) -> Iterator[list[str]]:
        """One row an artifact, as text, with the columns of `HEADER`."""
        for one in self.artifacts:
            size, measured = f"{one.size / 1000:.1f}", one.measurement
            if measured is None:
                yield [str(one.path), size, "", "", "not measured: no backend here"]
            else:
                agreement = f"{measured.same_class.mean():.2%}"
                accuracy = "" if np.isnan(measured.correct).all() else f"{np.nanmean(measured.correct):.2%}"
                yield [str(one.path), size, accuracy, agreement, f"{np.quantile(measured.correlation, 0.05):.6f}"]

    @property
    def failures(self) -> tuple[str, ...]:
        """What labelled pictures say is wrong with the classifier as it was exported, each one line."""
        return self.pixels.labels.failures if self.pixels.labels else ()

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failures

    def lines(self) -> Iterator[str]:
        """What the table does not say."""
        yield from filter(None, [self.left_out])
        yield self.pixels.reason
        yield self.labels_from
        yield from self.notes
        yield from (f"FAILED: {failure}" for failure in self.failures)

    def __repr__(self) -> str:
        return f"<Export: {len(self.artifacts)} artifacts in {self.folder}: {', '.join(self.paths)}>"

    def _repr_html_(self) -> str:
        return notebook.table(self.HEADER, list(self.rows()), *self.lines())

    def _repr_png_(self) -> bytes | None:
        try:
            return self.picture.read_bytes() if self.picture else None
        except OSError:  # it was moved
            return None


@dataclass(frozen=True, repr=False)
class Inspection:
    """A classifier, and where it is cut.

    Attributes:
        name: its path, or the model's name.
        image_shape: height, width and channels.
        classes, activation: of its scores.
        parameters: how many numbers it has learned.
        evidence_method: how evidence is made, a word of `camlite.artifact.evidence_methods`.
        pixels: what can be told, without any pictures, of the pixels that it was trained on.
        steps: every layer that the image meets.
        cut: the one of them whose output the features are.
    """

    name: str
    image_shape: tuple[int, int, int]
    classes: int
    activation: Activation
    parameters: int
    evidence_method: EvidenceMethod
    pixels: Decision
    steps: tuple[Step, ...]
    cut: Step

    HEADER = ("layer", "kind", "output", "parameters", "")

    def rows(self) -> Iterator[list[str]]:
        """One row a layer, as text, with the columns of `HEADER`."""
        yield ["image", "Input", _sides(self.image_shape), "", ""]
        for step in self.steps:
            mark = "<- cut: features" if step is self.cut else ""
            yield [step.name, step.kind, _sides(step.shape[1:]), f"{step.parameters:,}", mark]

    def lines(self) -> Iterator[str]:
        """What else is known, in lines of text."""
        yield f"{self.parameters:,} parameters, {self.classes} classes by {self.activation}"
        yield f"evidence: {self.evidence_method}, {EVIDENCE_METHODS[self.evidence_method].text}"
        yield self.pixels.reason

    def to_dict(self) -> dict[str, Any]:
        """The record that ``camlite inspect --json`` prints."""
        layers = [
            {
                "name": step.name,
                "kind": step.kind,
                "shape": list(step.shape[1:]),
                "parameters": step.parameters,
                "cut": step is self.cut,
            }
            for step in self.steps
        ]
        return {
            "file": self.name,
            "image": self.image_shape,
            "classes": self.classes,
            "activation": self.activation,
            "evidence": self.evidence_method,
            "preprocess": self.pixels.name,
            "pixels": self.pixels.reason,
            "layers": layers,
        }

    def __repr__(self) -> str:
        size = _sides(self.image_shape)
        return f"<Inspection of {self.name}: images {size}, {self.classes} classes, cut at {self.cut.name!r}>"

    def _repr_html_(self) -> str:
        return notebook.table(self.HEADER, list(self.rows()), *self.lines())


def _sides(shape: tuple[int | None, ...]) -> str:
    return " x ".join(map(str, shape))
