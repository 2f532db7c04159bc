"""``camlite audit --engine ray``."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from camlite.audit import image_figures
from camlite.audit.engine import Task
from camlite.audit.image_figures import Figures, Measuring
from camlite_export import ray_engine


def engine(task: Task, measure: Measuring, batches: list[range]) -> Iterator[Figures]:  # noqa: ARG001
    """Measure each batch on some node, see `camlite.audit.engine.Engine`."""
    return map(image_figures.unpack, ray_engine.spread(functools.partial(_open, task.absolute()), batches))


def _open(task: Task) -> ray_engine.Work:
    measure, _ = task.open()
    return lambda start, stop: image_figures.pack(measure(range(start, stop)))
