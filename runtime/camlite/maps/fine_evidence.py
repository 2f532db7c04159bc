"""Fine evidence out of an interpreter's results, and the finest map that there is of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from camlite.artifact.card import Head, Window
from camlite.artifact.map_choice import Guide
from camlite.backends.interpreter import Tensor
from camlite.maps.cam import Floats
from camlite.maps.evidence import Evidence, FromGraph
from camlite.maps.redistribution import Redistribution

MapKind = Literal["plain", "fine"]


class FinestMap(NamedTuple):
    """The finest map there is of an image: what heatmaps, pictures, boxes and JSON are made of.

    Attributes:
        kind: ``fine``: evidence that was redistributed by a guide; ``plain``: evidence at the places of the features.
        evidence: in logits, float32 (h, w) of one class, or (n, h, w) of n classes.
        window: where its grid of cells lies over the classifier's input.
    """

    kind: MapKind
    evidence: Floats
    window: Window


class Fine(NamedTuple):
    """Fine evidence, float32 (h', w') or (n, h', w'), and the guides that it was redistributed by, likewise."""

    evidence: Floats
    guide: Floats


class FineEvidence:
    """Redistributes what `Evidence` reads, by the guides that the last run has left in the interpreter's memory.

    Attributes:
        redistribution: of the artifact.

    Raises:
        ValueError: see `Redistribution`.
    """

    def __init__(
        self,
        guide: Guide,
        head: Head,
        evidence: Evidence,
        outputs: Mapping[str, Tensor],
        results: Mapping[str, NDArray[Any]],
    ) -> None:
        self.redistribution = Redistribution((head.height, head.width), head.window, guide)
        self._evidence, self._top_only = evidence, guide.classes == "top"
        self._guides = FromGraph(outputs["guide"], results["guide"], self._top_only)

    def of(self, maps: Floats, classes: Sequence[int], top: int, against: int | None = None) -> Fine | None:
        """Fine evidence of some classes; None where there is no guide for one of them.

        Args:
            maps: their evidence, (h, w) or (n, h, w).
            classes: their indices.
            top: the class with the highest score.
            against: the class whose evidence was taken away from theirs; its own guide says where it lay.
        """
        if self._top_only and (against is not None or any(k != top for k in classes)):
            return None
        if maps.ndim == 2 and against is None:
            guide = self._guides.one(classes[0])
            return Fine(self.redistribution(maps, guide), guide)
        guides = self._guides.many(classes)
        if against is None:
            return Fine(self.redistribution(maps, guides), guides)
        fine = self.redistribution(self._evidence.many(classes), guides)
        fine -= self.redistribution(self._evidence.one(against), self._guides.one(against))
        return Fine(fine[0], guides[0]) if maps.ndim == 2 else Fine(fine, guides)
