"""What every target offers. A target is a kind of model that artifacts are made of."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.precisions import Precision
from camlite_export.cutting.cut import TraceableCut


class Target(Protocol):
    """Converts a cut classifier to one container, in several precisions.

    A target is a module, or an object, with this member, and has its line in `camlite_export.targets.TARGETS`. What
    each precision is there, and which it has, says `camlite_export.precisions`.
    It gives the bare model, the same bytes each time; sealing, signing, golden samples and measuring are done by
    others. It imports libraries inside its functions.
    """

    def convert(self, cut: TraceableCut, precision: Precision, images: NDArray[np.float32] | None) -> bytes:
        """The model of one precision.

        Its input is named ``image``, its outputs as `TraceableCut.function` names them. Where integers stand at an
        end, the tensor says scale and zero point.

        Args:
            cut: of the classifier. What is adjusted in its weights is as it was when this returns, or raises.
            precision: one that exists in this container.
            images: representative inputs, float32 (N, H, W, channels); never None where the precision rounds
                activations. Where it is there, weights may be rounded with it in mind.

        Raises:
            ClassifierError: the format cannot express the classifier in this precision, or no device would take it;
                the message says which operator, and what to choose instead.
        """
        ...
