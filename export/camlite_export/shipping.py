"""Which of several artifacts to ship, and why.

The rule: of the artifacts that are fit for use, the one whose size times its time here is the least, so that half the
size is worth twice the time. Fit ones are all much like the original: size and time are what is left to choose by.
Where none is known to be fit, one of those that were checked on a few images is chosen, and a line says so.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camlite.texts import counted
from camlite_export.agreement.gates import FEWEST_IMAGES, FEWEST_OF_A_PERCENTILE, FIGURES
from camlite_export.exporting import Exported

_NEARLY_ONE = 0.999999


def choose(artifacts: Sequence[Exported]) -> Exported | None:
    """The artifact to ship; None where none is known to be fit for use, nor checked."""
    able = next((of for word in ("fit", "checked") if (of := [one for one in artifacts if one.verdict == word])), [])
    return min(able, key=lambda one: (one.size * (milliseconds(one) or math.inf), one.size), default=None)


def lines(artifacts: Sequence[Exported], classifier: Path | None = None) -> Iterator[str]:
    """Which one, and why, for people.

    Args:
        artifacts: of one classifier.
        classifier: its file; None where it has none.
    """
    chosen = choose(artifacts)
    if chosen is None:
        known = any(one.verdict == "UNFIT" for one in artifacts)
        why = "none of them is fit for use" if known else "none of them was measured; install an interpreter"
        yield f"ship none: {why}"
        return
    figures = [
        f"{chosen.size / 1000:.1f} kB",
        f"{milliseconds_text(chosen)} ms an image on this machine",
        f"the original's class on {_count(chosen, 'top1_agreement')} of {_images(chosen)}{_calibrated(chosen)}",
        _named_right(chosen),
        _correlation(chosen),
    ]
    yield f"ship {chosen.path.name}: {', '.join(filter(None, figures))}"
    if chosen.verdict == "checked":
        yield (
            f"checked on {_images(chosen)} only, but a verdict needs {FEWEST_IMAGES} different ones: measure it with "
            f"{_parity(classifier, chosen.path)}"
        )
    which = "fit for use" if chosen.verdict == "fit" else "checked"
    yield (
        f"(of the files that are {which}, this one has the smallest product of size and time on this machine; compare "
        f"on your device with `camlite bench`. ms: median of one thread, from pixels to evidence)"
    )


def _parity(classifier: Path | None, artifact: Path) -> str:
    if classifier is None:
        return f"camlite_export.parity(model, {str(artifact)!r}, data)"
    return f"`{shlex.join(['camlite', 'parity', str(classifier), str(artifact), '--data', 'FOLDER'])}`"


def next_steps(chosen: Exported) -> list[tuple[str, str]]:
    """What to type next with the artifact to ship, and what for: to copy it, and on the device to check and explain."""
    there = chosen.path.name if not chosen.path.name.startswith("-") else f"./{chosen.path.name}"
    return [
        (shlex.join(["scp", str(chosen.path), "USER@DEVICE:"]), "copy it to the device"),
        (shlex.join(["camlite", "check", there]), "on the device: does it answer as it does here?"),
        (shlex.join(["camlite", "explain", there, "photo.jpg"]), "on the device: its first explanation"),
    ]


def _images(one: Exported) -> str:
    """How many images it was measured on, and which."""
    if one.pictures is None:
        return counted(one.images, "golden sample")
    copies = f" ({one.different} different)" if one.different < one.images else ""
    return f"{counted(one.images, 'picture')}{copies} of {one.pictures}"


def _calibrated(one: Exported) -> str:
    if one.pictures is None or not one.calibrated:
        return ""
    of_them = "" if one.calibrated == one.images else f"{one.calibrated} of "
    return f", on {of_them}which it was calibrated, too"


def _count(one: Exported, figure: str) -> int:
    """On how many of the images a share is 1."""
    return 0 if one.measurement is None else int(np.nansum(FIGURES[figure].per_image(one.measurement)))


def _named_right(one: Exported) -> str:
    """Of those whose class is known."""
    known = 0 if one.measurement is None else int(np.isfinite(one.measurement.correct).sum())
    if not known:
        return ""
    return f"{_count(one, 'accuracy')} {'' if known == one.images else f'of {known} '}classified correctly"


def _correlation(one: Exported) -> str:
    """The least of it, cut off and not rounded: it is nowhere less."""
    if one.measurement is None:
        return ""
    name, where = ("correlation_p5", "95 %") if one.different >= FEWEST_OF_A_PERCENTILE else ("correlation_min", "all")
    value = FIGURES[name].value(one.measurement)
    if value is None:
        return ""
    least = min(math.floor(value * 1e6) / 1e6, _NEARLY_ONE)
    return f"evidence correlation at least {least:.6f}" + ("" if one.images == 1 else f" on {where}")


def milliseconds(one: Exported) -> float | None:
    """How long an image took here, from pixels to evidence: the median of all; None where none was measured."""
    seconds = one.measurement.seconds if one.measurement else np.empty(0)
    known = seconds[~np.isnan(seconds)]
    return 1000 * float(np.median(known)) if len(known) else None


def milliseconds_text(one: Exported) -> str:
    """The same as text, empty where it is not known."""
    found = milliseconds(one)
    return "" if found is None else f"{found:.3g}"


def text(figure: str, one: Exported) -> str:
    """A figure of it, see `camlite_export.agreement.gates.FIGURES`; empty where it is not known."""
    return FIGURES[figure].text(FIGURES[figure].value(one.measurement)) if one.measurement else ""


def record(one: Exported) -> dict[str, Any]:
    """An artifact as JSON has it; a number that is not known or not finite is null."""
    values = {name: figure.value(one.measurement) if one.measurement else None for name, figure in FIGURES.items()}
    finite = {name: value if value is not None and math.isfinite(value) else None for name, value in values.items()}
    return {
        "file": str(one.path),
        "bytes": one.size,
        "images": one.images,
        "pictures": one.pictures,
        "milliseconds": milliseconds(one),
        "backend": one.backend,
        "verdict": one.verdict,
        "figures": finite,
        "failures": [{"check": failure.check, "message": failure.message} for failure in one.failures],
    }
