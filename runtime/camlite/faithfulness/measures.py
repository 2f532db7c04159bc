"""The one table of measures: what each is called, which way is better, who has defined it."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Measure(NamedTuple):
    """A figure of a map.

    Attributes:
        name: in JSON, and in Python.
        title: for people.
        better: which way a map is better.
        needs_masks: whether it can be taken only where the object is known.
        judges: whether a map that is no better than a random one at it is worth nothing. False where the figure says
            something of the map alone: a wrong map can be as sparse as a right one.
        source: who has defined it.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    needs_masks: bool
    judges: bool
    source: str


_RISE = "Petsiuk et al., BMVC 2018 (RISE)"
_GRAD_CAM_PLUS = "Chattopadhay et al., WACV 2018 (Grad-CAM++)"

MEASURES = (
    Measure("insertion", "insertion", "higher", False, True, _RISE),
    Measure("deletion", "deletion", "lower", False, True, _RISE),
    Measure("difference", "insertion - deletion", "higher", False, True, _RISE),
    Measure("road", "ROAD", "lower", False, True, "Rong et al., ICML 2022"),
    Measure("drop", "average drop", "lower", False, True, _GRAD_CAM_PLUS),
    Measure("increase", "increase", "higher", False, True, _GRAD_CAM_PLUS),
    Measure("sparsity", "sparsity", "higher", False, False, "Gini index; Chalasani et al., ICML 2020"),
    Measure("complexity", "complexity", "lower", False, False, "entropy in nats; Bhatt et al., IJCAI 2020"),
    Measure("pointing", "pointing game", "higher", True, True, "Zhang et al., IJCV 2018"),
    Measure("inside", "heat on the object", "higher", True, True, "Arras et al., Information Fusion 2022"),
)
"""In the order in which figures stand in arrays."""

NAMES = tuple(measure.name for measure in MEASURES)
