"""Compare artifacts with the classifier that they were exported from, as `camlite parity` does.

If an artifact cannot be opened, the result says so, and the others are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camlite import artifact as artifacts
from camlite.artifact import Artifact
from camlite.errors import CamliteError, with_findings
from camlite.images import labelled_images
from camlite.images.labelled_images import Images, LabelledImages
from camlite.texts import counted
from camlite_export.agreement import report, summary
from camlite_export.agreement.compared import Compared
from camlite_export.agreement.expected import Expected, Given, OtherClassifierError, open_expected
from camlite_export.agreement.judging import Engine, Progress, Tensors, judge
from camlite_export.agreement.runner import Runner, runners
from camlite_export.reports import notebook
from camlite_export.rightness.pixel_decision import decide
from camlite_export.sources.pixel_views import view_of


@dataclass(frozen=True, repr=False)
class Comparison(Compared):
    """Artifacts and their classifier, compared on the same images. A notebook shows a table."""

    def to_dict(self) -> dict[str, Any]:
        """The record that ``camlite parity --json`` prints."""
        return report.record(self)

    def __repr__(self) -> str:
        failed = [result.artifact.path.name for result in self.results if not result.passed]
        failed += [path.name for path in self.unopened]
        images = f"{counted(len(self.unread), 'image')} that cannot be read" if self.unread else ""
        bad = ", ".join(filter(None, [*failed, images]))
        verdict = f"FAILED: {bad}" if bad else "all passed"
        count = len(self.results) + len(self.unopened)
        return f"<Comparison of {counted(count, 'artifact')} with {self.expected.path} on {self.data}: {verdict}>"

    def _repr_html_(self) -> str:
        return notebook.table(summary.HEADER, list(summary.rows(self.results)), *summary.lines(self))


def compare(
    classifier: Any,
    paths: Sequence[Path],
    data: Images | None = None,
    *,
    given: Given | None = None,
    limits: Mapping[str, float] | None = None,
    backend: str | None = None,
    shown: int = 0,
    engine: Engine | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Comparison:
    """Compare artifacts with the classifier they were exported from.

    Args:
        classifier: path of a file or a model object, see `camlite_export.sources.opening.open_source`.
        paths: the artifacts.
        data: images, see `camlite.images.labelled_images.Images`; by default the first artifact's golden samples.
            Those are few, and hard on purpose: they pass no gates but the caller's.
        given: what the caller says of the classifier.
        limits: gates by the names of their figures, in place of ours.
        backend: by default the installed one that is preferred, for each container.
        shown: how many of the worst images to keep for each artifact.
        engine: who measures, given the input, the number of images and the artifacts' paths; by default this process.
        progress: called with the number of images that are done, and of all.

    Raises:
        CamliteError: the classifier, or none of the artifacts or images can be read, or no interpreter can run.
    """
    read, unopened = _read(paths)
    with runners(read, backend) as every:
        opened = list(_tensors(every, unopened))
        expected, believed = _expected(classifier, given or Given(), opened, unopened)
        images = _golden_samples(believed) if data is None else labelled_images.of(data, expected.labels)
        source = _told(data, len(images), believed.path)
        with with_findings(images.notes):
            judged = judge(
                [one for one in opened if one[0].artifact.path not in unopened],
                expected,
                images,
                limits=limits,
                ours=data is not None,
                shown=shown,
                engine=engine,
                progress=progress,
            )
    # Another classifier's card says nothing of these pixels.
    told = data is not None and any(result.measurement for result in judged.results)
    view = view_of(expected.cut.source) if told else None
    pixels = decide(view, judged.images, expected.labels, expected.target) if view else None
    return Comparison(
        expected, source, judged.images, tuple(judged.results), pixels, believed.card.pixels, unopened, judged.unread
    )


def _read(paths: Sequence[Path]) -> tuple[list[Artifact], dict[Path, str]]:
    """The artifacts that can be read, and why the others cannot.

    Raises:
        CamliteError: none can be read; what is said of the first.
    """
    read, unopened = [], dict[Path, str]()
    for path in paths:
        try:
            read.append(artifacts.read(path))
        except CamliteError as error:  # noqa: PERF203 - reading takes longer
            unopened[path] = str(error)
    if not read and unopened:
        raise CamliteError(next(iter(unopened.values())))
    return read, unopened


def _tensors(every: Iterable[Runner], unopened: dict[Path, str]) -> Iterable[tuple[Runner, Tensors]]:
    """Those that an interpreter takes; why it does not take the others is added to `unopened`."""
    taken = []
    for runner, tensors in [(runner, runner.tensors()) for runner in every]:
        try:
            taken.append((runner, tensors()))
        except CamliteError as error:  # noqa: PERF203 - opening takes longer
            unopened[runner.artifact.path] = str(error)
    if not taken:
        raise CamliteError(next(iter(unopened.values())))
    return taken


def _expected(
    classifier: Any, given: Given, opened: Sequence[tuple[Runner, Tensors]], unopened: dict[Path, str]
) -> tuple[Expected, Artifact]:
    """The classifier, and the first artifact that is of it; those before are added to `unopened`."""
    for runner, _ in opened:
        artifact = runner.artifact
        try:
            return open_expected(classifier, given, artifact), artifact
        except OtherClassifierError as error:
            unopened[artifact.path] = str(error)
    raise CamliteError(next(iter(unopened.values())))


def _told(data: Images | None, count: int, artifact: Path) -> str:
    """What the images are, as text."""
    if data is None:
        return f"the {counted(count, 'golden sample')} of {artifact}"
    return f"{counted(count, 'image')} of {data}" if isinstance(data, str | Path) else counted(count, "image")


def _golden_samples(artifact: Artifact) -> LabelledImages:
    golden = artifact.arrays.golden_images
    names = [f"golden sample {i} of {artifact.path}" for i in range(len(golden))]
    return LabelledImages(names, None, lambda i: golden[i])
