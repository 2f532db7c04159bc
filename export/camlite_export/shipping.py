"""Which of several artifacts to ship, and why.

The rule: of the artifacts that are fit for use, the one whose size times its time here is the least, so that half the
size is worth twice the time. Fit ones are all much like the original: size and time are what is left to choose by.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from camlite_export.agreement.gates import FIGURES
from camlite_export.exporting import Exported

RULE = "of those fit for use the least size times time"


def choose(artifacts: Sequence[Exported]) -> Exported | None:
    """The artifact to ship; None where none is known to be fit for use."""
    fit = [one for one in artifacts if one.verdict == "fit"]
    return min(fit, key=lambda one: (one.size * (milliseconds(one) or math.inf), one.size), default=None)


def lines(artifacts: Sequence[Exported]) -> Iterator[str]:
    """Which one, and why, for people."""
    chosen = choose(artifacts)
    if chosen is None:
        known = any(one.verdict == "UNFIT" for one in artifacts)
        why = "none of them is fit for use" if known else "none of them was measured, install an interpreter"
        yield f"ship none: {why}"
        return
    figures = [
        f"{chosen.size / 1000:.1f} kB",
        f"{milliseconds_text(chosen)} ms an image on this machine",
        f"the original's class on {text('top1_agreement', chosen)} of {images(chosen)} images",
        f"accuracy {text('accuracy', chosen)}" if text("accuracy", chosen) else "",
        f"evidence correlation at least {text('correlation_p5', chosen)} on 95 %",
    ]
    yield f"ship {chosen.path.name}: {', '.join(filter(None, figures))}"
    yield f"({RULE}; ms: median of one thread, from pixels to evidence)"


def milliseconds(one: Exported) -> float | None:
    """How long an image took here, from pixels to evidence: the median of all; None where none was measured."""
    seconds = one.measurement.seconds if one.measurement else np.empty(0)
    known = seconds[~np.isnan(seconds)]
    return 1000 * float(np.median(known)) if len(known) else None


def images(one: Exported) -> int:
    """On how many images it was measured: no figure vouches for more."""
    return len(one.measurement) if one.measurement else 0


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
        "images": images(one),
        "milliseconds": milliseconds(one),
        "backend": one.backend,
        "verdict": one.verdict,
        "figures": finite,
        "failures": [{"check": failure.check, "message": failure.message} for failure in one.failures],
    }
