"""What the pictures of the training were like, told from what the first normalization remembers, without any picture.

Where only linear layers stand in front of it, its moving mean and variance say which mean and deviation the inputs
had: a classifier trained on photographs in -1..1 remembers a mean near 0 and a deviation near 0.5. Whether that is one
convention rather than another depends on what pictures are like; the prior below is wide on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing
from camlite_export.rightness import candidates
from camlite_export.sources.pixel_conventions import preprocessing
from camlite_export.sources.pixel_view import View

# Of photographs, mean and deviation as shares of the way from black to white: ImageNet 0.45 and 0.27, CIFAR-10 0.47
# and 0.25; the rest of the prior is for drawings, scans, digits (0.13 and 0.31) and clothes (0.29 and 0.35).
_MEAN, _MEAN_SPREAD = 0.46, 0.12
_DEVIATION, _DEVIATION_SPREAD = 0.26, 0.05
_PHOTOGRAPHS = 0.8
_LEAST_DEVIATION, _MOST_DEVIATION = 0.05, 0.5
# How often each convention is met, roughly.
_USUAL: Mapping[str, float] = {"unit": 0.5, "signed": 0.2, "raw": 0.2, "imagenet": 0.07, "caffe": 0.03}
# And what has no name: pictures standardized by a mean and deviation of their own (CIFAR-10's, or each by itself),
# -0.5..0.5, and anything at all.
_STANDARDIZED, _CENTRED, _ANYTHING = 0.1, 0.03, 0.02
# Where an input has mean 0 and deviation 1: in the ten classifiers tried, `estimate` gave about half of the true
# deviation to a little more than all of it (of a Teachable Machine 0.6, of pictures of flat colours 0.54).
_STANDARDIZED_MEAN, _STANDARDIZED_LOG_DEVIATION = 0.1, 0.4
_ORDERS_OF_MAGNITUDE = 6

# A fit that leaves more than this of the remembered means, in their deviations, is none.
_MOST_LEFT = 0.5
_NOT_LINEAR = 1e-3
_NOISES = 4


class Estimate(NamedTuple):
    """Mean and deviation of the inputs in training, over all channels, and how uncertain the mean is."""

    mean: float
    deviation: float
    error: float


def estimate(view: View) -> Estimate | None:
    """What the inputs were like in training; None where nothing linear leads to a normalization, or nothing fits."""
    if not view.remembered:
        return None
    memory = view.remembered[0]
    shape = view.image_shape
    ones = np.ones(shape, np.float32)
    zero, up, down = (
        _mean_and_variance(view, [0 * ones]),
        _mean_and_variance(view, [ones]),
        _mean_and_variance(view, [-ones]),
    )
    slope = up[0] - zero[0]
    size = np.sqrt(np.maximum(memory.variance, 0) + max(memory.epsilon, 1e-12))
    if np.abs(up[0] + down[0] - 2 * zero[0]).max() > _NOT_LINEAR * max(np.abs(slope).max(), 1e-9):
        return None
    weights, wanted = slope / size, (memory.mean - zero[0]) / size
    if not weights @ weights > 0:
        return None
    mean = float(weights @ wanted / (weights @ weights))
    left = wanted - mean * weights
    noise = _mean_and_variance(view, _noises(shape))[1]
    rest = (memory.variance - mean**2 * up[1]) / np.maximum(noise, 1e-30)
    deviation = float(np.sqrt(max(np.median(rest), 0)))
    if not (deviation > 0 and np.sqrt(np.mean(left**2)) <= _MOST_LEFT):
        return None
    error = float(np.sqrt(left @ left / max(len(left) - 1, 1) / (weights @ weights)))
    return Estimate(mean, deviation, error)


def likelihoods(found: Estimate, targets: Mapping[str, Preprocessing]) -> dict[str, float]:
    """How likely each convention is, by what pictures are like, and each of those without a name; they sum to 1.

    Empty where none is possible.
    """
    weights = {name: _USUAL.get(name, 0.05) * _density(found, target) for name, target in targets.items()}
    shape = next(iter(targets.values()))
    centred = preprocessing((shape.height, shape.width, shape.channels), mean=[127.5], std=[255.0])
    weights[candidates.CENTRED] = _CENTRED * _density(found, centred)
    weights[candidates.OWN] = _STANDARDIZED * _standardized(found)
    weights[candidates.FITTED] = _ANYTHING * _anything(found)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()} if total > 0 else {}


def _density(found: Estimate, target: Preprocessing) -> float:
    ends = candidates.plain_colours(target)[:3:2].mean(axis=(1, 2, 3), dtype=np.float64)
    width = float(ends[1] - ends[0])
    mean, deviation, error = (found.mean - float(ends[0])) / width, found.deviation / width, found.error / width
    # No values between black and white have a larger deviation (Bhatia and Davis, 2000).
    near, far = np.clip([mean - 2 * error, mean + 2 * error], 0, 1)
    most = max(one * (1 - one) for one in (near, far, float(np.clip(0.5, near, far))))
    if not (-2 * error <= mean <= 1 + 2 * error and deviation**2 <= 1.2 * most):
        return 0.0
    spread = np.hypot(_MEAN_SPREAD, error)
    apart = ((mean - _MEAN) / spread) ** 2 + ((deviation - _DEVIATION) / _DEVIATION_SPREAD) ** 2
    photograph = np.exp(-apart / 2) / (2 * np.pi * spread * _DEVIATION_SPREAD)
    other = _LEAST_DEVIATION <= deviation <= _MOST_DEVIATION
    anything = 1 / (_MOST_DEVIATION - _LEAST_DEVIATION) if other else 0.0
    return float((_PHOTOGRAPHS * photograph + (1 - _PHOTOGRAPHS) * anything) / width**2)


def _standardized(found: Estimate) -> float:
    """The density of what is found where the inputs had mean 0 and deviation 1."""
    spread, log_spread = np.hypot(_STANDARDIZED_MEAN, found.error), _STANDARDIZED_LOG_DEVIATION
    apart = (found.mean / spread) ** 2 + (np.log(found.deviation) / log_spread) ** 2
    return float(np.exp(-apart / 2) / (2 * np.pi * spread * log_spread * found.deviation))


def _anything(found: Estimate) -> float:
    """The density where each magnitude of the deviation is as likely, and means lie within two deviations of 0."""
    spread = 2 * found.deviation
    mean = np.exp(-((found.mean / spread) ** 2) / 2) / (np.sqrt(2 * np.pi) * spread)
    return float(mean / (np.log(10) * _ORDERS_OF_MAGNITUDE * found.deviation))


def _mean_and_variance(
    view: View, inputs: list[NDArray[np.float32]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    moments = view.moments(np.stack(inputs).astype(np.float32))[0]
    mean = moments.mean.mean(axis=0)
    return mean, np.maximum(moments.square.mean(axis=0) - np.square(mean), 0)


def _noises(shape: tuple[int, int, int]) -> list[NDArray[np.float32]]:
    """Grey fields of mean 0 and deviation 1, with the spectrum of photographs: amplitude falls with frequency."""
    random = np.random.default_rng(0)
    height, width, channels = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width))
    frequency[0, 0] = 1 / max(height, width)
    fields = []
    for _ in range(_NOISES):
        field = np.fft.ifft2(np.fft.fft2(random.standard_normal((height, width))) / frequency).real
        field = (field - field.mean()) / field.std()
        fields.append(np.repeat(field[..., np.newaxis], channels, axis=2).astype(np.float32))
    return fields
