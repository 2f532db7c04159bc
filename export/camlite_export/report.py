"""Show a comparison: as a page for people, and as a record for scripts."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import camlite
from camlite import backends
from camlite.errors import CamliteError
from camlite_export import report_pictures
from camlite_export.compare import Case, Comparison, Result
from camlite_export.gates import FIGURES
from camlite_export.parity import Floats, Measurement

_PAGE, _RECORD = "index.html", "parity.json"

# The table of the page: column -> what stands in it -> figure. --json has every figure.
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "score difference": {"mean": "score_difference_mean", "max": "score_difference_max"},
    "top-1 agreement": {"": "top1_agreement"},
    "accuracy": {"": "accuracy", "lost": "accuracy_loss"},
    "evidence error": {"mean": "evidence_error_mean", "max": "evidence_error_max"},
    "evidence correlation": {"p5": "correlation_p5", "worst": "correlation_min"},
    "overlap": {"": "overlap_mean"},
    "peak": {"same": "same_peak", "max": "peak_shift_max"},
    "completeness residual": {"mean": "completeness_mean", "max": "completeness_max"},
}


def record(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON has it; a number that is not known or not finite is null."""
    expected = comparison.expected
    return {
        "classifier": str(expected.path),
        "data": comparison.data,
        "images": len(comparison.images),
        "from_the_card": list(expected.assumed),
        "passed": comparison.passed,
        "artifacts": [_result_record(result) for result in comparison.results],
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
    """Tell before a long run that a report cannot be written there.

    Raises:
        CamliteError: something else than a report of ours is in its place, or its parent cannot be written to.
    """
    if folder.exists() and not (folder.is_dir() and {entry.name for entry in folder.iterdir()} <= {_PAGE, _RECORD}):
        raise CamliteError(f"{folder}: holds something else than a report of parity; choose another --report")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CamliteError(f"{folder}: cannot make this folder ({error.strerror}); choose another --report") from None


def write(comparison: Comparison, folder: Path) -> None:
    """Write ``index.html`` and ``parity.json``; the folder appears whole or not at all, in place of an older report.

    Raises:
        CamliteError: see `check_folder`, or the disk is full.
    """
    check_folder(folder)
    files = {_PAGE: _page(comparison), _RECORD: json.dumps(record(comparison), indent=1) + "\n"}
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir()
        for name, content in files.items():
            (part / name).write_text(content, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    except OSError as error:
        raise CamliteError(f"{folder}: cannot write there ({error.strerror}); choose another --report") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _page(comparison: Comparison) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("camlite_export"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    failed = [result for result in comparison.results if not result.passed]
    return environment.get_template("parity.html").render(
        version=camlite.__version__,
        comparison=comparison,
        failed=failed,
        columns=list(_COLUMNS),
        rows=[_row(result) for result in comparison.results],
        distributions=_distributions([result for result in comparison.results if result.measurement]),
        sections=[_section(result, comparison) for result in comparison.results],
        gates=_gates(comparison.results),
    )


def _row(result: Result) -> dict[str, Any]:
    """A row of the table: in each cell its figures, each with its gate where it has one."""
    verdicts = {verdict.gate.figure.name: verdict for verdict in result.verdicts}
    cells = []
    for title, names in _COLUMNS.items():
        lines = []
        for what, name in names.items():
            text = FIGURES[name].text(FIGURES[name].value(result.measurement)) if result.measurement else ""
            if text:
                lines.append({"what": what, "text": text, "verdict": verdicts.get(name)})
        cells.append({"title": title, "lines": lines})
    return {"result": result, "name": _short(result), "cells": cells}


def _gates(results: Sequence[Result]) -> dict[str, list[dict[str, str]]]:
    """The gates of each precision that was measured, as text."""
    gates: dict[str, list[dict[str, str]]] = {}
    for result in results:
        gates[result.artifact.card.precision] = [
            {
                "title": verdict.gate.figure.title,
                "limit": verdict.gate.figure.limit_text(verdict.limit, ("≥", "≤")),
                "reason": verdict.gate.reason,
            }
            for verdict in result.verdicts
        ]
    return gates


def _distributions(results: Sequence[Result]) -> list[dict[str, str]]:
    names = [_short(result) for result in results]

    def chart(title: str, alt: str, gate: str, floor: float, series: list[Floats]) -> dict[str, str]:
        verdicts = [{verdict.gate.figure.name: verdict.limit for verdict in result.verdicts} for result in results]
        limits = [limit.get(gate) for limit in verdicts]
        return {"title": title, "alt": alt, "uri": report_pictures.distribution(names, series, limits, floor)}

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
            "1 - evidence correlation",
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


def _short(result: Result) -> str:
    """``int8.tflite``: the part of a file's name that tells artifacts of one classifier apart."""
    return result.artifact.path.name.removeprefix(f"{result.artifact.card.name}.")


def _section(result: Result, comparison: Comparison) -> dict[str, Any]:
    return {"result": result, "cases": [_case(case, result, comparison) for case in result.worst]}


def _case(case: Case, result: Result, comparison: Comparison) -> dict[str, Any]:
    expected, measured = comparison.expected, result.measurement
    classes = comparison.images.classes
    top, other = int(case.expected.argmax()), int(case.received.argmax())
    largest = float(np.abs(case.expected_evidence).max())
    difference = float(np.abs(case.received_evidence - case.expected_evidence).max())
    return {
        "name": comparison.images.names[case.index],
        "panels": report_pictures.panels(case, expected.target),
        "expected": f"{expected.labels[top]} {case.expected[top]:.3f}",
        "received": f"{expected.labels[other]} {case.received[other]:.3f}",
        "same": top == other,
        "truth": None if classes is None else expected.labels[int(classes[case.index])],
        "correlation": "" if measured is None else f"1 - {1 - measured.correlation[case.index]:.1e}",
        "difference": f"{difference / largest:.2%}" if largest else "",
    }
