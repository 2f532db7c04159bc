"""Show a comparison: as a page for people, and as a record for scripts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camlite import artifact_paths, backends
from camlite.images.labelled_images import UNKNOWN
from camlite_export.agreement import report_pictures, summary
from camlite_export.agreement.compared import Compared
from camlite_export.agreement.gates import FEWEST_IMAGES, FIGURES
from camlite_export.agreement.judging import Case, Result
from camlite_export.agreement.measurement import Floats, Measurement
from camlite_export.reports import page

_KIND = "parity"


# The table of the page: column -> what stands in it -> figure. --json has every figure.
def _columns() -> dict[str, dict[str, str]]:
    """Columns of the table, and in each the figures: what each is there -> its name."""
    columns: dict[str, dict[str, str]] = {}
    for figure in FIGURES.values():
        if figure.cell:
            columns.setdefault(figure.cell[0], {})[figure.cell[1]] = figure.name
    return columns


_COLUMNS = _columns()


def record(comparison: Compared) -> dict[str, Any]:
    """The comparison as JSON has it; a number that is not known or not finite is null."""
    expected = comparison.expected
    return {
        "classifier": str(expected.path),
        "data": comparison.data,
        "images": len(comparison.images),
        "from_the_card": list(expected.assumed),
        "pixels": summary.of_the_pixels(comparison),
        "passed": comparison.passed,
        "unread": list(comparison.unread),
        "artifacts": [_result_record(result) for result in comparison.results],
        "unopened": {str(path): why for path, why in comparison.unopened.items()},
    }


def _result_record(result: Result) -> dict[str, Any]:
    measured = result.measurement
    values = {name: figure.value(measured) if measured else None for name, figure in FIGURES.items()}
    return {
        "artifact": str(result.artifact.path),
        "precision": result.artifact.card.precision,
        "backend": result.backend,
        "backend_version": backends.version(result.backend),
        "passed": result.passed,
        "verdict": result.verdict,
        "figures": {name: _number(value) for name, value in values.items()},
        "gates": {
            verdict.gate.figure.name: {
                "limit": verdict.limit,
                "passed": verdict.passed,
                "reason": verdict.gate.reason,
            }
            for verdict in result.verdicts
        },
        "failures": [{"check": failure.check, "message": failure.message} for failure in result.failures],
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def check_folder(folder: Path) -> None:
    """Tell before a long run that a report cannot be written there, see `camlite_export.reports.page.check_folder`."""
    page.check_folder(folder, _KIND)


def write(comparison: Compared, folder: Path) -> None:
    """Write ``index.html`` and ``parity.json``; the folder appears whole or not at all, in place of an older report.

    Raises:
        CamliteError: see `camlite_export.reports.page.write`.
    """
    names = artifact_paths.told_apart(result.artifact.path for result in comparison.results)
    page.write(
        folder,
        _KIND,
        record(comparison),
        names=names,
        comparison=comparison,
        pixels=summary.of_the_pixels(comparison),
        failed=[result for result in comparison.results if not result.passed],
        columns=list(_COLUMNS),
        rows=[_row(result, names) for result in comparison.results],
        distributions=_distributions([result for result in comparison.results if result.measurement], names),
        sections=[_section(result, comparison) for result in comparison.results],
        gates=_gates(comparison.results),
        few=any(result.verdict == "checked" for result in comparison.results),
        fewest=FEWEST_IMAGES,
    )


def _row(result: Result, names: Mapping[Path, str]) -> dict[str, Any]:
    """A row of the table: in each cell its figures, each with its gate where it has one."""
    verdicts = {verdict.gate.figure.name: verdict for verdict in result.verdicts}
    cells = []
    for title, figures in _COLUMNS.items():
        lines = []
        for what, name in figures.items():
            text = FIGURES[name].text(FIGURES[name].value(result.measurement)) if result.measurement else ""
            if text:
                lines.append({"what": what, "text": text, "verdict": verdicts.get(name)})
        cells.append({"title": title, "lines": lines})
    return {"result": result, "name": _short(result, names), "cells": cells}


def _gates(results: Sequence[Result]) -> dict[str, list[dict[str, str]]]:
    """The gates of each precision that was measured, as text; precisions with the same gates share them."""
    gates = {
        result.artifact.card.precision: [
            {
                "title": verdict.gate.figure.title,
                "limit": verdict.gate.figure.limit_text(verdict.limit, ("≥", "≤")),
                "reason": verdict.gate.reason,
            }
            for verdict in result.verdicts
        ]
        for result in results
        if result.verdicts
    }
    same = {name: [other for other in gates if gates[other] == limits] for name, limits in gates.items()}
    return {", ".join(names): gates[name] for name, names in same.items() if name == names[0]}


def _distributions(results: Sequence[Result], names: Mapping[Path, str]) -> list[dict[str, str]]:
    short = [_short(result, names) for result in results]

    def chart(title: str, alt: str, gate: str, floor: float, series: list[Floats]) -> dict[str, str]:
        verdicts = [{verdict.gate.figure.name: verdict.limit for verdict in result.verdicts} for result in results]
        limits = [limit.get(gate) for limit in verdicts]
        return {"title": title, "alt": alt, "uri": report_pictures.distribution(short, series, limits, floor)}

    measured: list[Measurement] = [result.measurement for result in results if result.measurement]
    charts = [
        chart(
            "Score difference",
            "the largest difference of a score, image by image",
            "score_difference_max",
            1e-8,
            [one.score_difference for one in measured],
        ),
        chart(
            "1 \N{MINUS SIGN} evidence correlation",
            "how far the correlation of the evidence maps is from 1, image by image",
            "",
            1e-9,
            [1 - one.correlation for one in measured],
        ),
        chart(
            "Completeness residual",
            "how far evidence and bias are from adding up to the scores, image by image",
            "completeness_max",
            1e-8,
            [one.completeness for one in measured],
        ),
    ]
    return charts if measured else []


def _short(result: Result, names: Mapping[Path, str]) -> str:
    """``int8.tflite``: the part of a file's name that tells artifacts of one classifier apart."""
    return names[result.artifact.path].removeprefix(f"{result.artifact.card.name}.")


def _section(result: Result, comparison: Compared) -> dict[str, Any]:
    return {"result": result, "cases": [_case(case, result, comparison) for case in result.worst]}


def _case(case: Case, result: Result, comparison: Compared) -> dict[str, Any]:
    expected, measured = comparison.expected, result.measurement
    classes = comparison.images.classes
    truth = UNKNOWN if classes is None else int(classes[case.index])
    top, other = int(case.expected.argmax()), int(case.received.argmax())
    largest = float(np.abs(case.expected_evidence).max())
    difference = float(np.abs(case.received_evidence - case.expected_evidence).max())
    return {
        "name": comparison.images.names[case.index],
        "panels": report_pictures.panels(case, expected.target, result.artifact.card.head.window),
        "expected": f"{expected.labels[top]} {case.expected[top]:.3f}",
        "received": f"{expected.labels[other]} {case.received[other]:.3f}",
        "same": top == other,
        "truth": None if truth == UNKNOWN else expected.labels[truth],
        "correlation": "" if measured is None else f"1 \N{MINUS SIGN} {1 - measured.correlation[case.index]:.1e}",
        "difference": f"{100 * difference / largest:.2g}%" if largest else "",
    }
