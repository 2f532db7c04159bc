"""Whether the places of a feature map are places of the image: only then does a map say where.

A tensor of rank 4 need not be a feature map: behind a Permute its second axis may be the channels, and behind a
Reshape anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from camlite_export import workarounds
from camlite_export.sources.source import Floats, Source, Step

if TYPE_CHECKING:
    from camlite_export.sources.journey import KerasStep

S = TypeVar("S", bound=Step)

# Layers that leave each place where it is, or that mix it with its neighbours; by parts of their names.
_LOCAL = (
    *("Conv", "Pooling", "Normalization", "Activation", "ReLU", "ELU", "Dropout", "Noise", "Random", "Identity"),
    *("Rescaling", "Resizing", "Padding", "Cropping", "UpSampling", "Add", "Multiply", "Concatenate", "Maximum"),
    *("Minimum", "Average", "Subtract", "Softmax", "LayerScale", "Divide", "Dense", "StochasticDepth"),
)

# Of what changes in a feature map when a half of the image changes, the share in its own half is larger by this than
# when the other half changes: 0.84 to 0.97 right behind such layers in small classifiers, 0.01 and less where an axis
# is another one.
LEAST_SHARE = 0.1
_PROBES = 4
_LONG = 4  # times as long as the image: a row of the places of 2 x 2 is


def are_kept(source: Source, steps: Sequence[Step], known: dict[int, bool] | None = None) -> bool:
    """Whether each half of a feature map follows its own half of the image the most: upper, lower, left and right.

    Asked of the first tensor of rank 4 behind the last step that could have put places elsewhere: layers that leave
    them where they are may see far, and hide it.

    Args:
        source: the classifier, which is asked.
        steps: those of it from the image to the feature map.
        known: what was found before, by the number of the map that was looked at; filled. Many have the same in front.
    """
    known = {} if known is None else known
    ends = {id(one.output): one for one in cast("Sequence[KerasStep]", steps)}
    leading = leading_to(
        cast("KerasStep", steps[-1]), lambda one: (ends.get(id(x)) for x in workarounds.inputs_of(one.output))
    )
    moving = [i for i in _moving(steps) if id(steps[i]) in leading]
    if not moving:
        return True
    behind = next(i for i in range(moving[-1], len(steps)) if len(steps[i].shape) == 4 and id(steps[i]) in leading)
    step = steps[behind]

    def features_of(images: Floats) -> Floats:
        return source.answer(images, step).features

    if behind not in known:
        known[behind] = follow_halves(features_of, source.image_shape, step.shape)
    return known[behind]


def leading_to(last: S, makers_of: Callable[[S], Iterable[S | None]]) -> set[int]:
    """The steps through which a map has places: by their ids, itself included.

    What comes through one place, as the gates of squeeze and excitation, of split attention and of global context do,
    puts nothing anywhere, wherever it was before.

    Args:
        last: the step whose map it is.
        makers_of: the steps that a step takes from; None for what is none.
    """
    leading: set[int] = set()
    waiting = [last]
    while waiting:
        step = waiting.pop()
        if id(step) not in leading:
            leading.add(id(step))
            waiting += [one for one in makers_of(step) if one is not None and not _is_one(one)]
    return leading


def follow_halves(
    features_of: Callable[[Floats], Floats], image_shape: tuple[int, int, int], shape: Sequence[int | None]
) -> bool:
    """Whether each half of a map (N, h, w, C) follows its own half of the image the most, along all axes with places.

    A map of one row of all places does so by accident, as its first half is the upper half of the image.
    """
    rows, columns = (side or 1 for side in shape[1:3])
    shorter, longer = sorted((rows * image_shape[1], columns * image_shape[0]))
    if 1 in (rows, columns) and longer >= _LONG * shorter:
        return False
    axes = [axis for axis, side in ((1, rows), (2, columns)) if side > 1]
    return all(own_share(features_of, image_shape, axis) >= LEAST_SHARE for axis in axes)


def last_mover(steps: Sequence[Step]) -> Step | None:
    """The last step that could have put places elsewhere; None where none could."""
    moving = _moving(steps)
    return steps[moving[-1]] if moving else None


def _moving(steps: Sequence[Step]) -> list[int]:
    return [i for i, step in enumerate(steps) if not any(part in step.kind for part in _LOCAL) and not _is_one(step)]


def _is_one(step: Step) -> bool:
    """Whether there is one place, as in the gates of squeeze and excitation."""
    return step.shape[1:3] == (1, 1)


def own_share(features_of: Callable[[Floats], Floats], image_shape: tuple[int, int, int], axis: int) -> float:
    """How much more of a change lies in the first half of a feature map when the first half of the image changes than
    when the second one does, from 0 to 1. By changing pixels and not by gradients: those of depthwise convolutions
    crash TensorFlow 2.21 with oneDNN.

    Args:
        features_of: float32 images (N, H, W, channels) -> features (N, h, w, C).
        image_shape: height, width and channels.
        axis: 1 from top to bottom, 2 from left to right.
    """
    shape = (_PROBES, *image_shape)
    random = np.random.default_rng(0)
    before, after = (random.uniform(0, 1, shape).astype(np.float32) for _ in range(2))
    features = features_of(before)
    shares = []
    for half in _halves(axis, shape[axis]):
        changed = before.copy()
        changed[half] = after[half]
        change = np.abs(features_of(changed) - features)
        total = change.sum()
        if not total > 0:
            return 1.0  # nothing arrives, which says nothing
        shares.append(change[_halves(axis, change.shape[axis])[0]].sum() / total)
    return float(shares[0] - shares[1])


def _halves(axis: int, size: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Indices of the first and the last half of an axis; what is in the middle belongs to neither."""
    before = (slice(None),) * axis
    return (*before, slice(0, size // 2)), (*before, slice(-(size // 2), None))
