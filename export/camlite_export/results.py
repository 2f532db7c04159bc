"""The results of `camlite_export.export` and `inspect`. A notebook shows them as a table and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camlite.artifact.card import Activation
from camlite.artifact.evidence_methods import EVIDENCE_METHODS, EvidenceMethod
from camlite.texts import counted
from camlite_export import shipping
from camlite_export.exporting import Exported
from camlite_export.reports import notebook
from camlite_export.rightness.pixel_decision import Decision
from camlite_export.sources.source import Step


@dataclass(frozen=True, repr=False)
class Export:
    """The artifacts of one classifier.

    Attributes:
        artifacts: what was written, in the order of formats and precisions.
        folder: the folder that they are in.
        picture: ``heatmaps.png``, with heatmaps of one of them; None without calibration images.
        left_out: which precisions were not made, and why; None if all were made, or the caller chose them.
        pixels: which pixels the classifier takes, and why.
        labels_from: where the labels come from, in one line.
        notes: which folders and labels did not match, and on what was measured, one line each.
        refused: artifacts that could not be made: ``int16x8.tflite`` -> why.
        unread: a line for each calibration image that could not be read.
        older: files of an earlier export with the same name in this folder.
        classifier: the classifier's file; None if it was a model object.
    """

    artifacts: tuple[Exported, ...]
    folder: Path
    picture: Path | None
    left_out: str | None
    pixels: Decision
    labels_from: str
    notes: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    older: tuple[str, ...] = ()
    classifier: Path | None = None

    HEADER = ("file", "kB", "ms", "accuracy", "top-1 agreement", "evidence correlation (5th percentile)", "verdict")

    @property
    def paths(self) -> Mapping[str, Path]:
        """The artifacts' files: ``int8.tflite`` -> path."""
        return {one.kind: one.path for one in self.artifacts}

    @property
    def ship(self) -> Exported | None:
        """The artifact to ship; None if none is fit for use. See `camlite_export.shipping.choose`."""
        return shipping.choose(self.artifacts)

    def rows(self) -> Iterator[list[str]]:
        """One row per artifact, as text, with the columns of `HEADER`."""
        for one in self.artifacts:
            figures = [shipping.text(figure, one) for figure in ("accuracy", "top1_agreement", "correlation_p5")]
            yield [str(one.path), f"{one.size / 1000:.1f}", shipping.milliseconds_text(one), *figures, one.verdict]

    @property
    def failures(self) -> tuple[str, ...]:
        """What is wrong, one line each.

        This covers the labels and pixels, as labelled pictures tell; the artifacts, as measured; and what could not be
        made or read.
        """
        labels = self.pixels.labels.failures if self.pixels.labels else ()
        kinds: dict[str, list[str]] = {}
        for one in self.artifacts:
            for failure in one.failures:
                text = failure.message if failure.check == "labels" else f"{failure.check}: {failure.message}"
                kinds.setdefault(text, []).append(one.kind)
        return (
            *labels,
            *(f"{', '.join(of)}: {text}" for text, of in kinds.items() if text not in labels),
            *(f"{kind} was not made: {why}{self._older(kind)}" for kind, why in self.refused.items()),
            *(f"left out: {why}" for why in self.unread),
        )

    def _older(self, kind: str) -> str:
        """A file of an earlier export must not be taken for what could not be made now."""
        name = self.artifacts[0].path.name.removesuffix(self.artifacts[0].kind)
        return f" ({name}{kind} is of an earlier export)" if (self.folder / f"{name}{kind}").exists() else ""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failures

    def lines(self) -> Iterator[str]:
        """What the table does not say; the last lines say which file to ship, and why."""
        yield from filter(None, [self.left_out])
        yield self.pixels.reason
        yield from self.pixels.warnings
        yield self.labels_from
        yield from self.notes
        if self.older:
            yield (
                f"{self.folder} also has files of an earlier export: {', '.join(self.older)}; delete them, or give "
                f"this export its own folder with --output"
            )
        unknown = [one.kind for one in self.artifacts if one.backend is None]
        if unknown:
            yield f"not measured, and so not called fit: {', '.join(unknown)}; no interpreter for it is installed here"
        yield from (f"FAILED: {failure}" for failure in self.failures)
        yield from shipping.lines(self.artifacts, self.classifier)

    def next_steps(self) -> list[tuple[str, str]]:
        """Commands to type next, each with its purpose; none if there is nothing to ship."""
        return shipping.next_steps(self.ship) if self.ship else []

    def to_dict(self) -> dict[str, Any]:
        """The record that ``camlite export --json`` prints; numbers that are unknown or not finite are null."""
        ship = self.ship
        return {
            "folder": str(self.folder),
            "passed": self.passed,
            "pixels": self.pixels.reason,
            "pixels_contradicted": list(self.pixels.warnings),
            "labels": self.labels_from,
            "left_out": self.left_out,
            "notes": list(self.notes),
            "older": list(self.older),
            "failures": list(self.failures),
            "refused": dict(self.refused),
            "ship": str(ship.path) if ship else None,
            "why": list(shipping.lines(self.artifacts, self.classifier)),
            "next": [command for command, _ in self.next_steps()],
            "picture": str(self.picture) if self.picture else None,
            "artifacts": [shipping.record(one) for one in self.artifacts],
        }

    def __repr__(self) -> str:
        bad = [one.kind for one in self.artifacts if one.verdict == "UNFIT"]
        unfit = f"; unfit: {', '.join(bad)}" if bad else ""
        return f"<Export: {counted(len(self.artifacts), 'artifact')} in {self.folder}: {', '.join(self.paths)}{unfit}>"

    def _repr_html_(self) -> str:
        return notebook.table(self.HEADER, list(self.rows()), *self.lines())

    def _repr_png_(self) -> bytes | None:
        try:
            return self.picture.read_bytes() if self.picture else None
        except OSError:  # it was moved
            return None


@dataclass(frozen=True, repr=False)
class Inspection:
    """A classifier, and where camlite cuts it.

    Attributes:
        name: its path, or the model's name.
        image_shape: height, width and channels.
        classes, activation: of its scores.
        parameters: how many numbers it has learned.
        evidence_method: how evidence is made, a word of `camlite.artifact.evidence_methods`.
        pixels: what the classifier itself tells about its pixels, without pictures.
        steps: all layers from the image to the scores.
        cut: the layer whose output is the feature map.
        finer: earlier layers with finer maps, the last one of each size. All paths to the scores go through each of
            them: guides are made of them, and `layer` can cut there.
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
    finer: tuple[Step, ...] = ()

    HEADER = ("layer", "kind", "output", "parameters", "")

    def rows(self) -> Iterator[list[str]]:
        """One row per layer, as text, with the columns of `HEADER`."""
        yield ["image", "Input", _sides(self.image_shape), "", ""]
        for step in self.steps:
            yield [step.name, step.kind, _sides(step.shape[1:]), f"{step.parameters:,}", self._mark(step)]

    def _mark(self, step: Step) -> str:
        if step is self.cut:
            return "<- cut: features"
        return f"<- finer map: {_sides(step.shape[1:3])}" if any(step is one for one in self.finer) else ""

    def lines(self) -> Iterator[str]:
        """What else is known, in lines of text."""
        yield f"{self.parameters:,} parameters, {self.classes} classes by {self.activation}"
        yield f"evidence: {self.evidence_method}, {EVIDENCE_METHODS[self.evidence_method].text}"
        yield f"maps: {', '.join(self._cuts())}"
        yield self.pixels.reason
        yield from self.pixels.warnings

    def _cuts(self) -> Iterator[str]:
        yield f"{_sides(self.cut.shape[1:3])} of {self.cut.name}"
        for step in reversed(self.finer):
            yield f"{_sides(step.shape[1:3])} by a guide of {step.name}"

    def to_dict(self) -> dict[str, Any]:
        """The record that ``camlite inspect --json`` prints."""
        layers = [
            {
                "name": step.name,
                "kind": step.kind,
                "shape": list(step.shape[1:]),
                "parameters": step.parameters,
                "cut": step is self.cut,
                "finer": any(step is one for one in self.finer),
            }
            for step in self.steps
        ]
        return {
            "file": self.name,
            "image": self.image_shape,
            "classes": self.classes,
            "activation": self.activation,
            "evidence": self.evidence_method,
            "preprocess": self.pixels.name.split()[0] if self.pixels.name else None,
            "order": self.pixels.target.order if self.pixels.target else None,
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
