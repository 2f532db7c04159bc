"""Which map to give a classifier: each candidate is measured on pictures, by the original's own scores.

A map is good where the score follows it: insertion is high and deletion low (`camlite.faithfulness`). Which guide is
the best differs from network to network, so nobody is asked to know it.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing, Window
from camlite.artifact.map_choice import Guide, GuideMethod, MapChoice, MeasuredMap
from camlite.confidence import intervals
from camlite.errors import ClassifierError
from camlite.faithfulness import controls, insertion_deletion
from camlite.faithfulness.score import Score
from camlite.faithfulness.summary import LEAST_PICTURES
from camlite.images import copies
from camlite.maps import cam, resize
from camlite.maps.redistribution import Redistribution
from camlite.texts import counted
from camlite_export import stages
from camlite_export.agreement.reference import inputs_of
from camlite_export.cutting import guide as guides
from camlite_export.cutting import measured_places
from camlite_export.cutting.cut import Cut
from camlite_export.cutting.guide import GUIDE_METHODS, MOST_CLASSES, GuideLayers
from camlite_export.cutting.two_output import TwoOutputModel

Floats = NDArray[np.float32]
Maps = Literal["cam", "sharp", "auto"]

# Each map costs 2 * steps - 2 runs of the original a picture: a classifier with three finer sizes has 22 maps, which
# on 16 pictures were 5,000 runs. So all are tried on a few pictures, and the best of each length of way back on all.
_MOST_PICTURES, _STEPS = 16, 8
_TRIED_ON, _FINALISTS = 4, 2

# Insertion minus deletion of a map that is no better than another by more than this is not worth a longer backward
# pass. On EfficientNet-Lite0, guides at 14 x 14 and at 14 x 14 times 28 x 28 differ by 0.004, and cost 1.5 and 2.3 of
# a forward pass; on the reference classifier, 3 x 3 and 28 x 28 cells differ by 0.57.
_WORTH = 0.02

_PLAIN, _RANDOM = "cam", "random"


class Chosen(NamedTuple):
    """What was chosen.

    Attributes:
        layers: that the guide is made of; None where plain maps are given.
        maps: what the artifact says of it.
        warning: where even the best map is not certainly better than a random one, one line; else empty.
    """

    layers: GuideLayers | None
    maps: MapChoice
    warning: str = ""

    @property
    def lines(self) -> Iterator[str]:
        """What people are to know of it, each one line."""
        yield f"{'plain maps' if self.layers is None else 'fine maps, guide'} {self.maps.chosen}"
        yield from filter(None, [self.warning])


@dataclass(frozen=True)
class _Pictures:
    """What candidates are measured on: N pictures that were answered by the original.

    Attributes:
        inputs: float32 (N, H, W, channels).
        classes: that it names, (N,).
        evidence: of them, float32 (N, h, w).
        grid: where that lies.
    """

    inputs: Floats
    classes: NDArray[np.int64]
    evidence: Floats
    grid: resize.Resizing


def choose(
    cut: Cut,
    target: Preprocessing,
    window: Window,
    pictures: Sequence[NDArray[np.uint8]],
    wanted: Maps,
    guide: str | None = None,
    called: str = "picture",
    remark: str = "",
) -> Chosen:
    """Measure plain maps and guides, and take the best that is worth its cost.

    All guides are measured on the first 4 of the pictures that are looked at, spread over all of them; the best two of
    those with the same first layer, whose ways back are equally long, on all.

    Args:
        cut: of the classifier, without a guide.
        target: how pixels become its input.
        window: where its features lie.
        pictures: representative ones; 16 of them are looked at, evenly spread, as folders are sorted by class,
            and copies of one once.
        wanted: ``sharp``: the best of those with a guide; ``auto``: the best of all.
        called: what one of the pictures is, for people.
        remark: what else is to be said of them.
        guide: the only one that is looked at, as `GuideLayers` are called: ``layercam conv_32``.

    Raises:
        ClassifierError: ``sharp``, and there is no finer layer that a guide can be made of; or there is no such guide;
            or no picture has a score above 0 that a map could be measured by.
    """
    windows = dict(_windows(cut, target))
    steps = [step for step in cut.finer_steps if step.name in windows]
    if wanted == "sharp" and not steps:
        raise ClassifierError(
            f"{cut.source.name}: no layer in front of {cut.layer!r} has a finer map from which alone the scores "
            f"follow, so there is no guide for a sharp one; use --maps cam"
        )
    spread = _spread(len(pictures), _MOST_PICTURES)
    inputs = inputs_of(_different([pictures[int(index)] for index in spread]), target)
    features, scores = cut.answer(inputs)
    says_something = _probabilities(cut, scores).max(axis=1) > 0
    if not says_something.any():
        raise ClassifierError(
            f"{cut.source.name}: gives no picture a score above 0, so maps cannot be measured by it; use "
            f"--maps cam, or give --calibration pictures of its classes"
        )
    inputs, features, scores = inputs[says_something], features[says_something], scores[says_something]
    classes = scores.argmax(axis=1)
    grid = _grid(cut.feature_shape[:2], target, window)
    seen = _Pictures(inputs, classes, cut.evidence(features, classes), grid)
    candidates = _wanted_guides(cut, steps, guide)
    described = {name: _guide(cut, layers, windows) for name, layers in candidates.items()}
    maps = {_PLAIN: resize.heatmap(seen.evidence, grid)}
    maps |= _sharp_maps(cut, target, seen, window, steps, candidates, described)
    maps[_RANDOM] = np.stack([controls.random(target.height, target.width, (0, one)) for one in range(len(inputs))])
    figures = _measured(cut, seen, maps, candidates)
    of = {one: pairs[:, 0] - pairs[:, 1] for one, pairs in figures.items()}
    measured = [
        MeasuredMap(one, *(round(float(mean), 4) for mean in pairs.mean(axis=0)))
        for one, pairs in figures.items()
        if one != _RANDOM
    ]
    name = _best(measured, candidates, steps, wanted)
    plain, measured_on = of[_PLAIN].mean(), f"{counted(len(inputs), called)}{remark}"
    text = f"{name}: insertion - deletion {of[name].mean():.2f} on {measured_on}, plain maps {plain:.2f}"
    best = MapChoice(described.get(name), tuple(measured), len(inputs), text)
    return Chosen(candidates.get(name), best, _warning(text, of[name], of[_RANDOM]))


def _warning(text: str, best: NDArray[np.float64], random: NDArray[np.float64]) -> str:
    """Where a map is not certainly better than a random one, as `camlite faithful` says it; else empty.

    Args:
        text: what the map is, and how good.
        best, random: insertion - deletion of each picture, (N,).
    """
    (gain,) = intervals((best - random)[:, np.newaxis])
    lost = f"even the best map, {text}, is"
    if not gain.mean > 0:
        return f"{lost} no better than a random one, {random.mean():.2f}"
    if len(best) < LEAST_PICTURES or gain.low > 0:
        return ""
    by = f"{random.mean():.2f}: by {gain.mean:.3f} (95 % interval {gain.low:.3f} to {gain.high:.3f})"
    return f"{lost} not certainly better than a random one, {by}"


def _windows(cut: Cut, target: Preprocessing) -> Iterator[tuple[str, Window]]:
    """Where each finer map lies in the image; without those whose places cannot be found."""
    for step in cut.finer_steps:
        with warnings.catch_warnings():
            warnings.simplefilter("error", measured_places.UnknownPlacesWarning)
            try:
                window = measured_places.of_step(cut.source, step, target).window
            except (ClassifierError, measured_places.UnknownPlacesWarning):
                continue
        yield step.name, window


def _grid(size: tuple[int, int], target: Preprocessing, window: Window) -> resize.Resizing:
    return resize.Resizing(size, (target.height, target.width), window)


def _candidates(steps: Sequence[Any]) -> Iterator[GuideLayers]:
    """Each step alone, and with the next coarser one; by each method, smoothed or not."""
    alone = [(step,) for step in steps]
    for chosen in (*alone, *itertools.pairwise(steps)):
        for method in GUIDE_METHODS:
            yield from (GuideLayers(method, chosen, smooth) for smooth in (True, False))


def _guide(cut: Cut, layers: GuideLayers, windows: Mapping[str, Window]) -> Guide:
    height, width = layers.shape
    classes: Literal["all", "top"] = "all" if cut.classes <= MOST_CLASSES else "top"
    return Guide(height, width, classes, layers.names, layers.method, layers.smooth, window=windows[layers.names[0]])


def _sharp_maps(
    cut: Cut,
    target: Preprocessing,
    seen: _Pictures,
    window: Window,
    steps: Sequence[Any],
    candidates: Mapping[str, GuideLayers],
    described: Mapping[str, Guide],
) -> dict[str, Floats]:
    """The heatmaps (N, H, W) of each candidate, by its name."""
    raw: Mapping[GuideMethod, Sequence[Floats]] = (
        cut.raw_guides(seen.inputs, seen.classes, steps, GUIDE_METHODS) if steps else {}
    )
    heatmaps = {}
    for name, layers in candidates.items():
        guide = described[name]
        made = guides.combined([raw[layers.method][steps.index(step)] for step in layers.steps], layers)
        fine = Redistribution(cut.feature_shape[:2], window, guide)(seen.evidence, np.asarray(made)[..., 0])
        heatmaps[name] = resize.heatmap(fine, _grid(layers.shape, target, guide.window))
    return heatmaps


def check_guide(cut: Cut, guide: str) -> None:
    """Tell before the long work that there is no such guide.

    Raises:
        ClassifierError: no finer layers of the classifier make it.
    """
    _wanted_guides(cut, cut.finer_steps, guide)


def _wanted_guides(cut: Cut, steps: Sequence[Any], guide: str | None) -> Mapping[str, GuideLayers]:
    """All, or the only one that is asked for, which may be any product."""
    if guide is None:
        return {str(layers): layers for layers in _candidates(steps)}
    found = guides.of_name(guide, steps)
    if found is None:
        known = ", ".join(repr(str(layers)) for layers in _candidates(steps)) or "none"
        raise ClassifierError(
            f"{cut.source.name}: no guide {guide!r} can be made of it; there are: {known}; and products of up to "
            f"{guides.MOST_FACTORS} of their layers, the finest first, of which each may be there several times"
        )
    return {guide: found}


def _measured(
    cut: Cut, seen: _Pictures, maps: Mapping[str, Floats], candidates: Mapping[str, GuideLayers]
) -> dict[str, NDArray[np.float64]]:
    """Insertion and deletion of each picture, (N, 2), of those maps that are among the best on a few."""
    count = len(seen.inputs)
    tried, score = _spread(count, _TRIED_ON), _score(cut)
    figures = {name: np.full((count, 2), np.nan) for name in maps}
    _measure(score, seen, maps, figures, tried)
    finalists = {name: heats for name, heats in maps.items() if name in _finalists(figures, candidates)}
    _measure(score, seen, finalists, figures, np.setdiff1d(np.arange(count), tried))
    return {name: figures[name] for name in finalists}


def _score(cut: Cut) -> Score:
    """Probabilities by what the artifact is made of, which was proven to say what the original says.

    Compiled, as the original itself takes several times as long a picture where it runs layer by layer; an original
    that is a file has its own interpreter.
    """
    import tensorflow as tf

    def original(images: Floats) -> Floats:
        return _probabilities(cut, cut.answer(images).scores)

    if not isinstance(cut, TwoOutputModel):
        return original
    forward = cut.function()
    shape = tf.TensorSpec((None, *cut.image_shape), tf.float32)
    compiled = tf.function(lambda images: forward(images)["scores"], input_signature=[shape], autograph=False)
    try:
        compiled(tf.zeros((1, *cut.image_shape)))
    except tf.errors.UnimplementedError:  # TensorFlow 2.21 compiles no convolution in groups with a bias, for a CPU
        return original
    return lambda images: _probabilities(cut, np.asarray(compiled(tf.constant(images)), np.float32))


def _measure(
    score: Score,
    seen: _Pictures,
    maps: Mapping[str, Floats],
    figures: Mapping[str, NDArray[np.float64]],
    pictures: NDArray[np.intp],
) -> None:
    """Fill in insertion and deletion of each map on some of the pictures."""
    for done, index in enumerate(pictures.tolist()):
        stages.begin(f"measuring {counted(len(maps), 'map')}, {done} of {counted(len(pictures), 'image')}")
        heats = np.stack([heat[index] for heat in maps.values()])
        found = insertion_deletion.measure(score, seen.inputs[index], heats, int(seen.classes[index]), _STEPS)
        for name, pair in zip(maps, found, strict=True):
            figures[name][index] = pair


def _finalists(figures: Mapping[str, NDArray[np.float64]], candidates: Mapping[str, GuideLayers]) -> set[str]:
    """The plain and the random map, and of the guides with the same first layer the best ones."""
    found = set(figures) - set(candidates)
    groups: dict[str, list[str]] = {}
    for name, layers in candidates.items():
        groups.setdefault(layers.names[0], []).append(name)

    def difference(name: str) -> float:
        insertion, deletion = np.nanmean(figures[name], axis=0)
        return float(insertion - deletion)

    for group in groups.values():
        found.update(sorted(group, key=difference, reverse=True)[:_FINALISTS])
    return found


def _different(pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Without copies: sixteen of one picture say no more than that one."""
    return list({copies.checksum(one, None): one for one in pictures}.values())


def _spread(count: int, most: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.intp))


def _probabilities(cut: Cut, scores: Floats) -> Floats:
    """What insertion and deletion follow: at least 0, also of a classifier that gives logits."""
    return np.asarray(cam.activate(scores, "softmax"), np.float32) if cut.activation == "linear" else scores


def _best(
    measured: Sequence[MeasuredMap], candidates: Mapping[str, GuideLayers], steps: Sequence[Any], wanted: Maps
) -> str:
    """The name of the cheapest that is nearly as good as the best, and of those as cheap the best."""

    def cost(name: str) -> int:
        return 0 if name == _PLAIN else len(steps) - steps.index(candidates[name].steps[0])

    allowed = [one for one in measured if wanted == "auto" or one.map != _PLAIN]
    best = max(one.insertion - one.deletion for one in allowed)
    worth = [one for one in allowed if one.insertion - one.deletion >= best - _WORTH]
    return min(worth, key=lambda one: (cost(one.map), one.deletion - one.insertion)).map
