"""Families of networks that people build on, told by how their layers are built, whatever the layers are called.

A network is written as a line of its convolutions and poolings, in the order in which the image meets them:
``c3/2`` is a convolution of 3 x 3 with strides of 2, ``d`` a depthwise one, ``s`` a separable one, ``p`` a pooling, and
``+`` says that it has a bias. Widths are left out, as most families come in several. Where branches lie side by side
their order differs from Keras 2 to Keras 3, so the patterns leave it open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from camlite.artifact.card import Fit
from camlite_export.sources.file_source import GraphStep
from camlite_export.sources.journey import KerasStep


@dataclass(frozen=True)
class Family:
    """What networks of one family are given.

    Attributes:
        name: as people know it.
        convention: of the pixels, a name in `camlite_export.sources.pixel_conventions.NAMED`.
        fit: how images of other sizes are made to fit; None where the family does not say.
    """

    name: str
    convention: str
    fit: Fit | None = None


_TEACHABLE_MACHINE = Family("Teachable Machine", "signed", "crop")
_TEACHABLE_IMAGE = (224, 224, 3)
_TEACHABLE_HIDDEN = 100
_TEACHABLE_FILTERS = 16  # of the first convolution: MobileNetV2 with alpha 0.35

# Taken from keras.applications itself: the tests build every network there is and look it up.
_BACKBONES: Sequence[tuple[str, Family]] = (
    (r"c3/2 (d3/[12] c1/1 ){6,}", Family("MobileNet", "signed")),
    (r"c3/2 d3/1 c1/1 (c1/1 d3/[12] c1/1 ){5,}", Family("MobileNetV2", "signed")),
    (r"c3/2 d3/2 c1/1\+ c1/1\+ c1/1 ", Family("MobileNetV3", "signed")),
    (r"c3/2 d3/1 c1/1 (c1/1 d3/[12] c1/1 ){2}c1/1 d5/2 ", Family("MobileNetV3", "signed")),
    (r"c3/2 (c3/1 ){1,4}(c3/[12] c1/1 ){4,}c1/1 d3/2 c1/1\+ c1/1\+ ", Family("EfficientNetV2", "signed")),
    (r"c7/2\+ p3/2 (c[13]/[12]\+ ){9,}", Family("ResNet", "caffe")),
    (r"c7/2\+ p3/2 ((c1/1\+? |p1/2 )*c3/[12] ){3,}", Family("ResNet V2", "signed")),
    (r"(c3/1\+ ){2}p2/2 (c3/1\+ ){2}p2/2 (c3/1\+ ){3,4}p2/2 (c3/1\+ ){3,4}", Family("VGG", "caffe")),
    (r"c7/2 p3/2 (c1/1 c3/1 ){6}", Family("DenseNet", "imagenet")),
    (r"c3/2 c3/1 c3/1 p3/2 c1/1 c3/1 p3/2 ([cp][1357x]+/1 ){5,}", Family("Inception", "signed")),
    (r"c3/2 c3/1 (s3/1 |c1/2 |p3/2 ){10,}", Family("Xception", "signed")),
    (r"c3/2 (c1/1 |s[57]/2 |p3/[12] ){3,}.*s7/2 ", Family("NASNet", "signed")),
)

_LETTERS = {"Conv2D": "c", "DepthwiseConv2D": "d", "SeparableConv2D": "s", "MaxPooling2D": "p", "AveragePooling2D": "p"}
_VGG_FILTERS = (64, 64, 128, 128)


def family_of(journey: Sequence[KerasStep], image_shape: tuple[int, int, int]) -> Family | None:
    """The family that a classifier's layers are built like; None for others.

    Args:
        journey: all its layers, those of the models inside it laid open.
        image_shape: height, width and channels of its input.
    """
    line = as_line(journey)
    found = next((family for pattern, family in _BACKBONES if re.match(pattern, line)), None)
    if found is None or image_shape[2] != 3:
        return None
    if found.name == "VGG" and _filters(journey)[:4] != _VGG_FILTERS:
        return None  # two convolutions and a pooling, again and again: many small networks are built like that
    if found.name == "MobileNetV2" and _is_teachable_machine(journey, image_shape):
        return _TEACHABLE_MACHINE
    return found


def family_of_file(steps: Sequence[GraphStep], image_shape: tuple[int, int, int]) -> Family | None:
    """The same of a file that ships, for the families whose line says enough where every convolution has a bias.

    Normalizations are folded into convolutions there, so that all have one.
    """
    if image_shape[2] != 3:
        return None
    line = "".join(f"{word} " for word in map(_word_of_file, steps) if word)
    if re.match(r"c3/2 (d3/[12] c1/1 ){6,}", line):
        return Family("MobileNet", "signed")
    if not re.match(r"c3/2 d3/1 c1/1 (c1/1 d3/[12] c1/1 ){5,}", line) or "d5" in line:
        return None
    first, *_, hidden, _ = [step for step in steps if step.parameters]
    teachable = (first.shape[-1], hidden.shape[-1]) == (_TEACHABLE_FILTERS, _TEACHABLE_HIDDEN)
    if image_shape == _TEACHABLE_IMAGE and teachable:
        return _TEACHABLE_MACHINE
    return Family("MobileNetV2", "signed")


def _word_of_file(step: GraphStep) -> str | None:
    letter = {"CONV_2D": "c", "DEPTHWISE_CONV_2D": "d"}.get(step.kind)
    return f"{letter}{step.node.window}/{step.node.stride}" if letter and step.node.window else None


def as_line(journey: Sequence[KerasStep]) -> str:
    """The convolutions and poolings of a journey as one line, see the module."""
    return "".join(f"{word} " for word in map(_word, journey) if word)


def _word(step: KerasStep) -> str | None:
    letter = _LETTERS.get(step.kind)
    if letter is None:
        return None
    layer = step.operation
    sides = layer.pool_size if letter == "p" else layer.kernel_size
    size = "x".join(map(str, dict.fromkeys(sides)))
    return f"{letter}{size}/{layer.strides[0]}{'+' if getattr(layer, 'use_bias', False) else ''}"


def _filters(journey: Sequence[KerasStep]) -> tuple[int | None, ...]:
    return tuple(step.shape[-1] for step in journey if step.kind == "Conv2D")


def _is_teachable_machine(journey: Sequence[KerasStep], image_shape: tuple[int, int, int]) -> bool:
    """MobileNetV2 of alpha 0.35 for 224 x 224, global pooling, 100 hidden units, and the classes without a bias."""
    learned = [step for step in journey if step.parameters]
    pooled = any(step.kind == "GlobalAveragePooling2D" for step in journey)
    hidden, scores = learned[-2:]
    return (
        image_shape == _TEACHABLE_IMAGE
        and _filters(journey)[0] == _TEACHABLE_FILTERS
        and pooled
        and (hidden.kind, scores.kind, hidden.shape[-1]) == ("Dense", "Dense", _TEACHABLE_HIDDEN)
        and not scores.operation.use_bias
    )
