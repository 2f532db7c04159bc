"""Parity as tests of your own: in a file that pytest collects,

    from camlite_export.suite import parity_suite

    test_parity = parity_suite("flowers.keras", "flowers/*", data="photos")

gives one test for each artifact and check. pytest is imported only when this is called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import camlite_export
from camlite import artifact as artifact_files
from camlite.artifact import Artifact
from camlite.artifact.container import SUFFIXES
from camlite.errors import CamliteError
from camlite_export.agreement import gates
from camlite_export.agreement.compare import Comparison
from camlite_export.agreement.expected import Given
from camlite_export.agreement.judging import Result

__all__ = ["CHECKS", "Given", "parity_suite"]

# The checks in front of the gates, in the order in which they are made.
CHECKS = ("fitness", "names", "dtypes", "shapes", "card", "interpreter", "finiteness", "golden samples", "labels")

_ARTIFACTS = tuple(SUFFIXES.values())


def parity_suite(
    model: str | Path,
    artifacts: str | Path | Sequence[str | Path],
    data: str | Path | None = None,
    *,
    given: Given | None = None,
    limits: Mapping[str, float] | None = None,
    backend: str | None = None,
) -> Callable[..., None]:
    """A test function for pytest: one test for each artifact and check, named ``int8.tflite-correlation_p5``.

    The comparison runs once, with the first test.

    Args:
        model: the classifier, ``.keras`` or ``.h5``.
        artifacts: files, or patterns in their last part (``flowers/*``); of the files that match, the artifacts are
            taken.
        data: a folder of images or an ``.npz``; by default the first artifact's golden samples.
        given: what the cards must say, see `camlite_export.agreement.expected.Given`.
        limits: gates by the names of their figures; they replace camlite's own.
        backend: the interpreter; by default the first installed one, for each container.

    Raises:
        CamliteError: no file is found, or a file is not an artifact.
    """
    import pytest

    paths = _find([artifacts] if isinstance(artifacts, str | Path) else artifacts)
    found = {path: (*CHECKS, *_gates(artifact_files.read(path), limits or {})) for path in paths}
    source = None if data is None else Path(data)

    @functools.cache
    def comparison() -> Comparison:
        said = given or Given()
        return camlite_export.parity(
            model,
            paths,
            source,
            labels=said.labels,
            gates=limits,
            backend=backend,
            layer=said.layer,
            preprocess=said.preprocess,
            mean=said.mean,
            std=said.std,
            order=said.order,
            fit=said.fit,
            trust=said.trusted,
            structure=said.structure,
        )

    @pytest.mark.parametrize(
        ("artifact", "check"),
        [pytest.param(path, check, id=f"{path.name}-{check}") for path, checks in found.items() for check in checks],
    )
    def test_parity(artifact: Path, check: str) -> None:
        unopened = comparison().unopened
        if artifact in unopened:
            pytest.fail(unopened[artifact], pytrace=False)
        (result,) = (result for result in comparison().results if result.artifact.path == artifact)
        _settle(result, check, pytest)

    return test_parity


def _gates(artifact: Artifact, limits: Mapping[str, float]) -> list[str]:
    """The figures of the gates that an artifact is judged by."""
    names = gates.of(artifact.card.precision, limits)
    return [name for name in names if artifact.arrays.guide is not None or name not in gates.OF_FINE_MAPS]


def _find(patterns: Sequence[str | Path]) -> list[Path]:
    paths: dict[Path, None] = {}
    for pattern in map(Path, patterns):
        matches = sorted(path for path in pattern.parent.glob(pattern.name) if path.suffix in _ARTIFACTS)
        if not matches:
            raise CamliteError(f"{pattern}: no artifact there; expected {' or '.join(_ARTIFACTS)} files")
        paths.update(dict.fromkeys(matches))
    return list(paths)


def _settle(result: Result, check: str, pytest: Any) -> None:
    """Pass, fail with the line of the check, or skip what these images cannot tell."""
    lines = [failure.message for failure in result.failures if failure.check == check]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)
    if result.measurement is None and check not in CHECKS[:6]:
        pytest.fail("nothing to compare: names or shapes are wrong", pytrace=False)
    judged = {verdict.gate.figure.name for verdict in result.verdicts}
    if check not in CHECKS and check not in judged:
        pytest.skip("not known for these images")
