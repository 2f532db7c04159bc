"""Show how faithful maps are: figures beside those of the controls, curves, the best and the worst pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite import artifact_paths
from camlite.faithfulness.findings import Found
from camlite.faithfulness.measures import MEASURES, NAMES
from camlite.faithfulness.measuring import MAPS
from camlite_export.audit import audit_pictures
from camlite_export.faithfulness import faithful_pictures
from camlite_export.reports import page

_KIND = "faithful"
_NEEDED = ("jinja2", "matplotlib", "PIL")
_SHOWN = 6
# A map that is no better than a random one by both of its halves is bad; one by a lesser measure may be saturated.
_VERDICT = "difference"
_TITLES = {"artifact": "the artifact's map", "random": "a random map", "centre": "the middle"}


def check_folder(folder: Path) -> None:
    """Tell before a long run what the report lacks, see `camlite_export.reports.page.check_folder`.

    Raises:
        ModuleNotFoundError: a library is not installed.
    """
    page.check_folder(folder, _KIND, _NEEDED)


def write(folder: Path, data: str, steps: int, found: Sequence[Found], record: Mapping[str, Any]) -> None:
    """Write ``index.html`` and ``faithful.json``; the folder appears whole or not at all, in place of an older report.

    Args:
        folder: of the report.
        data: what was measured on, in words.
        steps: of insertion and deletion.
        found: what was measured, still open.
        record: what ``faithful.json`` holds.

    Raises:
        CamliteError: see `camlite_export.reports.page.write`.
    """
    names = artifact_paths.told_apart(one.path for one in found)
    taken = {summary.measure.name for one in found for summary in one.summaries}
    page.write(
        folder,
        _KIND,
        record,
        data=data,
        steps=steps,
        measures=[measure for measure in MEASURES if measure.name in taken],
        maps=[(name, _TITLES[name]) for name in MAPS],
        sections=[_section(one, names[one.path]) for one in found],
    )


def _section(one: Found, name: str) -> dict[str, Any]:
    names = [_TITLES[name] for name in MAPS]
    curves = one.figures.curves
    return {
        "name": name,
        "map": one.map,
        "backend": one.measured.explainer.backend,
        "pictures": len(one.figures.index),
        "left_out": one.figures.bad,
        "summaries": {summary.measure.name: summary for summary in one.summaries},
        "findings": one.lines(),
        "weak": any(summary.no_better for summary in one.summaries if summary.measure.name == _VERDICT),
        "charts": [
            {
                "title": f"{title}: {way}",
                "uri": faithful_pictures.mean_curves(curves[:, :, which], names, "share of the score"),
            }
            for which, (title, way) in enumerate(
                (("Insertion", "the sooner it rises, the better"), ("Deletion", "the sooner it falls, the better"))
            )
        ],
        "sanity": _sanity(one),
        "sheets": _sheets(one),
    }


def _sanity(one: Found) -> dict[str, Any] | None:
    if one.sanity is None:
        return None
    names = [f"{stage.layers}: {stage.layer}" for stage in one.sanity.stages]
    return {
        "pictures": one.sanity.pictures,
        "uri": faithful_pictures.stages(names, [stage.correlation for stage in one.sanity.stages]),
    }


def _sheets(one: Found) -> list[dict[str, Any]]:
    """The pictures on which insertion - deletion is highest, and lowest."""
    difference = one.figures.values[:, MAPS.index("artifact"), NAMES.index("difference")]
    known = np.flatnonzero(~np.isnan(difference))
    ordered = known[np.argsort(difference[known], kind="stable")]
    best = ordered[::-1][:_SHOWN]
    worst = ordered[: max(0, min(_SHOWN, len(ordered) - len(best)))]
    sheets = (("Best maps: insertion - deletion is highest", best), ("Worst maps: it is lowest", worst))
    return [{"title": title, "cases": _cases(one, rows)} for title, rows in sheets if len(rows)]


def _cases(one: Found, rows: NDArray[np.intp]) -> list[dict[str, Any]]:
    figures, measured = one.figures, one.measured
    artifact, difference = MAPS.index("artifact"), NAMES.index("difference")
    cases = []
    for row in rows.tolist():
        index = int(figures.index[row])
        picture, mask, explanation = measured.look(index)
        cases.append(
            {
                "name": "/".join(Path(measured.data.images.names[index]).parts[-2:]),
                "label": measured.explainer.labels[int(figures.named[row])],
                "score": float(figures.score[row]),
                "difference": float(figures.values[row, artifact, difference]),
                "panels": [
                    ("picture", audit_pictures.plain(picture, mask)),
                    ("heatmap", faithful_pictures.overlaid(picture, explanation, mask)),
                    ("curves", faithful_pictures.curves_of_picture(figures.curves[row, artifact])),
                ],
            }
        )
    return cases
