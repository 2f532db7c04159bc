"""A comparison in short: a row an artifact, and a line for each check that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from camlite import artifact_paths
from camlite_export.agreement.compared import Compared
from camlite_export.agreement.gates import FEWEST_IMAGES, FIGURES
from camlite_export.agreement.judging import Result
from camlite_export.rightness.pixel_decision import ASKED_FOR

_COLUMNS = {name: figure.short for name, figure in FIGURES.items() if figure.short}
HEADER = ("artifact", *_COLUMNS.values(), "")


def rows(results: Sequence[Result]) -> Iterator[list[str]]:
    """A row per artifact, as text, with the columns of `HEADER`."""
    names = artifact_paths.told_apart(result.artifact.path for result in results)
    for result in results:
        measured = result.measurement
        texts = [FIGURES[name].text(FIGURES[name].value(measured)) if measured else "" for name in _COLUMNS]
        yield [names[result.artifact.path], *texts, result.verdict]


def lines(comparison: Compared) -> Iterator[str]:
    """What the table does not say: failed checks, gates that were widened, and what was compared."""
    yield from comparison.unopened.values()
    yield from (f"left out: {line}" for line in comparison.unread)
    for result in comparison.results:
        for failure in result.failures:
            yield f"{result.artifact.path}: {failure.check}: {failure.message}"
        yield from _wide_gates(result)
    expected = comparison.expected
    believed = f"; {', '.join(expected.assumed)} as the card says" if expected.assumed else ""
    if any(result.verdict == "checked" for result in comparison.results):
        few = f"fewer than {FEWEST_IMAGES} different images do not tell whether it is fit"
        yield f"checked: passed, but {few}; give more --data"
    yield f"{comparison.data} against {expected.path}{believed}"
    yield from of_the_pixels(comparison)


def of_the_pixels(comparison: Compared) -> list[str]:
    """What the images say of the pixels, and what of their folders did not match."""
    if comparison.pixels is None:
        return []
    reason = comparison.pixels.reason
    if "preprocessing" in comparison.expected.assumed:
        pixels = reason.removesuffix(ASKED_FOR)
        why = comparison.card.removeprefix(pixels)
        if why.startswith(ASKED_FOR):
            why = "they were asked for at the export" + why.removeprefix(ASKED_FOR)
        why = why.removeprefix(", ")
        reason = f"{pixels}, as the card says" + (f": {why}" if why else "")
    return [reason, *comparison.pixels.warnings, *comparison.images.notes]


def _wide_gates(result: Result) -> Iterator[str]:
    """Where an artifact only passes because the classifier itself is not steady."""
    wide = [one for one in result.verdicts if one.gate.usual is not None]
    if wide:
        yield f"{result.artifact.path}: rounding alone changes this classifier's answers, so these gates were relaxed:"
    for one in wide:
        figure, usual = one.gate.figure, one.gate.usual
        asked, before = figure.text(one.limit), figure.text(usual)
        yield f"  {figure.name} {asked} instead of {before}: {one.gate.reason}"
