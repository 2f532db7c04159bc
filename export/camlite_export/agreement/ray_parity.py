"""``camlite parity --engine ray``."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from camlite import artifact as artifacts
from camlite.artifact.card import Preprocessing
from camlite.images.labelled_images import load
from camlite_export import ray_engine, workarounds
from camlite_export.agreement.expected import Given
from camlite_export.agreement.judging import Measured
from camlite_export.agreement.runner import spread_batches


@dataclass(frozen=True)
class Engine:
    """Measures each batch on some node, see `camlite_export.agreement.judging.Engine`.

    Attributes:
        model: the classifier's file; data: the images; given, backend: see `camlite_export.agreement.compare.compare`.
        believed: the artifact whose card says what is not given.
    """

    model: Path
    data: Path
    given: Given
    backend: str | None
    believed: Path

    def __call__(self, target: Preprocessing, count: int, paths: Sequence[Path]) -> Iterator[Measured]:
        """What each batch gives, as they are finished."""
        labels, structure = self.given.labels, self.given.structure
        if isinstance(labels, str | Path):
            labels = Path(labels).absolute()
        if structure is not None:
            structure = Path(structure).absolute()
        files = {name: getattr(self, name).absolute() for name in ("model", "data", "believed")}
        there = replace(self, **files, given=replace(self.given, labels=labels, structure=structure))
        opened = functools.partial(_open, there, [path.absolute() for path in paths])
        for content in ray_engine.spread(opened, spread_batches(count, target)):
            measured: Measured = pickle.loads(content)  # noqa: S301 - of our own workers
            yield measured


def _open(engine: Engine, paths: Sequence[Path]) -> ray_engine.Work:
    """The classifier in this process, and every artifact in one of its backend; they stay as long as the worker."""
    workarounds.quieten_tensorflow()
    from camlite_export.agreement.expected import open_expected
    from camlite_export.agreement.judging import measure_batch
    from camlite_export.agreement.runner import read_batch, runners

    read = [artifacts.read(path) for path in paths]
    expected = open_expected(engine.model, engine.given, artifacts.read(engine.believed))
    images = load(engine.data, expected.labels)
    stack = ExitStack()
    able = stack.enter_context(runners(read, engine.backend))

    def work(start: int, stop: int) -> bytes:
        assert stack  # held here: its processes end with the worker  # noqa: S101
        return pickle.dumps(measure_batch(able, expected, images, read_batch(images, range(start, stop))))

    return work
