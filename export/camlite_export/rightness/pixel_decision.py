"""Decide which pixels a classifier was trained on, say why, or say what is missing.

Every piece of evidence permits some conventions. Where all of them together leave one, that is it; where they leave
several that give other scores, or none, nobody should guess: wrong pixels agree with an equally mis-fed reference to
100 %. The caller then asks, with `table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import ChannelOrder, Fit, Preprocessing
from camlite.errors import ClassifierError
from camlite.images.labelled_images import UNKNOWN, LabelledImages
from camlite_export import stages
from camlite_export.rightness import candidates, label_evidence, pixel_evidence, scores_evidence, statistics_evidence
from camlite_export.rightness.label_evidence import LabelVerdict
from camlite_export.rightness.pixel_evidence import Evidence, Targets
from camlite_export.sources.pixel_view import View, usual_fit

# Pictures that are looked at: for labels as many as export measures, for what normalizations remember fewer.
_MOST_LABELLED = 200
_MOST_LOOKED_AT = 48

# Scores that differ by less are the same for whoever reads them: float16 moves them as far.
_SAME_SCORES = 1e-3
_TOP_LABELS = 2
# A share of the pictures that is worth a row in the table.
_MORE_RIGHT = 0.05

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
        name: of the convention, with the order of the channels where it is not the usual one (``unit bgr``), or
            ``given`` where it was told by numbers; None where it has to be asked.
        reason: one sentence: what was decided and from what, or what is missing.
        warnings: what speaks against what the user told, or raises doubts about what was decided.
        table: the conventions and what each gives on the user's pictures, header first; empty without any figures.
        labels: what labelled pictures say of the labels under the chosen pixels; None where there are none.
    """

    target: Preprocessing | None
    name: str | None
    reason: str
    warnings: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    labels: LabelVerdict | None = None

    def told_by(self, reason: str) -> Decision:
        """The same where not the user told, but the classifier's file; `reason` follows "because"."""
        return replace(self, reason=f"{self.reason.removesuffix(ASKED_FOR)}, because {reason}")


def decide(
    view: View,
    pictures: LabelledImages | None,
    labels: Sequence[str],
    given: Preprocessing | None = None,
    fit: Fit | None = None,
    order: ChannelOrder | None = None,
) -> Decision:
    """Decide, from everything that is known, which pixels a classifier was trained on.

    Args:
        view: the classifier.
        pictures: the user's, with or without classes.
        labels: one a class.
        given: what the user told; it always wins, and what speaks against it becomes a warning.
        fit: what the user told of it; by default the family's, or ``stretch``.
        order: what the user told of the channels; by default it is decided as well.

    Raises:
        ClassifierError: an order of one channel.
    """
    stages.begin("deciding the pixels")
    family = view.family
    fit = fit or (given.fit if given else None) or usual_fit(view)
    targets = candidates.named(view.image_shape, fit, None if given else order)
    name = next((one for one, target in targets.items() if given == target), "given") if given else None
    if given is not None and name == "given":
        targets["given"] = given
    seen = _evidence(view, targets, fit, pictures, given is None)
    evidence, scores, truth = seen.evidence, seen.scores, seen.truth

    def verdict(chosen: str) -> LabelVerdict | None:
        if truth is None or (truth == UNKNOWN).all():
            return None
        known = np.flatnonzero(truth != UNKNOWN)
        return label_evidence.judge(scores[chosen].argmax(axis=1)[known], truth[known], labels)

    shown = _table(targets, seen, labels)
    doubts = tuple(f"pixels: {one.warning}" for one in evidence if one.warning)
    if given is not None and name is not None:
        against = [one for one in evidence if name not in one.permits]
        warnings = tuple(f"pixels: {_asked_for(name)}, but {one.reason}" for one in against)
        reason = f"pixels {_asked_for(name)}{ASKED_FOR}"
        of_labels = verdict(name)
        return Decision(given, name, reason, warnings + doubts + _doubts(evidence, name, of_labels), shown, of_labels)
    chosen = _chosen(evidence, scores, view, targets)
    if chosen is None:
        return Decision(None, None, _missing(evidence, seen, pictures), (), shown)
    cropped = f"; cropped to a square, as {family.name} does" if family and family.fit == fit == "crop" else ""
    because = f"{_because(evidence, chosen)}{_order(chosen, evidence, targets, order)}{cropped}"
    reason = f"pixels {candidates.shown(chosen)}, because {because}"
    of_labels = verdict(chosen)
    return Decision(targets[chosen], chosen, reason, doubts + _doubts(evidence, chosen, of_labels), shown, of_labels)


def _doubts(evidence: Sequence[Evidence], chosen: str, labels: LabelVerdict | None) -> tuple[str, ...]:
    """That the labels may be in another order, where it suits the pictures better and is not certain enough to fail."""
    if labels is None or labels.failures:
        return ()
    return tuple(
        f"labels: {labels.accuracy:.0%} of the labelled pictures are classified correctly, "
        f"{one.reordered[chosen]:.0%} if some labels changed places; compare their order with that of the training, "
        f"and give the right one with --labels"
        for one in evidence
        if one.reordered.get(chosen, 0) > labels.accuracy
    )


@dataclass(frozen=True)
class _Seen:
    """What there is to decide on: the evidence, scores of all that was tried, the pictures' classes, and candidates
    without a name.
    """

    evidence: Sequence[Evidence]
    scores: Scores
    truth: NDArray[np.int64] | None
    decoys: Targets


def _evidence(view: View, targets: Targets, fit: Fit, pictures: LabelledImages | None, decide_it: bool) -> _Seen:
    layers = pixel_evidence.of_the_layers(view, targets)
    family = pixel_evidence.of_the_family(view, targets, view.family)
    labelled = pictures is not None and pictures.classes is not None
    images, truth = _some(pictures, _MOST_LABELLED if labelled else _MOST_LOOKED_AT) if pictures else ([], None)
    raw = candidates.resized(images, view.image_shape, fit) if images else None
    looked_at = None if raw is None else raw[:: -(-len(raw) // _MOST_LOOKED_AT)]
    decoys = candidates.decoys(view.image_shape, fit, raw) if decide_it and raw is not None else {}
    own = statistics_evidence.fitted(view, looked_at, next(iter(targets.values()))) if looked_at is not None else None
    decoys |= {candidates.FITTED: own} if own and decide_it else {}
    evidence = [layers, family, statistics_evidence.of_the_statistics(view, targets, decoys, looked_at)]
    if raw is None:
        return _Seen(evidence, {}, None, {})
    tried = {**targets, **decoys} if labelled else targets
    scores = {name: view.scores(candidates.scaled(raw, target)) for name, target in tried.items()}
    evidence.append(scores_evidence.of_the_scores(view, scores, targets, layers))
    evidence.append(pixel_evidence.of_the_accuracy(scores, targets, [name for name in decoys if labelled], truth))
    return _Seen(evidence, scores, truth, decoys)


def _permitted(evidence: Sequence[Evidence]) -> frozenset[str]:
    return frozenset.intersection(*(one.permits for one in evidence))


def _everything(evidence: Sequence[Evidence]) -> frozenset[str]:
    return frozenset.union(*(one.permits for one in evidence))


def _chosen(evidence: Sequence[Evidence], scores: Scores, view: View, targets: Targets) -> str | None:
    left = _permitted(evidence)
    if not left:
        return _measured(evidence)
    sure = _in_usual_order(_permitted([one for one in evidence if one.sure]))
    if len(sure) == 1:
        chosen = next(iter(sure))
        doubted = _against(evidence, chosen) or _nameless_is_better(evidence, chosen)
        return chosen if chosen in left and not doubted else None
    same = scores or {name: view.scores(candidates.noise(targets[name])) for name in sure}
    first = next(name for name in targets if name in sure)
    return first if all(np.abs(same[name] - same[first]).max() <= _SAME_SCORES for name in sure) else None


def _in_usual_order(names: frozenset[str]) -> frozenset[str]:
    """Less those in the unusual order, where the usual one is among them."""
    return frozenset(
        name for name in names if candidates.convention(name) == name or candidates.convention(name) not in names
    )


def _against(evidence: Sequence[Evidence], chosen: str) -> bool:
    """Whether what is remembered fits another far better, though not well; labelled pictures prove more than that."""
    proven = any(one.source == "accuracy" and one.permits != _everything(evidence) for one in evidence)
    return not proven and any(chosen in one.against for one in evidence)


def _nameless_is_better(evidence: Sequence[Evidence], chosen: str) -> bool:
    """Whether a range without a name is what is remembered, and names more of the labelled pictures right.

    Where layers land on a range, or a family is given it, the pictures may be other than those of the training.
    """
    everything = _everything(evidence)
    figures = {one.source: one.figures for one in evidence}
    if any(one.source in ("layers", "family") and one.permits != everything and not one.figures for one in evidence):
        return False
    remembered, right = figures["statistics"], figures.get("accuracy") or {}
    return any(
        remembered.get(name, np.inf) <= statistics_evidence.FITS < remembered.get(chosen, 0)
        and right.get(name, 1) > right.get(chosen, 0)
        for name in (candidates.CENTRED, candidates.FITTED)
    )


def _measured(evidence: Sequence[Evidence]) -> str | None:
    """A family only says what is usual: where both measurements on the pictures agree against it, they are right."""
    others = [one for one in evidence if one.source != "family"]
    everything = _everything(evidence)
    measured = [one for one in others if one.source in ("statistics", "accuracy") and one.permits != everything]
    left = _in_usual_order(_permitted(others))
    agreed = len(measured) == 2 and all(one.sure for one in measured)
    return next(iter(left)) if agreed and len(left) == 1 else None


def _because(evidence: Sequence[Evidence], chosen: str) -> str:
    everything = _everything(evidence)
    speaking = [one.reason for one in evidence if chosen in one.permits and one.permits != everything]
    return "; ".join(speaking) or "all conventions give the same scores"


def _order(chosen: str, evidence: Sequence[Evidence], targets: Targets, told: ChannelOrder | None) -> str:
    """What is to be said of the order of the channels: where nothing tells, it is the usual one."""
    if told:
        return f"; {told.upper()}, as was asked for"
    others = candidates.in_any_order([candidates.convention(chosen)], targets) - {chosen}
    family = next(one for one in evidence if one.source == "family")
    if not others & _permitted(evidence) or family.permits != _everything(evidence):
        return ""  # a family comes with its order
    return f"; {targets[chosen].order.upper()}, as is usual: nothing tells the order of the channels"


def _missing(evidence: Sequence[Evidence], seen: _Seen, pictures: LabelledImages | None) -> str:
    everything, left = _everything(evidence), _permitted(evidence)
    speaking = [one.reason for one in evidence if one.permits != everything or one.warning]
    ask = "say which with --preprocess (or --mean and --std)"
    better = [name for name in _better(seen, seen.decoys) if name != candidates.OWN]
    if better:
        ask += f", as {candidates.option(better[0], seen.decoys[better[0]])}"
    if not left or _against_all(evidence, left):
        return f"the pixels are not known, as the evidence contradicts itself: {', but '.join(speaking)}; {ask}"
    known = f" ({'; '.join(speaking)})" if speaking else ""
    labelled = evidence[-1].source == "accuracy" and evidence[-1].figures
    more = "" if labelled else ", or give --calibration pictures of the training, in a folder per label"
    if more and pictures is not None and pictures.notes:
        more = ", or give each folder of the pictures the name of its label, as accuracy would tell"
    if left == everything:
        return f"nothing tells which pixels it was trained on{known}; {ask}{more}"
    names = " or ".join(sorted(_in_usual_order(left)))
    nameless = "" if all(one.sure for one in evidence) and not better else ", or in a range without a name"
    return f"the pixels may be {names}{nameless}{known}; {ask}{more}"


def _against_all(evidence: Sequence[Evidence], left: frozenset[str]) -> bool:
    return left != _everything(evidence) and all(_against(evidence, name) for name in _in_usual_order(left))


def _better(seen: _Seen, names: Iterable[str]) -> list[str]:
    """Those that some measurement finds clearly better than every range with a name in its usual order."""
    return [name for name in names if any(_is_better(name, one) for one in seen.evidence)]


def _is_better(name: str, evidence: Evidence) -> bool:
    figures = evidence.figures
    usual = [figures[one] for one in figures if candidates.convention(one) == one in candidates.SHOWN]
    if name not in figures or not usual:
        return False
    if evidence.source == "accuracy":
        return figures[name] >= max(usual) + _MORE_RIGHT
    nearest = min(usual)
    follows = name in (candidates.OWN, candidates.FITTED)  # the pictures, wherever they go
    nearer = nearest > statistics_evidence.further(figures[name])
    return evidence.source == "statistics" and nearer and not (follows and nearest <= statistics_evidence.FITS)


def _asked_for(name: str) -> str:
    return "by the given mean and deviation" if name == "given" else candidates.shown(name)


def _some(pictures: LabelledImages, most: int) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64] | None]:
    """At most so many of the pictures, evenly spaced: folders are sorted by class."""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, min(most, len(pictures))).astype(int))
    return [pictures[int(i)] for i in chosen], None if pictures.classes is None else pictures.classes[chosen]


def _table(targets: Targets, seen: _Seen, labels: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """A row for each convention in its usual order; for other orders and ranges where those fit better than all."""
    figures = {one.source: one.figures for one in seen.evidence}
    reordered = next((one.reordered for one in seen.evidence if one.reordered), {})
    scores, tried = seen.scores, {**targets, **seen.decoys}
    if not scores and not figures["statistics"]:
        return ()
    rows: list[tuple[str, ...]] = [("pixels", "accuracy", "normalization", "confidence", "most named")]
    usual = [name for name in targets if candidates.convention(name) == name]
    others = [name for name in tried if name not in usual]
    for name in [*usual, *(_better(seen, others) if usual else others)]:
        row = ["as given" if name == "given" else candidates.option(name, tried[name])]
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
