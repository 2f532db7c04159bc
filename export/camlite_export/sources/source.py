"""What every source offers. A source is the original classifier, whatever kind of file it came in.

To add one: a file in this folder with a class that satisfies `Source`, its line in
`camlite_export.sources.opening`, and who cuts it in `camlite_export.cutting.cutter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Activation

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Step:
    """One operation on the image's way through the classifier; where its output is a feature map, a possible cut.

    Attributes:
        name, kind: as people know them, ``conv_128`` and ``Conv2D``. Names need not be unique.
        shape: of its output for a batch of images, (None, height, width, channels) where it has places; None for
            a side that is not known.
        parameters: how many numbers it has learned.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int


class Answer(NamedTuple):
    """What the original gives for N images: features float32 (N, h, w, C) of some step, and scores float32 (N, K)."""

    features: Floats
    scores: Floats


class KnownPixels(NamedTuple):
    """What a classifier itself tells of its pixels, where only a mean or a deviation of them was given.

    What is decided on more evidence than this: `camlite_export.rightness.pixel_decision`.

    Attributes:
        preprocess: a name of `camlite_export.sources.pixel_conventions.NAMED`.
        reason: why that, to follow "because".
    """

    preprocess: str
    reason: str


class Source(Protocol):
    """A trained image classifier: one image in, one score for each class out.

    Opening one refuses, with a `ClassifierError`, what is no classifier or cannot be trusted. What is open answers; it
    never changes, and nothing in here needs a GPU. Arrays are numpy's, features (height, width, channels), whatever
    the framework has inside. Frameworks are imported inside functions.
    """

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels (1 or 3) of the images that it takes; a size is fixed when it is opened."""
        ...

    @property
    def dtype(self) -> str:
        """What the original computes in: ``float32``, ``float16``, ``bfloat16``, ``int8`` ...; of several the coarsest.

        Rounding of this size lies between the original and any artifact.
        """
        ...

    @property
    def classes(self) -> int:
        """K, at least 2: of a single sigmoid p the two scores are 1 - p and p."""
        ...

    @property
    def activation(self) -> Activation:
        """What turns logits into scores."""
        ...

    @property
    def saturation(self) -> str | None:
        """The function that turns its logits into probabilities, if something follows it; otherwise None."""
        ...

    @property
    def parameters(self) -> int:
        """How many numbers it has learned."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of its weights, in hexadecimal: the card of each artifact has it, and parity checks it.

        The same for the same classifier in another process, on another day.
        """
        ...

    @property
    def labels(self) -> tuple[str, ...] | None:
        """One label per class, if the file has them."""
        ...

    @property
    def pixels(self) -> KnownPixels:
        """What it tells of the pixels that it was trained on."""
        ...

    @property
    def steps(self) -> Sequence[Step]:
        """All operations from image to scores, in the order in which the image meets them."""
        ...

    def answer(self, images: Floats, step: Step) -> Answer:
        """Run the original: in its own framework, its own dtypes, whole. Nothing is rebuilt, folded or converted.

        Args:
            images: as the classifier takes them, float32 (N, H, W, channels), any N; run in batches inside.
            step: one of `steps` whose output has four axes: its features are given.
        """
        ...

    def logits(self, features: Floats, step: Step) -> Floats:
        """The head as a black box: what follows a step, up to the last activation.

        Args:
            features: float32 (N, h, w, C), any that its `step` could give, and any that it could not: the head is
                tried with zeros, units and random numbers.

        Returns:
            Float32 (N, K); activated, they are the scores.

        Raises:
            ClassifierError: the logits do not follow from this step's output alone.
        """
        ...
