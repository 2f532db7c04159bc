"""What is drawn and written: the part of `camlite.Explanation` that this room needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from camlite.artifact import Artifact
from camlite.images.preprocessing import Pixels
from camlite.maps.fine_evidence import FinestMap


class Origin(Protocol):
    """What made an explanation, see `camlite.Explainer`."""

    @property
    def artifact(self) -> Artifact: ...  # noqa: D102
    @property
    def labels(self) -> tuple[str, ...]: ...  # noqa: D102


class Explained(Protocol):
    """See `camlite.Explanation`, whose attributes and methods these are."""

    @property
    def explainer(self) -> Origin: ...  # noqa: D102
    @property
    def image(self) -> Pixels: ...  # noqa: D102
    @property
    def classes(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def against(self) -> int | None: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def score(self) -> float: ...  # noqa: D102
    @property
    def scores(self) -> NDArray[np.float32]: ...  # noqa: D102
    @property
    def evidence(self) -> NDArray[np.float32]: ...  # noqa: D102
    @property
    def heatmap(self) -> NDArray[np.float32]: ...  # noqa: D102
    @property
    def finest(self) -> FinestMap: ...  # noqa: D102
    @property
    def completeness(self) -> float | None: ...  # noqa: D102

    def spread(  # noqa: D102
        self, height: int, width: int, index: int = 0, peak: float | None = None
    ) -> NDArray[np.float32]: ...
    def peaks(self, height: int, width: int) -> NDArray[np.float32]: ...  # noqa: D102
