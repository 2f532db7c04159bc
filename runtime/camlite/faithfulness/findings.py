"""What is said of one artifact, by a program and to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from camlite.confidence import Interval
from camlite.faithfulness import summary
from camlite.faithfulness.measures import MEASURES
from camlite.faithfulness.measuring import Figures, Measured
from camlite.faithfulness.summary import LEAST_PICTURES, Summary
from camlite.texts import counted


class SanityStage(Protocol):
    """After some layers of the original were randomized."""

    @property
    def layer(self) -> str:
        """The last of them, the nearest to the image."""
        ...

    @property
    def layers(self) -> int:
        """How many they are."""
        ...

    @property
    def correlation(self) -> Interval:
        """Of the evidence with that of the original."""
        ...


class Sanity(Protocol):
    """What the workstation adds: evidence of randomized weights."""

    @property
    def pictures(self) -> int:
        """How many were explained."""
        ...

    @property
    def stages(self) -> Sequence[SanityStage]:
        """From the scores down to the image."""
        ...

    def lines(self) -> list[str]:
        """What a reader must not miss."""
        ...

    def record(self) -> Mapping[str, Any]:
        """As JSON has it."""
        ...


@dataclass(frozen=True)
class Found:
    """What was measured of one artifact.

    Attributes:
        measured: the artifact and the pictures, open.
        figures: of the pictures.
        summaries: of the measures.
        sanity: where the original was given.
    """

    measured: Measured
    figures: Figures
    summaries: tuple[Summary, ...]
    sanity: Sanity | None = None

    @property
    def path(self) -> Path:
        """Of the artifact."""
        return self.measured.explainer.artifact.path

    @property
    def map(self) -> str:
        """Which of its maps was measured, and its cells: ``fine map, 14 x 14``."""
        guide, head = self.measured.explainer.artifact.arrays.guide, self.measured.explainer.artifact.card.head
        if guide is None:
            return f"plain map, {head.height} x {head.width}"
        return f"fine map, {guide.height} x {guide.width}"

    def lines(self) -> list[str]:
        """What a reader of the table must not miss, each in a line."""
        lines = self.sanity.lines() if self.sanity else []
        pictures = self.figures.different
        if pictures < LEAST_PICTURES:
            return [
                f"{counted(pictures, 'different picture')}: too few to tell; give it at least {LEAST_PICTURES}",
                *lines,
            ]
        return [*self._verdicts(), *lines]

    def _verdicts(self) -> Iterator[str]:
        """What is known of the measures that judge, and of which of them nothing is."""
        told = [one for one in self.summaries if one.judged]
        weak = [one.measure.title for one in told if one.no_better]
        pictures = {one.measure: one.pictures for one in self.summaries}
        judging = [one for one in MEASURES if one.judges and (one in pictures or not one.needs_masks)]
        few = [f"{one.title} ({pictures.get(one, 0)})" for one in judging if pictures.get(one, 0) < LEAST_PICTURES]
        if weak:
            share = f"{len(weak)} of {counted(len(told), 'measure')}"
            yield f"not better than a random map by {share}: {', '.join(weak)} (95 % intervals)"
        elif told:
            every = "the other measures that judge" if few else "every measure that judges"
            yield f"better than a random map by {every} (95 % intervals)"
        if few:
            yield f"fewer than {counted(LEAST_PICTURES, 'different picture')}, too few to tell: {', '.join(few)}"

    def record(self) -> dict[str, Any]:
        """As JSON has it, see runtime/spec/faithful.schema.json."""
        return {
            "artifact": str(self.path),
            "backend": self.measured.explainer.backend,
            "pictures": len(self.figures.index),
            "left_out": list(self.figures.bad),
            "measures": summary.record(self.summaries),
            "no_better_than_random": [one.measure.name for one in self.summaries if one.no_better],
            "randomized_weights": self.sanity.record() if self.sanity else None,
        }
