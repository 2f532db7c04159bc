"""Whether a sound model is the one that its card speaks of: names, shapes and dtypes of what goes in and comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camlite.artifact.precisions import PRECISIONS, Precision
from camlite.soundness.limits import Proof

if TYPE_CHECKING:
    from camlite.artifact.card import Card, Layout
    from camlite.artifact.map_choice import Guide


def in_layout(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """A shape (height, width, channels) as a model of this layout has it."""
    return shape if layout == "hwc" else (shape[2], *shape[:2])


def check(proof: Proof, card: Card, guide: Guide | None = None) -> None:
    """Hold the image and the outputs of a model against its card, and what is said of its guide.

    Raises:
        ValueError: they are not those that the card implies; says both.
    """
    target, head = card.preprocessing, card.head
    expected: dict[str, tuple[int, ...]] = {
        "features": (head.height, head.width, head.channels),
        "scores": (len(card.labels),),
    }
    received = {name: port.shape for name, port in proof.outputs.items()}
    maps = head.evidence_traits.output_classes(len(card.labels))
    if maps is not None:
        expected["evidence"] = (head.height, head.width, maps)
    if not head.evidence_traits.adds_up and "bias" in received:
        expected["bias"] = (len(card.labels),)
    if guide is not None:
        expected["guide"] = (guide.height, guide.width, guide.output_classes(len(card.labels)))
    image = in_layout((target.height, target.width, target.channels), card.image_layout)
    expected["features"] = in_layout(expected["features"], card.features_layout)
    if received != expected or proof.image.shape != image:
        raise ValueError(
            f"the model has outputs {received} for an image {proof.image.shape}, its card says {expected} for {image}"
        )
    for name, port in {"image": proof.image, **proof.outputs}.items():
        allowed = _allowed(name, card.precision)
        if port.dtype not in allowed:
            raise ValueError(f"{name} is {port.dtype}, expected {' or '.join(allowed)} for {card.precision}")


def _allowed(name: str, precision: Precision) -> tuple[str, ...]:
    """Real numbers, or the integers that a model of a precision computes in; pixels may go in as they are anywhere."""
    if name == "bias":
        return ("float32",)
    if PRECISIONS[precision].integer_ends or name == "image":
        return ("float32", "uint8", "int8", *(("int16",) if precision == "int16x8" else ()))
    return ("float32", "int16") if precision == "int16x8" else ("float32",)
