"""What an artifact's model says of itself to programs that know nothing of camlite, whichever format they read."""

from __future__ import annotations

from dataclasses import dataclass

from camlite import __version__
from camlite.artifact.card import Activation, Preprocessing
from camlite.artifact.precisions import Precision

AUTHOR = "camlite"
_LOGITS = {"softmax": "softmax of the logits", "sigmoid": "sigmoid of each logit", "linear": "the logits themselves"}


@dataclass(frozen=True)
class Description:
    """Of one artifact's model.

    Attributes:
        name: of the classifier.
        precision: of the artifact.
        labels: one a class, in the order of the scores.
        preprocessing: how pixels become the classifier's input.
        activation: what turns logits into scores.
    """

    name: str
    precision: Precision
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    activation: Activation

    author = AUTHOR
    version = __version__

    @property
    def text(self) -> str:
        """One sentence for people."""
        return (
            f"Image classifier of {len(self.labels)} classes with its explanation, {self.precision}. "
            f"camlite reads and verifies the whole file."
        )

    @property
    def pixels_text(self) -> str:
        """How the input is made of pixels, for people."""
        pixels = self.preprocessing
        colours = "grey" if pixels.channels == 1 else pixels.order.upper()
        scale, offset = (", ".join(f"{one:.6g}" for one in values) for values in (pixels.scale, pixels.offset))
        fitted = "the largest centred window, resized" if pixels.fit == "crop" else "the whole picture, resized"
        return (
            f"{pixels.width} x {pixels.height} pixels, {colours}, of {fitted}; "
            f"each pixel of 0 to 255 * ({scale}) + ({offset})"
        )

    @property
    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and standard deviation of ``(pixel - mean) / std``, one a channel.

        None where a program that feeds RGB could not follow them: the classifier wants BGR, or takes no notice of a
        channel.
        """
        pixels = self.preprocessing
        if pixels.order != "rgb" or not all(pixels.scale):
            return None
        pairs = list(zip(pixels.scale, pixels.offset, strict=True))
        return tuple(-offset / scale for scale, offset in pairs), tuple(1 / scale for scale, _ in pairs)


def output_text(name: str, description: Description) -> str:
    """What an output of the model is, for people."""
    return {
        "scores": f"one score per class: {_LOGITS[description.activation]}",
        "features": "the last feature map, of which camlite makes the explanation",
        "evidence": "what each place says for each class, in logits",
        "guide": "where a finer layer saw what speaks for each class",
    }.get(name, "")
