"""Spread an audit over batches of images. Any engine computes the same figures: a batch knows no other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import camlite
from camlite import artifact as artifacts
from camlite.audit import image_figures
from camlite.audit.image_figures import Figures, Measuring
from camlite.errors import CamliteError
from camlite.images.masked_images import MaskedImages
from camlite.images.masked_source import Source
from camlite.system import files

_BATCH = 32
_MOST_BATCH_BYTES, _MOST_NOTE_BYTES = 1 << 30, 1 << 20
_DIGEST_BYTES = 32  # SHA-256, behind each batch that is kept
# Maps are kept of so many images at the most, evenly spread; memory does not grow with more.
_MOST_MAPS = 2000

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Task:
    """What is audited, so that any process can open it.

    Attributes:
        artifact: its file; backend, threads, trusted: see `camlite.load`.
        source: of images and masks.
    """

    artifact: Path
    source: Source
    backend: str | None = None
    threads: int = 1
    trusted: tuple[Path, ...] | None = None

    def absolute(self) -> Task:
        """The same with paths that do not depend on where a process runs."""
        pictures = self.source.pictures and self.source.pictures.absolute()
        source = Source(self.source.path.absolute(), pictures)
        return replace(self, artifact=self.artifact.absolute(), source=source)

    def open(self) -> tuple[Measuring, MaskedImages]:
        """Load the artifact and open the data."""
        explainer = camlite.load(self.artifact, self.backend, self.threads, self.trusted)
        data = self.source.open(explainer.labels)
        return Measuring(explainer, data, -(-len(data) // _MOST_MAPS)), data


class Engine(Protocol):
    """Computes batches, in any order."""

    def __call__(self, task: Task, measure: Measuring, batches: list[range]) -> Iterator[Figures]:
        """Figures of each batch; `measure` is the task, opened in this process."""
        ...


def local(task: Task, measure: Measuring, batches: list[range]) -> Iterator[Figures]:  # noqa: ARG001
    """One batch after another in this process."""
    return map(measure, batches)


def run(
    task: Task,
    measure: Measuring,
    count: int,
    engine: Engine = local,
    resume: Path | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Figures:
    """Measure all images.

    Args:
        task, measure: what, and the same opened here.
        count: of images.
        engine: who computes.
        resume: a folder that keeps each batch as it is finished, so that a run that was stopped goes on there.
        progress: called with the number of images that are done, and of all.

    Raises:
        CamliteError: an image cannot be read, or the folder is of another run.
    """
    batches = [range(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH)]
    kept = _Kept(resume, _signature(task, count)) if resume else None
    parts = dict(kept.read(batches)) if kept else {}
    done = sum(map(len, parts.values()))
    progress(done, count)
    for part in engine(task, measure, [batch for batch in batches if batch.start not in parts]):
        start = int(part.index[0])
        if kept:
            kept.write(start, part)
        parts[start] = part
        done += len(part)
        progress(done, count)
    return image_figures.join(parts.values())


def _signature(task: Task, count: int) -> dict[str, Any]:
    """What must not change between a run and its resumption."""
    read = artifacts.read(task.artifact)
    return {
        "model_sha256": read.card.model_sha256,
        "data": str(task.source.path.resolve()),
        "images": count,
        "camlite": camlite.__version__,
        "figures": [field.name for field in fields(Figures)],
    }


class _Kept:
    """Finished batches in a folder, each written whole or not at all."""

    def __init__(self, folder: Path, signature: Mapping[str, Any]) -> None:
        self._folder = folder
        text = json.dumps(signature, indent=1)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files.remove_leftovers_in(folder)
            note = folder / "audit.json"
            if not note.exists() and any(path.suffix != files.PART for path in folder.iterdir()):
                raise CamliteError(f"{folder}: holds something else than an audit; choose another --resume")
            if note.exists() and files.read(note, _MOST_NOTE_BYTES) != text.encode():
                raise CamliteError(
                    f"{folder}: keeps an audit of other images or another artifact; choose another --resume"
                )
        except OSError as error:
            raise self._trouble(error) from None
        self._write(note, text.encode())

    def read(self, batches: list[range]) -> Iterator[tuple[int, Figures]]:
        """The batches that are there; one that is damaged is not."""
        for batch in batches:
            try:
                content = files.read(self._path(batch.start), _MOST_BATCH_BYTES)
            except OSError:
                continue
            packed, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
            if hashlib.sha256(packed).digest() == digest:
                yield batch.start, image_figures.unpack(packed)

    def write(self, start: int, figures: Figures) -> None:
        """Keep a batch."""
        packed = image_figures.pack(figures)
        self._write(self._path(start), packed + hashlib.sha256(packed).digest())

    def _path(self, start: int) -> Path:
        return self._folder / f"{start:09d}.npz"

    def _write(self, path: Path, content: bytes) -> None:
        try:
            files.write(path, content)
        except OSError as error:
            raise self._trouble(error) from None

    def _trouble(self, error: OSError) -> CamliteError:
        return CamliteError(f"{self._folder}: cannot keep batches there ({error.strerror}); choose another --resume")
