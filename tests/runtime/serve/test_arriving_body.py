"""`camlite.serve.arriving_body`: the body of a request while it arrives."""

from __future__ import annotations

import random

import pytest

from camlite.serve.arriving_body import ArrivingBody


@pytest.mark.parametrize("most", [1, 1000, 32 << 10, 1 << 20], ids="chunks of up to {} bytes".format)
@pytest.mark.parametrize("size", [0, 1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 200_000])
def test_what_arrived_in_chunks_is_taken_whole_and_once(size, most):
    draw = random.Random(size)
    sent, body, place = draw.randbytes(size), ArrivingBody(), 0
    while place < size:
        chunk = sent[place : place + draw.randint(1, most)]
        body.add(chunk)
        place += len(chunk)
        assert body.size == place

    assert body.take() == sent
    assert (body.size, body.take()) == (0, b"")


def test_what_was_dropped_is_gone_and_another_body_can_begin():
    body = ArrivingBody()
    body.add(b"old")
    body.drop()
    assert body.size == 0

    body.add(b"new")
    assert body.take() == b"new"
