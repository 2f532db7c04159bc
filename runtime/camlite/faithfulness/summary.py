"""From the figures of pictures to what is said of an artifact: means, intervals, and what a random map does as well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from camlite.confidence import Interval, intervals
from camlite.faithfulness.measures import MEASURES, Measure
from camlite.faithfulness.measuring import MAPS, Figures
from camlite.images import copies

LEAST_PICTURES = 10
"""Of fewer the percentile bootstrap is too sure of itself."""


@dataclass(frozen=True)
class Summary:
    """What one measure says.

    Attributes:
        measure: which.
        pictures: of how many different pictures; with masks those that show an object.
        figures: by `MAPS`, mean and 95 % interval over pictures.
        gains: by control, how much better the artifact's map is, picture by picture: above 0 is better, whichever way
            the measure goes.
    """

    measure: Measure
    pictures: int
    figures: Mapping[str, Interval]
    gains: Mapping[str, Interval]

    @property
    def judged(self) -> bool:
        """Whether it judges, and has enough pictures for that."""
        return self.measure.judges and self.pictures >= LEAST_PICTURES

    @property
    def no_better(self) -> bool:
        """Whether the map is not certainly better than a random one, where it should be."""
        return self.judged and not self.gains["random"].low > 0


def summarize(figures: Figures) -> tuple[Summary, ...]:
    """A summary of each measure that could be taken of at least one picture."""
    found = [_summary(figures, column, measure) for column, measure in enumerate(MEASURES)]
    return tuple(one for one in found if one.pictures)


def _summary(figures: Figures, column: int, measure: Measure) -> Summary:
    values = figures.values[:, :, column]
    chosen = np.flatnonzero(copies.first_of_each(figures.seen, ~np.isnan(values).any(axis=1)))
    if len(figures.seen):  # resampled by place: the order of the pictures must not change an interval
        chosen = chosen[np.argsort(figures.seen[chosen], kind="stable")]
    known = values[chosen]
    own = known[:, :1]
    gains = own - known[:, 1:] if measure.better == "higher" else known[:, 1:] - own
    return Summary(
        measure,
        len(known),
        dict(zip(MAPS, intervals(known), strict=True)),
        dict(zip(MAPS[1:], intervals(gains), strict=True)),
    )


def record(summaries: tuple[Summary, ...]) -> dict[str, Any]:
    """As JSON has them: by name of the measure, intervals as [mean, low, high], or null."""
    return {
        one.measure.name: {
            "better": one.measure.better,
            "source": one.measure.source,
            "pictures": one.pictures,
            **{name: _interval(of) for name, of in one.figures.items()},
            "gains": {name: _interval(of) for name, of in one.gains.items()},
        }
        for one in summaries
    }


def _interval(of: Interval) -> list[float] | None:
    return None if math.isnan(of.mean) else list(of)
