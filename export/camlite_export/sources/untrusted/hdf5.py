"""Look at an HDF5 file before anybody reads its arrays: it must hold all that it shows, and no more than it can."""

from __future__ import annotations

import math
from collections.abc import Iterator

import h5py

from camlite.errors import ClassifierError
from camlite.texts import printable

_MOST_OBJECTS = 200_000  # networks of keras.applications have some thousand, with an optimizer thrice as many
_DEEPEST = 64
_LARGEST_CHUNK = 64 << 20  # HDF5 takes memory for a whole chunk, whatever is asked of it; Keras writes none
_LARGEST_ATTRIBUTE = 32 << 20

# Deflate, shuffle, Fletcher's checksum, LZF. For others HDF5 would look for a library to load.
_FILTERS = frozenset({1, 2, 3, 32000})
_NUMBERS = frozenset("fiubV")  # V: bfloat16, of Keras 3


def check(file: h5py.File, where: str) -> int:
    """How many numbers the arrays of a file say they have.

    Args:
        file: open for reading.
        where: the file, for messages.

    Raises:
        ClassifierError: data in other files or elsewhere in this one, filters that are no part of HDF5, chunks or
            attributes of enormous size, or too many objects.
    """
    _check_attributes(file, where)
    seen = {h5py.h5o.get_info(file.id).addr}
    return sum(_numbers(one, where) for one in _objects(file, where, seen, 0))


def _objects(group: h5py.Group, where: str, seen: set[int], depth: int) -> Iterator[h5py.Dataset]:
    for name in group:
        path = printable(f"{group.name}/{name}"[:200])
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ClassifierError(f"{where}: {path} is a link to elsewhere; expected a file that holds all its weights")
        one = group[name]
        address = h5py.h5o.get_info(one.id).addr
        if address in seen:
            continue
        seen.add(address)
        if len(seen) > _MOST_OBJECTS or depth > _DEEPEST:
            raise ClassifierError(
                f"{where}: more than {_MOST_OBJECTS} groups and arrays, or {_DEEPEST} deep; save it again"
            )
        _check_attributes(one, where)
        if isinstance(one, h5py.Group):
            yield from _objects(one, where, seen, depth + 1)
        elif isinstance(one, h5py.Dataset):
            yield one
        else:
            raise ClassifierError(f"{where}: {path} is neither a group nor an array; save it again")


def _numbers(array: h5py.Dataset, where: str) -> int:
    path = printable(str(array.name)[:200])
    if array.external or array.is_virtual:
        raise ClassifierError(f"{where}: the data of {path} are elsewhere; expected a file that holds all its weights")
    if array.dtype.kind not in _NUMBERS or array.dtype.itemsize > 16:
        raise ClassifierError(
            f"{where}: {path} is of {printable(str(array.dtype)[:80])}, expected numbers; save it again"
        )
    plan = array.id.get_create_plist()
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    if not _FILTERS.issuperset(filters):
        raise ClassifierError(
            f"{where}: {path} is compressed by filter {max(filters)}, which is no part of HDF5; save it again"
        )
    if array.chunks and math.prod(array.chunks) * array.dtype.itemsize > _LARGEST_CHUNK:
        raise ClassifierError(f"{where}: {path} is in chunks of more than {_LARGEST_CHUNK >> 20} MB; save it again")
    return math.prod(array.shape or (0,))


def _check_attributes(one: h5py.HLObject, where: str) -> None:
    for index in range(h5py.h5a.get_num_attrs(one.id)):
        attribute = h5py.h5a.open(one.id, index=index)
        size = attribute.get_space().get_simple_extent_npoints() * attribute.get_type().get_size()
        if size > _LARGEST_ATTRIBUTE:
            raise ClassifierError(
                f"{where}: an attribute of {size} bytes, {_LARGEST_ATTRIBUTE} at the most; save it again"
            )
