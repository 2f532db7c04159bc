"""The one table of measures: what each is called, which way is better, who has defined it."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Measure(NamedTuple):
    """A figure of a map.

    Attributes:
        name: in JSON, and in Python.
        title: for people.
        better: which way a map is better.
        source: who has defined it.
        meaning: in a sentence, without its stop.
        needs_masks: whether it can be taken only where the object is known.
        judges: whether a map that is no better than a random one at it is worth nothing. False where the figure says
            something of the map alone: a wrong map can be as sparse as a right one.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    source: str
    meaning: str
    needs_masks: bool = False
    judges: bool = True


_RISE = "Petsiuk et al., BMVC 2018 (RISE)"
_GRAD_CAM_PLUS = "Chattopadhay et al., WACV 2018 (Grad-CAM++)"

MEASURES = (
    Measure(
        "insertion",
        "insertion",
        "higher",
        _RISE,
        "The picture's own pixels are put into a blurred copy, the hottest first: area under the score's curve, over "
        "the score of the whole picture",
    ),
    Measure(
        "deletion",
        "deletion",
        "lower",
        _RISE,
        "They are taken away in the same order, the blurred copy stays: the same area",
    ),
    Measure(
        "difference",
        "insertion - deletion",
        "higher",
        _RISE,
        "Insertion less deletion of the same picture: about 0 for a map that knows nothing",
    ),
    Measure(
        "road",
        "ROAD",
        "lower",
        "Rong et al., ICML 2022",
        "Of 10, 30, 50, 70 and 90 % of the pixels taken away, the hottest first, and made up from their neighbours: on "
        "which share the class is still named",
    ),
    Measure(
        "drop",
        "average drop",
        "lower",
        _GRAD_CAM_PLUS,
        "Which share of the score is lost when the picture is multiplied by the heatmap",
    ),
    Measure(
        "increase",
        "increase",
        "higher",
        _GRAD_CAM_PLUS,
        "On which share of the pictures the score grows by that",
    ),
    Measure(
        "sparsity",
        "sparsity",
        "higher",
        "Chalasani et al., ICML 2020",
        "Gini index of the heat: 0 is the same everywhere, 1 all of it in one pixel; it says nothing of where",
        judges=False,
    ),
    Measure(
        "complexity",
        "complexity",
        "lower",
        "Bhatt et al., IJCAI 2020",
        "Entropy of the shares of the heat, in nats: 0 is all of it in one pixel; it says nothing of where",
        judges=False,
    ),
    Measure(
        "pointing",
        "pointing game",
        "higher",
        "Zhang et al., IJCV 2018",
        "On which share of the pictures with an object the hottest pixel lies on it",
        needs_masks=True,
    ),
    Measure(
        "inside",
        "heat on the object",
        "higher",
        "Arras et al., Information Fusion 2022",
        "Which share of the heat lies on the object",
        needs_masks=True,
    ),
)
"""In the order in which figures stand in arrays."""

NAMES = tuple(measure.name for measure in MEASURES)
