"""Decide which pixels a classifier was trained on, say why, or say what is missing.

Every piece of evidence permits some conventions. Where all of them together leave one, that is it; where they leave
several that give other scores, or none, nobody should guess: wrong pixels agree with an equally mis-fed reference to
100 %. The caller then asks, with `table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Fit, Preprocessing
from camlite.errors import ClassifierError
from camlite.images.labelled_images import UNKNOWN, LabelledImages
from camlite_export import stages
from camlite_export.rightness import candidates, label_evidence, pixel_evidence
from camlite_export.rightness.label_evidence import LabelVerdict
from camlite_export.rightness.pixel_evidence import Evidence, Targets
from camlite_export.sources.pixel_view import View, usual_fit

# Pictures that are looked at: for labels as many as export measures, for what normalizations remember fewer.
_MOST_LABELLED = 200
_MOST_LOOKED_AT = 48

# Scores that differ by less are the same for whoever reads them: float16 moves them as far.
_SAME_SCORES = 1e-3
_TOP_LABELS = 2

# What a decision ends with that the user made.
ASKED_FOR = ", as was asked for"

Scores = Mapping[str, NDArray[np.float32]]


class UndecidedPixelsError(ClassifierError):
    """Nothing tells which pixels a classifier was trained on.

    Attributes:
        table: see `Decision`.
    """

    def __init__(self, where: str, decision: Decision) -> None:
        super().__init__(f"{where}: {decision.reason}")
        self.table = decision.table


@dataclass(frozen=True)
class Decision:
    """What was decided on the pixels of a classifier.

    Attributes:
        target: how pixels become its input; None where that has to be asked.
        name: of the convention, ``given`` where it was told by numbers; None where it has to be asked.
        reason: one sentence: what was decided and from what, or what is missing.
        warnings: what speaks against what the user told.
        table: the conventions and what each gives on the user's pictures, header first; empty without any figures.
        labels: what labelled pictures say of the labels under the chosen pixels; None where there are none.
    """

    target: Preprocessing | None
    name: str | None
    reason: str
    warnings: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    labels: LabelVerdict | None = None


def decide(
    view: View,
    pictures: LabelledImages | None,
    labels: Sequence[str],
    given: Preprocessing | None = None,
    fit: Fit | None = None,
) -> Decision:
    """Decide, from everything that is known, which pixels a classifier was trained on.

    Args:
        view: the classifier.
        pictures: the user's, with or without classes.
        labels: one a class.
        given: what the user told; it always wins, and what speaks against it becomes a warning.
        fit: what the user told of it; by default the family's, or ``stretch``.
    """
    stages.begin("deciding the pixels")
    family = view.family
    fit = fit or (given.fit if given else None) or usual_fit(view)
    targets = candidates.named(view.image_shape, fit)
    name = next((one for one, target in targets.items() if given == target), "given") if given else None
    if given is not None and name == "given":
        targets["given"] = given
    evidence, scores, truth = _evidence(view, targets, fit, pictures, given is None)

    def verdict(chosen: str) -> LabelVerdict | None:
        if truth is None or (truth == UNKNOWN).all():
            return None
        known = np.flatnonzero(truth != UNKNOWN)
        return label_evidence.judge(scores[chosen].argmax(axis=1)[known], truth[known], labels)

    left = frozenset.intersection(*(one.permits for one in evidence))
    shown = _table(targets, evidence, scores, labels)
    if given is not None and name is not None:
        against = [one for one in evidence if name not in one.permits]
        warnings = tuple(f"pixels: {_asked_for(name)}, but {one.reason}" for one in against)
        reason = f"pixels {_asked_for(name)}{ASKED_FOR}"
        return Decision(given, name, reason, warnings, shown, verdict(name))
    chosen = _chosen(left, evidence, scores, view, targets)
    if chosen is None:
        return Decision(None, None, _missing(left, evidence, pictures), (), shown)
    cropped = f"; cropped to a square, as {family.name} does" if family and family.fit == fit == "crop" else ""
    reason = f"pixels {candidates.SHOWN[chosen]}, because {_because(evidence, chosen)}{cropped}"
    return Decision(targets[chosen], chosen, reason, (), shown, verdict(chosen))


def _evidence(
    view: View, targets: Targets, fit: Fit, pictures: LabelledImages | None, warn: bool
) -> tuple[list[Evidence], Scores, NDArray[np.int64] | None]:
    layers = pixel_evidence.of_the_layers(view, targets)
    family = pixel_evidence.of_the_family(view, targets, view.family)
    labelled = pictures is not None and pictures.classes is not None
    images, truth = _some(pictures, _MOST_LABELLED if labelled else _MOST_LOOKED_AT) if pictures else ([], None)
    raw = candidates.resized(images, view.image_shape, fit) if images else None
    decoys = candidates.decoys(view.image_shape, fit, raw) if warn and raw is not None else {}
    looked_at = None if raw is None else raw[:: -(-len(raw) // _MOST_LOOKED_AT)]
    evidence = [layers, family, pixel_evidence.of_the_statistics(view, targets, decoys, looked_at)]
    if raw is None:
        return evidence, {}, None
    tried = {**targets, **(decoys if labelled else {})}
    scores = {name: view.scores(candidates.scaled(raw, target)) for name, target in tried.items()}
    evidence.append(pixel_evidence.of_the_accuracy(scores, targets, list(decoys), truth))
    return evidence, {name: scores[name] for name in targets}, truth


def _chosen(
    left: frozenset[str], evidence: Sequence[Evidence], scores: Scores, view: View, targets: Targets
) -> str | None:
    if len(left) == 1:
        return next(iter(left))
    if not left:
        return _measured(evidence)
    same = scores or {name: view.scores(candidates.noise(targets[name])) for name in left}
    first = next(name for name in targets if name in left)
    return first if all(np.abs(same[name] - same[first]).max() <= _SAME_SCORES for name in left) else None


def _measured(evidence: Sequence[Evidence]) -> str | None:
    """A family only says what is usual: where both measurements on the pictures agree against it, they are right."""
    others = [one for one in evidence if one.source != "family"]
    measured = [one for one in others if one.source in ("statistics", "accuracy") and one.figures]
    left = frozenset.intersection(*(one.permits for one in others))
    agreed = len(measured) == 2 and measured[0].permits == measured[1].permits
    return next(iter(left)) if agreed and len(left) == 1 else None


def _because(evidence: Sequence[Evidence], chosen: str) -> str:
    everything = frozenset.union(*(one.permits for one in evidence))
    speaking = [one.reason for one in evidence if chosen in one.permits and one.permits != everything]
    return "; ".join(speaking) or "all conventions give the same scores"


def _missing(left: frozenset[str], evidence: Sequence[Evidence], pictures: LabelledImages | None) -> str:
    everything = frozenset.union(*(one.permits for one in evidence))
    speaking = [one.reason for one in evidence if one.permits != everything]
    ask = "say which with --preprocess (or --mean and --std)"
    if not left:
        return f"the pixels are not known, as the evidence contradicts itself: {', but '.join(speaking)}; {ask}"
    known = f" ({'; '.join(speaking)})" if speaking else ""
    labelled = evidence[-1].source == "accuracy" and evidence[-1].figures
    more = "" if labelled else ", or give --calibration pictures of the training, in a folder per label"
    if more and pictures is not None and pictures.notes:
        more = ", or give each folder of the pictures the name of its label, as accuracy would tell"
    if left == everything:
        return f"nothing tells which pixels it was trained on{known}; {ask}{more}"
    return f"the pixels may be {' or '.join(sorted(left))}{known}; {ask}{more}"


def _asked_for(name: str) -> str:
    return candidates.SHOWN.get(name, "by the given mean and deviation")


def _some(pictures: LabelledImages, most: int) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64] | None]:
    """At most so many of the pictures, evenly spaced: folders are sorted by class."""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, min(most, len(pictures))).astype(int))
    return [pictures[int(i)] for i in chosen], None if pictures.classes is None else pictures.classes[chosen]


def _table(
    targets: Targets, evidence: Sequence[Evidence], scores: Scores, labels: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    figures = {one.source: one.figures for one in evidence}
    reordered = next((one.reordered for one in evidence if one.reordered), {})
    if not scores and not figures["statistics"]:
        return ()
    rows: list[tuple[str, ...]] = [("pixels", "accuracy", "normalization", "confidence", "most named")]
    for name in targets:
        row = [f"--preprocess {name}" if name in candidates.SHOWN else "as given"]
        moved = f" ({reordered[name]:.1%} if labels changed places)" if reordered else ""
        row += [f"{figures.get('accuracy', {})[name]:.1%}{moved}" if figures.get("accuracy") else ""]
        row += [f"{figures['statistics'][name]:.3f}" if name in figures["statistics"] else ""]
        row += [f"{scores[name].max(axis=1).mean():.2f}", _top(scores[name], labels)] if name in scores else ["", ""]
        rows.append(tuple(row))
    return tuple(rows)


def _top(scores: NDArray[np.float32], labels: Sequence[str]) -> str:
    named, counts = np.unique(scores.argmax(axis=1), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_TOP_LABELS]
    return ", ".join(f"{labels[named[i]]} {counts[i] / len(scores):.0%}" for i in order)
