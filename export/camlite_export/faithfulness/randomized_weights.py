"""Sanity: does the evidence depend on what the classifier has learned (Adebayo et al., NeurIPS 2018)?

The evidence of the original is compared with its own after its weights were randomized. An edge detector would show the
same picture both times. TensorFlow runs in a process of its own, away from the device's interpreters.
"""

from __future__ import annotations

import math
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from camlite import artifact as artifacts
from camlite.confidence import Interval, intervals
from camlite.errors import CamliteError
from camlite.images.masked_source import Source
from camlite.system.fresh_process import FreshProcess
from camlite.texts import counted

# Stages are forward passes of the original, on a CPU; the mean over so many pictures is known to some hundredths.
_MOST_PICTURES = 64
# Above this most of the order of places is still there when nothing that was learned is.
_SUSPICIOUS = 0.5


@dataclass(frozen=True)
class Stage:
    """After some layers were randomized, see `camlite_export.cutting.randomized.Stage`.

    Attributes:
        layer, layers: the last of them, and how many.
        correlation: Spearman's, of the evidence with that of the original, over pictures.
    """

    layer: str
    layers: int
    correlation: Interval


@dataclass(frozen=True)
class Randomized:
    """What became of the evidence.

    Attributes:
        pictures: how many.
        stages: from the scores down to the image; after the last one all layers are random.
    """

    pictures: int
    stages: tuple[Stage, ...]

    @property
    def last(self) -> Interval:
        """Correlation when all is random: about 0 where the evidence shows what was learned."""
        return self.stages[-1].correlation

    @property
    def suspicious(self) -> bool:
        """Whether the map certainly looks much the same when all is random."""
        return self.last.low > _SUSPICIOUS

    def lines(self) -> list[str]:
        """What a reader of the table must not miss."""
        of = self.last
        text = (
            f"with random weights its evidence correlates by {of.mean:.2f} ({of.low:.2f} to {of.high:.2f}) with its own"
        )
        verdict = "so it hardly shows what was learned" if self.suspicious else "0 is nothing in common"
        return [f"{text}; {verdict} ({counted(self.pictures, 'picture')})"]

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "pictures": self.pictures,
            "stages": [
                {
                    "layer": stage.layer,
                    "layers": stage.layers,
                    "correlation": None if math.isnan(stage.correlation.mean) else list(stage.correlation),
                }
                for stage in self.stages
            ],
        }


def measure(classifier: Path, artifact: Path, source: Source) -> Randomized:
    """Randomize the classifier that an artifact was exported from.

    Args:
        classifier: its file.
        artifact: says where it is cut, and how pixels become its input.
        source: of pictures.

    Raises:
        CamliteError: the classifier cannot be opened, or is another one; or no picture can be read.
    """
    with FreshProcess() as process:
        try:
            found: Randomized = process.submit(_measure, classifier, artifact, source).result()
        except BrokenExecutor:
            raise CamliteError(f"{classifier}: TensorFlow crashed, and its process with it") from None
    return found


def _measure(classifier: Path, path: Path, source: Source) -> Randomized:
    from camlite_export.agreement.expected import Given, open_expected
    from camlite_export.agreement.reference import inputs_of
    from camlite_export.cutting import randomized
    from camlite_export.faithfulness.rank_correlation import spearman

    artifact = artifacts.read(path)
    expected = open_expected(classifier, Given(), artifact)
    if artifact.card.classifier_sha256 != expected.cut.source.digest:
        raise CamliteError(f"{path}: was exported from another classifier than {classifier}; give that one as --model")
    images, _ = source.open(expected.labels).images.spread(_MOST_PICTURES).readable()
    inputs = inputs_of(list(images), expected.target)
    classes = expected.cut.answer(inputs).scores.argmax(axis=1)
    own, *stages = randomized.cascade(expected.cut, inputs, classes)
    found = []
    for stage in stages:
        (correlation,) = intervals(spearman(own.evidence, stage.evidence)[:, np.newaxis])
        found.append(Stage(str(stage.layer), stage.layers, correlation))
    return Randomized(len(images), tuple(found))
