"""Options that several of the exporter's commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from camlite.artifact.card import ChannelOrder, Fit
from camlite.errors import ClassifierError
from camlite_export.sources import pixel_conventions


def add_classifier(parser: argparse.ArgumentParser) -> None:
    """``--layer``, ``--structure`` and ``--trust``."""
    parser.add_argument("--trust", action="store_true", help="run code that the classifier's file carries")
    parser.add_argument(
        "--structure",
        type=Path,
        metavar="JSON",
        help="the classifier's layers, as model.to_json() gives them, where its file holds weights only",
    )
    parser.add_argument(
        "--layer", help="cut behind this layer: an index (-3 is the last but two) or a name (default: found by itself)"
    )


def add_size(parser: argparse.ArgumentParser) -> None:
    """``--size``."""
    parser.add_argument(
        "--size",
        type=size,
        metavar="HEIGHTxWIDTH",
        help="of the images, for a classifier that takes any (224, 240x320)",
    )


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """``--preprocess``, ``--mean``, ``--std``, ``--order``, ``--fit``."""
    parser.add_argument(
        "--preprocess",
        choices=list(pixel_conventions.NAMED),
        help="what the classifier was trained on: pixels 0..1, -1..1, by ImageNet's mean and deviation (RGB), by its "
        "mean (BGR), or 0..255 (default: decided by what its layers, its normalizations and labelled pictures say)",
    )
    parser.add_argument(
        "--mean",
        type=numbers,
        metavar="M[,M,M]",
        help="instead: mean of the pixels, on 0..255 (or both on 0..1, as PyTorch's)",
    )
    parser.add_argument("--std", type=numbers, metavar="S[,S,S]", help="and their standard deviation")
    parser.add_argument(
        "--order",
        choices=get_args(ChannelOrder),
        help="of the classifier's colour channels; bgr where OpenCV read the training's pictures (default: decided as "
        "well, and where nothing tells, rgb; of caffe, bgr)",
    )
    parser.add_argument(
        "--fit",
        choices=get_args(Fit),
        help="how other image sizes are made to fit (default: stretch; crop for Teachable Machine)",
    )


def layer(text: str | None) -> int | str | None:
    """``-3`` is an index, ``conv_128`` a name."""
    if text is None:
        return None
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text


def size(text: str) -> tuple[int, int]:
    """``240x320`` is a height and a width, ``224`` both."""
    sides = text.split("x") if "x" in text else [text, text]
    if len(sides) != 2 or not all(re.fullmatch(r"0*[1-9][0-9]{0,5}", side) for side in sides):
        raise ClassifierError(f"--size {text}: expected one side or two, from 1 to 999999, as 224 or 240x320")
    return int(sides[0]), int(sides[1])


def numbers(text: str) -> Sequence[float]:
    """``72.9`` or ``123.7,116.3,103.5``."""
    return tuple(map(float, text.split(",")))


# argparse puts these into its messages
size.__name__ = "size, as 224 or 240x320"
numbers.__name__ = "list of numbers"
