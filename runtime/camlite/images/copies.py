"""Copies of pictures: ten of one say no more than that one."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from camlite.images.masked_images import Mask
from camlite.images.preprocessing import Pixels

Checksums = NDArray[np.int64]
"""One a picture, (N,); empty where nobody has looked."""


def checksum(picture: Pixels, mask: Mask | None) -> int:
    """The same for the same pixels and the same mask, another for others: 64 bits, signed."""
    digest = hashlib.blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=8)
    digest.update(repr((picture.shape, None if mask is None else mask.shape)).encode())
    if mask is not None:
        digest.update(np.packbits(mask).tobytes())
    return int.from_bytes(digest.digest(), "little", signed=True)


def first_of_each(checksums: Checksums, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of some of N pictures those that are no copies of one before: bool (N,).

    Args:
        checksums: of all N pictures; where it is empty, none is a copy.
        among: which are looked at, bool (N,).
    """
    if not len(checksums):
        return among
    chosen = np.flatnonzero(among)
    firsts = chosen[np.unique(checksums[chosen], return_index=True)[1]]
    found = np.zeros(len(among), np.bool_)
    found[firsts] = True
    return found


def different(checksums: Checksums, among: NDArray[np.bool_]) -> int:
    """How many of some of N pictures are no copies of others."""
    return int(first_of_each(checksums, among).sum())
