"""Permissions that hold for root, too, who may otherwise read and write everything (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

_CAPABILITIES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_CAPBSET_DROP = 24  # PR_CAPBSET_DROP
_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3


def for_the_next_program() -> None:
    """For `subprocess`'s ``preexec_fn``: the program that starts has to obey."""
    if os.getuid() == 0:
        for capability in _CAPABILITIES:
            ctypes.CDLL(None).prctl(_CAPBSET_DROP, capability, 0, 0, 0)


@contextlib.contextmanager
def obeyed() -> Iterator[None]:
    """This thread has to obey."""
    if os.getuid() != 0:
        yield
        return
    libc, header = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    assert libc.capget(header, sets) == 0
    before = sets[0]
    try:
        sets[0] = before & ~sum(1 << capability for capability in _CAPABILITIES)
        assert libc.capset(header, sets) == 0
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0
