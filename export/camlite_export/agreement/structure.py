"""What must hold before values are compared: names, dtypes, shapes, and a card that speaks of this classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from camlite.artifact import Artifact
from camlite.artifact.card import Preprocessing
from camlite.backends.interpreter import Tensor
from camlite.texts import counted
from camlite_export.agreement import fine_reference
from camlite_export.cutting.file_cut import FileCut
from camlite_export.precisions import PRECISIONS

if TYPE_CHECKING:
    from camlite_export.agreement.expected import Expected

# Two computations of one scale or offset differ by rounding alone.
_SAME = 1e-6


@dataclass(frozen=True)
class Failure:
    """A check that failed.

    Attributes:
        check: its name.
        message: one line that says where, what was expected and what was received.
        short: the same for a card, which goes to other people: without names of images; empty where it is not for it.
    """

    check: str
    message: str
    short: str = ""


def failures(artifact: Artifact, image: Tensor, outputs: Mapping[str, Tensor], expected: Expected) -> list[Failure]:
    """Hold an artifact's tensors and card against the classifier.

    Args:
        image, outputs: the tensors as the interpreter has them.
    """
    return [
        *(Failure("names", text, text) for text in _names(artifact, outputs, expected)),
        *(Failure("dtypes", text, text) for text in _dtypes(artifact, image, outputs, expected)),
        *(Failure("shapes", text, text) for text in _shapes(artifact, image, outputs, expected)),
        *(Failure("card", text) for text in _card(artifact, expected)),
    ]


def _names(artifact: Artifact, outputs: Mapping[str, Tensor], expected: Expected) -> Iterator[str]:
    names = set(_output_shapes(artifact, expected)) - ({"bias"} - outputs.keys())
    if outputs.keys() != names:
        yield f"the outputs are {', '.join(sorted(outputs))}, expected {', '.join(sorted(names))}"


def _dtypes(artifact: Artifact, image: Tensor, outputs: Mapping[str, Tensor], expected: Expected) -> Iterator[str]:
    """Integers stand at both ends where the precision says so, and nowhere else; in a file, where it has them."""
    wanted = _wanted_dtypes(artifact, outputs, expected)
    for name, tensor in {"image": image, **outputs}.items():
        dtype, scaled = wanted[name]
        if tensor.dtype != dtype:
            yield f"{name} is {tensor.dtype}, expected {dtype} for {artifact.card.precision}"
        if (tensor.scale != 0) != scaled:
            yield f"{name} has quantization scale {tensor.scale}, expected {'one above' if scaled else 'none, as'} 0"


def _wanted_dtypes(
    artifact: Artifact, outputs: Mapping[str, Tensor], expected: Expected
) -> dict[str, tuple[np.dtype[Any], bool]]:
    """Of each tensor, and whether it has a scale."""
    float32 = (np.dtype(np.float32), False)
    if isinstance(expected.cut, FileCut):
        ends = expected.cut.ends.items()
        return {**dict.fromkeys(outputs, float32), **{name: (one.dtype, one.scale != 0) for name, one in ends}}
    conversion = PRECISIONS[artifact.card.precision].conversion(artifact.container)
    if conversion is None or not conversion.integer_ends:
        return dict.fromkeys(["image", *outputs], float32)
    shifted = any(one.dtype == np.uint8 for one in outputs.values())  # `export --outputs uint8`
    of_outputs = dict.fromkeys(outputs, (np.dtype(np.uint8 if shifted else np.int8), True))
    # 8 bits would ruin a guide
    return {**of_outputs, "image": (np.dtype(np.uint8), True), "guide": float32, "bias": float32}


def _shapes(artifact: Artifact, image: Tensor, outputs: Mapping[str, Tensor], expected: Expected) -> Iterator[str]:
    head = artifact.card.head
    if image.shape != expected.cut.image_shape:
        yield f"the image is {image.shape}, expected {expected.cut.image_shape}"
    for name, shape in _output_shapes(artifact, expected).items():
        if name in outputs and outputs[name].shape != shape:
            yield f"{name} are {outputs[name].shape}, expected {shape}"
    if (head.height, head.width, head.channels) != expected.cut.feature_shape:
        received = (head.height, head.width, head.channels)
        yield f"the card's features are {received}, expected {expected.cut.feature_shape}"
    if len(artifact.card.labels) != expected.cut.classes:
        yield f"the card has {counted(len(artifact.card.labels), 'label')}, expected {expected.cut.classes}"


def _output_shapes(artifact: Artifact, expected: Expected) -> dict[str, tuple[int, ...]]:
    """Every output that the card's evidence method and the guide imply, and its shape."""
    height, width, channels = expected.cut.feature_shape
    shapes: dict[str, tuple[int, ...]] = {"features": (height, width, channels), "scores": (expected.cut.classes,)}
    maps = artifact.card.head.evidence_traits.output_classes(expected.cut.classes)
    if maps is not None:
        shapes["evidence"] = (height, width, maps)
    if _may_give_bias(artifact):
        shapes["bias"] = (expected.cut.classes,)
    guide = artifact.arrays.guide
    if guide is not None:
        shapes["guide"] = (guide.height, guide.width, guide.output_classes(expected.cut.classes))
    return shapes


def _may_give_bias(artifact: Artifact) -> bool:
    """Whether the bias of the active pieces may be among the outputs; older artifacts have none."""
    return not artifact.card.head.evidence_traits.adds_up


def _card(artifact: Artifact, expected: Expected) -> Iterator[str]:
    card = artifact.card
    if card.classifier_sha256 != expected.cut.source.digest:
        yield (
            f"it was exported from other weights (sha256 {card.classifier_sha256[:16]}) "
            f"than {expected.path} has ({expected.cut.source.digest[:16]})"
        )
    for k, (received, label) in enumerate(zip(card.labels, expected.labels, strict=False)):
        if received != label:
            yield f"the label of class {k} is {received!r}, expected {label!r}"
            break
    if not _same_preprocessing(card.preprocessing, expected.target):
        yield f"its preprocessing is {_text(card.preprocessing)}, expected {_text(expected.target)}"
    for name, received, able in (
        ("layer", card.head.layer, (expected.cut.layer,)),
        ("activation", card.head.activation, (expected.cut.activation,)),
        ("evidence", card.head.evidence, expected.cut.evidence_methods),
    ):
        if received not in able:
            yield f"its {name} is {received}, expected {' or '.join(able)}"
    guide = artifact.arrays.guide
    if guide is not None and fine_reference.layers_of(expected.cut, guide) is None:
        yield (
            f"its guide is made of {' * '.join(guide.layers)}, {guide.height} x {guide.width}, and {expected.path} "
            f"has no such layers in front of {expected.cut.layer}, so fine maps are not compared"
        )


def _same_preprocessing(a: Preprocessing, b: Preprocessing) -> bool:
    if (a.height, a.width, a.channels, a.fit, a.order) != (b.height, b.width, b.channels, b.fit, b.order):
        return False
    return all(np.allclose(one, other, _SAME, 1e-9) for one, other in ((a.scale, b.scale), (a.offset, b.offset)))


def _text(target: Preprocessing) -> str:
    scale, offset = (", ".join(f"{number:.4g}" for number in numbers) for numbers in (target.scale, target.offset))
    return (
        f"{target.height} x {target.width} {target.order if target.channels == 3 else 'grey'}, "
        f"pixel * ({scale}) + ({offset}), fit {target.fit}"
    )


def comparable(found: Sequence[Failure]) -> bool:
    """Whether the values can be compared all the same: not where names or shapes are wrong."""
    return not any(failure.check in ("names", "shapes") for failure in found)
