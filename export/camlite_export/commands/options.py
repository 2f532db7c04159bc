"""Options that several of the exporter's commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import get_args

from camlite.card import Fit
from camlite_export import preprocessing, quirks


def add_cut(parser: argparse.ArgumentParser) -> None:
    """``--layer``."""
    parser.add_argument(
        "--layer", help="cut behind this layer: an index (-3 is the last but two) or a name (default: found by itself)"
    )


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """``--preprocess``, ``--mean``, ``--std``, ``--fit``."""
    parser.add_argument(
        "--preprocess",
        choices=list(preprocessing.NAMED),
        default="unit",
        help="what the classifier was trained on: pixels 0..1 (default), -1..1, ImageNet mean and deviation, 0..255",
    )
    parser.add_argument("--mean", type=numbers, metavar="M[,M,M]", help="instead: mean of the pixels, on 0..255")
    parser.add_argument("--std", type=numbers, metavar="S[,S,S]", help="and their standard deviation")
    parser.add_argument(
        "--fit",
        choices=get_args(Fit),
        default="stretch",
        help="how other image sizes are made to fit (default: stretch)",
    )


def layer(text: str | None) -> int | str | None:
    """``-3`` is an index, ``conv_128`` a name."""
    if text is None:
        return None
    return int(text) if text.lstrip("-").isdigit() else text


def numbers(text: str) -> Sequence[float]:
    """``72.9`` or ``123.7,116.3,103.5``."""
    return tuple(map(float, text.split(",")))


numbers.__name__ = "list of numbers"  # argparse puts it into its message


def quieten_tensorflow() -> None:
    """Import TensorFlow, its notices about this machine kept off the terminal; for a command's own process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with quirks.silent_native_code():
        import tensorflow  # noqa: F401
