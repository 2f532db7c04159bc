"""Show an audit: the verdicts, the worst offenders large, and what the evidence of each class looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.audit.counterfactual import KINDS
from camlite.audit.engine import Task
from camlite.audit.image_figures import Figures, Measuring
from camlite.audit.regions import EXTENT, REGIONS
from camlite.audit.verdict import JUDGED, LEAST_IMAGES, ON_OBJECT, ClassVerdict
from camlite.images.masked_images import Mask, MaskedImages
from camlite_export.audit import audit_pictures
from camlite_export.audit.heatmap_clusters import groups
from camlite_export.reports import page

_KIND = "audit"
_NEEDED = ("jinja2", "matplotlib", "PIL", "scipy", "sklearn")
_OFFENDERS, _SHEET, _EXAMPLES = 4, 6, 4
# Of more classes the page becomes too long to read: those with a finding, and then the first.
_MOST_CLASSES = 20


@dataclass(frozen=True)
class _Audit:
    """All that the page is made from."""

    measure: Measuring
    data: MaskedImages
    figures: Figures


def check_folder(folder: Path) -> None:
    """Tell before a long run what the report lacks, see `camlite_export.reports.page.check_folder`.

    Raises:
        ModuleNotFoundError: a library is not installed.
    """
    page.check_folder(folder, _KIND, _NEEDED)


def write(
    folder: Path,
    task: Task,
    measure: Measuring,
    data: MaskedImages,
    figures: Figures,
    verdicts: Sequence[ClassVerdict],
    record: Mapping[str, Any],
) -> None:
    """Write ``index.html`` and ``audit.json``; the folder appears whole or not at all, in place of an older report.

    Args:
        folder: of the report.
        task, measure, data: what was audited, open.
        figures, verdicts: what was found.
        record: what ``audit.json`` holds.

    Raises:
        CamliteError: see `camlite_export.reports.page.write`.
    """
    audit = _Audit(measure, data, figures)
    shown = sorted(verdicts, key=lambda one: not (one.shortcut or one.region))[:_MOST_CLASSES]
    page.write(
        folder,
        _KIND,
        record,
        artifact=task.artifact.name,
        source=str(task.source.path),
        images=len(data),
        masked=data.read_mask is not None,
        verdicts=verdicts,
        guilty=[one for one in verdicts if one.shortcut],
        suspects=[one for one in verdicts if one.verdict == "no masks" and one.region],
        charts=_charts(verdicts) if data.read_mask else [],
        sections=[_section(audit, one) for one in shown],
        left_out=len(verdicts) - len(shown),
        regions=[(name, EXTENT[name]) for name in REGIONS],
        kinds=KINDS,
        judged=JUDGED,
        on_object=ON_OBJECT,
        least_images=LEAST_IMAGES,
    )


def _charts(verdicts: Sequence[ClassVerdict]) -> list[dict[str, str]]:
    names = [one.label for one in verdicts]
    on = audit_pictures.intervals(names, [one.concentration for one in verdicts], (-0.2, 1), ON_OBJECT)
    follows = audit_pictures.intervals(names, [one.follows[JUDGED] for one in verdicts], (-1.05, 1.05), 0.0)
    return [
        {"title": "Evidence on the object: 0 by chance, 1 all of it", "uri": on},
        {"title": "Score follows: -1 the surroundings, 1 the object", "uri": follows},
    ]


def _section(audit: _Audit, one: ClassVerdict) -> dict[str, Any]:
    figures = audit.figures
    mine = (figures.audited == audit.measure.labels.index(one.label)) & figures.right
    rows = np.flatnonzero(mine)
    mapped = np.flatnonzero(np.isin(figures.mapped, figures.index[rows]))
    maps = figures.maps[mapped]
    key, worst = _worst(figures, rows, one)
    return {
        "verdict": one,
        "offenders": [_offender(audit, int(row), key) for row in worst],
        "key": key,
        "mean": audit_pictures.heatmap(maps.mean(axis=0)) if len(maps) else None,
        "maps": len(maps),
        "groups": [_group(audit, group, figures.mapped[mapped]) for group in groups(maps)] if len(maps) else [],
        "sheets": [
            {"title": title, "views": [_view(audit, int(row)) for row in _highest(values, rows)]}
            for title, values in (("most off-centre", figures.off_centre), ("most uniform", figures.uniformity))
        ],
    }


def _highest(values: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    known = rows[~np.isnan(values[rows])]
    return np.asarray(known[np.argsort(-values[known], kind="stable")[:_SHEET]])


def _worst(figures: Figures, rows: NDArray[np.intp], one: ClassVerdict) -> tuple[str, NDArray[np.intp]]:
    """The counterfactual that tells the most, and the images of which it tells the worst.

    With masks those whose score follows the object least, and whose evidence lies on it least; without masks those
    whose score follows the region most.
    """
    if one.verdict == "no masks":
        key = one.region or max(REGIONS, key=lambda name: np.nan_to_num(one.region_follows[name].mean, nan=-1.0))
        follow = -(figures.region_kept - figures.region_removed)[rows, REGIONS.index(key)]
    else:
        key, follow = JUDGED, (figures.kept - figures.removed)[rows, KINDS.index(JUDGED)]
    inside = np.nan_to_num(figures.inside[rows] - figures.object_share[rows])
    known = ~np.isnan(follow)
    return key, np.asarray(rows[known][np.lexsort((inside[known], follow[known].round(2)))[:_OFFENDERS]])


def _offender(audit: _Audit, row: int, key: str) -> dict[str, Any]:
    """The picture, its evidence, and the two pictures that the score is torn between."""
    figures, measure = audit.figures, audit.measure
    index = int(figures.index[row])
    pixels = audit.data.images[index]
    mask = audit.data.mask(index, pixels)
    audited = int(figures.audited[row])
    _, _, score, evidence = measure.evidence(pixels, audited)
    pair = measure.counterfactuals(index, pixels, mask)[key]
    seen, seen_mask = measure.seen(pixels, mask)
    kept, removed = (measure.score(picture, audited) for picture in pair)
    return {
        "name": _short(audit, index),
        "panels": [
            ("picture", f"{score:.2f}", audit_pictures.plain(seen, seen_mask)),
            ("evidence", "", audit_pictures.overlaid(seen, evidence, measure.window, seen_mask)),
            (_changes(key, mask)[0], f"{kept:.2f}", audit_pictures.plain(pair.kept)),
            (_changes(key, mask)[1], f"{removed:.2f}", audit_pictures.plain(pair.removed)),
        ],
    }


def _changes(key: str, mask: Mask | None) -> tuple[str, str]:
    """What was done to the two pictures."""
    if key != JUDGED:
        return f"its {key} elsewhere", f"other {key}"
    return ("object elsewhere", "object gone") if mask is not None else ("elsewhere", "object put in")


def _view(audit: _Audit, row: int) -> dict[str, str]:
    index = int(audit.figures.index[row])
    pixels = audit.data.images[index]
    _, _, _, evidence = audit.measure.evidence(pixels, int(audit.figures.audited[row]))
    seen, _ = audit.measure.seen(pixels, None)
    return {"name": _short(audit, index), "uri": audit_pictures.overlaid(seen, evidence, audit.measure.window)}


def _short(audit: _Audit, index: int) -> str:
    """``tank/0021.png``: the last two parts of a name tell images apart."""
    return "/".join(Path(audit.data.images.names[index]).parts[-2:])


def _group(audit: _Audit, group: Any, mapped: NDArray[np.int64]) -> dict[str, Any]:
    rows = np.searchsorted(audit.figures.index, mapped[group.members[:_EXAMPLES]])
    return {
        "share": group.share,
        "mean": audit_pictures.heatmap(group.mean),
        "views": [_view(audit, int(row)) for row in rows],
    }
