"""Attention is found by who takes whose output, and nothing else is taken for it."""

from __future__ import annotations

import pytest

from camlite_export.sources import attention
from camlite_export.sources.operations import Operation


def graph(*lines: str) -> list[Operation]:
    """``outputs = Kind inputs``, each named by its first output."""
    found = []
    for line in lines:
        outputs, kind, *inputs = line.replace("=", "").split()
        found.append(Operation(outputs, kind, inputs, [outputs]))
    return found


TOKENS = ("q = MatMul image wq", "k = MatMul image wk", "v = MatMul image wv", "s = MatMul q k")


@pytest.mark.parametrize(
    "nodes",
    [
        ("p = Softmax s", "o = MatMul p v"),
        ("m = Add s mask", "p = Softmax m", "n = IsNaN p", "w = Where n zero p", "o = MatMul w v"),
        ("p = SOFTMAX s", "r = RESHAPE p shape", "o = BATCH_MATMUL v r"),
        ("p = Softmax s", "o = Einsum p v"),
    ],
    ids=["plain", "masked, as torch writes it", "TFLite's", "as a sum of products"],
)
def test_shares_of_the_image_times_something_of_the_image(nodes: tuple[str, ...]) -> None:
    assert attention.find(graph(*TOKENS, *nodes), "image") == "o"


@pytest.mark.parametrize(
    "nodes",
    [
        ("p = Softmax image", "o = MatMul p weights"),
        ("f = Conv image kernel", "t = Transpose f", "o = MatMul f t"),
        ("f = Conv image kernel", "p = Softmax f", "o = Mul p f"),
        ("p = Softmax image", "f = Conv p kernel", "t = Transpose f", "o = MatMul f t"),
        ("h = Shape image", "p = Softmax h", "o = MatMul image p"),
    ],
    ids=["a dense layer of probabilities", "bilinear pooling", "a gate", "learned between", "of the image's shape"],
)
def test_others_are_none(nodes: tuple[str, ...]) -> None:
    assert attention.find(graph(*nodes), "image") is None
