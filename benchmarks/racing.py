"""Contenders turn by turn, in whatever environment: numpy alone. The peers' scripts share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

_SECONDS = 6.0


def against(plain: Callable[[], object], contender: Callable[[], object]) -> list[float]:
    """Median microseconds of a plain forward pass and of a contender, turn by turn with no third between them, which
    would leave the caches cold for one and not for the other."""
    return list(race({"plain": plain, "contender": contender}).values())


def race(contenders: Mapping[str, Callable[[], object]], seconds: float = _SECONDS) -> dict[str, float]:
    """Median time of each contender in microseconds."""
    for contender in contenders.values():
        for _ in range(5):
            contender()
    taken: dict[str, list[int]] = {name: [] for name in contenders}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, contender in contenders.items():
            start = time.perf_counter_ns()
            contender()
            taken[name].append(time.perf_counter_ns() - start)
    return {name: float(np.median(times)) / 1000 for name, times in taken.items()}
