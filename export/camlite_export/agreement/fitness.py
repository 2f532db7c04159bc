"""Judge artifacts before they are written: what is found against one stands on its card ever after.

They are judged as `camlite parity` judges them, by the same gates, so that the two never differ on the same pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from camlite import artifact, backends
from camlite.artifact import Artifact, Container, Sign
from camlite.errors import CamliteError
from camlite.images.labelled_images import LabelledImages
from camlite.system.files import scratch
from camlite.texts import one_line
from camlite_export.agreement.expected import Expected
from camlite_export.agreement.interpreter_process import InterpreterProcess
from camlite_export.agreement.judging import Progress, Result, Tensors, judge
from camlite_export.agreement.measurement import Measurement
from camlite_export.agreement.runner import Runner
from camlite_export.agreement.structure import Failure

# What one look takes in; `camlite parity` has the rest.
_MOST_REASONS = 3


@dataclass(frozen=True)
class Judgement:
    """What is known of an artifact where it is made.

    Attributes:
        content: its bytes, with what was found against it on its card.
        backend: what ran it; None where no interpreter for it is installed here, and so nothing is known.
        measurement: None where its interpreter gave nothing to measure.
        failures: the checks and gates that it does not pass.
    """

    content: bytes
    backend: str | None
    measurement: Measurement | None = None
    failures: tuple[Failure, ...] = ()


def judge_all(
    files: Mapping[str, bytes],
    expected: Expected,
    images: LabelledImages,
    process_of: Callable[[Container], InterpreterProcess],
    *,
    ours: bool,
    sign: Sign | None = None,
    progress: Progress = lambda _done, _all: None,
) -> dict[str, Judgement]:
    """Judge artifacts by the original, each in a process that has only seen its own interpreter.

    Args:
        files: name -> artifact.
        expected: the original.
        images: what they are judged on.
        process_of: of `interpreter_process.interpreter_processes`.
        ours: whether the images are the user's, and so our gates are asked; golden samples are too few.
        sign: signs those that are changed, see `camlite.artifact.pack`.
        progress: called with the number of images that are done, and of all.
    """
    judged: dict[str, Judgement] = {}
    with scratch() as folder:
        begun: dict[str, tuple[Runner, Callable[[], Tensors]]] = {}
        for name, content in files.items():
            (folder / name).write_bytes(content)
            read = artifact.read(folder / name)
            backend = next(iter(backends.installed(read.container)), None)
            judged[name] = Judgement(content, backend)
            if backend is not None:
                runner = Runner(read, backend, process_of(read.container))
                begun[name] = runner, runner.tensors()
        opened: dict[str, tuple[Runner, Tensors]] = {}
        for name, (runner, tensors) in begun.items():
            try:
                opened[name] = runner, tensors()
            except CamliteError as error:  # noqa: PERF203 - opening takes longer
                why = str(error).removeprefix(f"{runner.artifact.path}: ")
                failure = Failure("interpreter", why, why)
                judged[name] = _marked(runner.artifact, runner.backend, None, (failure,), sign)
        found = judge(list(opened.values()), expected, images, ours=ours, progress=progress) if opened else None
        for name, result in zip(opened, found.results if found else [], strict=True):
            judged[name] = _judgement(files[name], result, sign)
    return judged


def _judgement(content: bytes, result: Result, sign: Sign | None) -> Judgement:
    if result.passed:
        return Judgement(content, result.backend, result.measurement)
    return _marked(result.artifact, result.backend, result.measurement, result.failures, sign)


def _marked(
    read: Artifact,
    backend: str,
    measurement: Measurement | None,
    failures: tuple[Failure, ...],
    sign: Sign | None,
) -> Judgement:
    card = read.card._replace(unfit=reason(failures))
    content = artifact.pack(read.container, read.model, card, read.arrays, sign)
    return Judgement(content, backend, measurement, failures)


def reason(failures: Sequence[Failure]) -> str:
    """Failures in one line for a card; without what they say of single images, which are the user's own."""
    said = [one_line(failure.short or failure.check) for failure in failures]
    more = f"; and {len(said) - _MOST_REASONS} more" if len(said) > _MOST_REASONS else ""
    return "; ".join(said[:_MOST_REASONS]) + more
