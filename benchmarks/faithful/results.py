"""From maps, times and figures of pictures to what the page says, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import league
import numpy as np
from league import Contender

from camlite.confidence import intervals
from camlite.faithfulness.measures import MEASURES, NAMES

_BETTER = {measure.name: 1 if measure.better == "higher" else -1 for measure in MEASURES}
_GOALS = ("pointing", "inside", "insertion", "deletion")
_SHOWN = (*league.MEASURES, "difference", "increase", "complexity")


def collect(folder: Path) -> dict[str, Any]:
    """What is known of one network, of those contenders that have maps that are judged."""
    with np.load(folder / "task.npz") as stored:
        masked, sizes, pictures = len(stored["masks"]) > 0, stored["sizes"].tolist(), len(stored["images"])
    found = [one for one in league.ALL if (folder / "judged" / f"{one.name}.npz").exists()]
    values = {one.name: np.load(folder / "judged" / f"{one.name}.npz")["values"] for one in found}
    measures = [one for one in _SHOWN if masked or one not in ("pointing", "inside")]
    common = _common([values[one.name] for one in found if one.full], measures)
    kept = {name: of[common] for name, of in values.items()}
    gaps = compare({one.name: kept[one.name] for one in found if one.full and one not in league.CONTROLS}, measures)
    chosen = [one for one in league.MEASURES if one in measures]
    return {
        "pictures": int(common.sum()),
        "of": pictures,
        "sizes": sizes,
        "measures": chosen,
        "sharp": _text(folder / "sharp.chosen.txt"),
        "rows": [_row(folder, one, kept[one.name], measures, chosen, gaps.get(one.name)) for one in found],
    }


def _common(values: Sequence[np.ndarray], measures: Sequence[str]) -> np.ndarray:
    """Pictures of which everybody has a map that can be judged, bool (N,)."""
    columns = [NAMES.index(one) for one in measures if one != "sparsity" and one != "complexity"]
    return np.logical_and.reduce([~np.isnan(of[:, columns]).any(axis=1) for of in values])


def compare(values: Mapping[str, np.ndarray], measures: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """How far each is behind the first, picture by picture: [mean, low, high] of each measure, below 0 is behind.

    The interval is the 95 % one of the bootstrap over pictures. A map without heat has no sparsity: the least is taken.

    Args:
        values: by contender, (n, F), of the same pictures.
    """
    found: dict[str, dict[str, list[float]]] = {name: {} for name in values}
    for measure in measures:
        own = {name: _BETTER[measure] * of[:, NAMES.index(measure)] for name, of in values.items()}
        own = {
            name: np.where(np.isnan(of), np.nanmin(of) if not np.isnan(of).all() else 0, of) for name, of in own.items()
        }
        first = max(own, key=lambda name: float(own[name].mean()))
        table = np.stack([of - own[first] for of in own.values()], axis=1)
        for name, gap in zip(own, intervals(table), strict=True):
            found[name][measure] = [round(float(one), 4) for one in gap]
    return found


def level(gap: Sequence[float]) -> bool:
    """Whether somebody is the first, or not significantly behind."""
    return gap[2] >= 0


def _row(
    folder: Path,
    one: Contender,
    values: np.ndarray,
    measures: Sequence[str],
    chosen: Sequence[str],
    gaps: Mapping[str, Sequence[float]] | None,
) -> dict[str, Any]:
    known = values[~np.isnan(values[:, NAMES.index("insertion")])]
    columns = intervals(np.nan_to_num(known[:, [NAMES.index(name) for name in measures]]))
    row: dict[str, Any] = {
        "name": one.name,
        "library": one.library,
        "title": one.title,
        "pictures": len(known),
        "figures": {name: [round(float(x), 4) for x in of] for name, of in zip(measures, columns, strict=True)},
    }
    if gaps is not None:
        row["gaps"] = dict(gaps)
        row["level"] = sum(level(gaps[name]) for name in chosen)
    maps = folder / "maps" / f"{one.name}.npz"
    if maps.exists():
        with np.load(maps) as stored:
            bare, explained = stored["seconds"].T
            if not np.isnan(bare).any():  # maps from elsewhere have no times
                row |= {
                    "bare_ms": round(float(np.median(bare)) * 1e3, 3),
                    "explain_ms": round(float(np.median(explained)) * 1e3, 3),
                    "ratio": round(float(np.median(explained / bare)), 2),
                }
            if not np.isnan(stored["worst"]):
                row["scores_differ"] = float(f"{float(stored['worst']):.1e}")
    return row


def goals(folder: Path) -> dict[str, dict[str, Any]]:
    """Figures of camlite's maps on all pictures that they have, for the goals: `pictures`, and [mean, low, high]."""
    found: dict[str, dict[str, Any]] = {}
    for one in league.CAMLITE:
        path = folder / "judged" / f"{one.name}.npz"
        if path.exists():
            with np.load(path) as stored:
                values = stored["values"][:, [NAMES.index(name) for name in _GOALS]]
            known = values[~np.isnan(values).any(axis=1)]
            figures = {
                name: [round(float(x), 4) for x in of] for name, of in zip(_GOALS, intervals(known), strict=True)
            }
            found[one.name] = {"pictures": len(known), **figures}
    return found


def as_text(content: Mapping[str, Any]) -> str:
    """JSON with a line for each list of numbers."""
    spread = json.dumps(content, indent=1)
    return re.sub(r"\[[^][{}]*\]", lambda found: " ".join(found[0].split()), spread) + "\n"


def _text(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
