"""The golden samples that an artifact carries."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from camlite import artifact, backends
from camlite.artifact import Container, Sign
from camlite.artifact.card import Preprocessing
from camlite.artifact.precisions import Tolerance
from camlite.errors import CamliteError, ClassifierError
from camlite.images import preprocessing
from camlite.images.labelled_images import LabelledImages
from camlite.maps import resize
from camlite.system.files import scratch
from camlite.texts import counted
from camlite_export.agreement.interpreter_process import InterpreterProcess
from camlite_export.agreement.reference import inputs_of, reference_of
from camlite_export.agreement.runner import Runner
from camlite_export.cutting.cut import Cut
from camlite_export.cutting.file_cut import FileCut

_SAMPLES = 4
_CANDIDATES = 40
# Of MobileNetV2 in int8, four images of 48 x 48 are 0.7 %, of 64 x 64 1.2 %: nothing packs them.
_LARGEST_SIDE = 48
_SHARE_OF_A_FILE, _SMALLEST_SIDE = 0.005, 12
_DETAIL = 6
_NONE = Tolerance(0, 0, 0)


def choose(calibration: LabelledImages | None, target: Preprocessing, cut: Cut) -> NDArray[np.uint8]:
    """Golden images, uint8 (N, H, W, channels), at most 48 pixels a side: the device resizes them as any image.

    Calibration images that the classifier gives to different classes, and those of which it is the least sure:
    scores near 0 and 1 hardly move, whatever is wrong. None that the classifier gives no numbers to: one that divides
    by an image's contrast gives none to a black one. Seeded random fields where there are no images.

    Raises:
        ClassifierError: it gives numbers to none.
    """
    largest = _largest_side(cut)
    height, width = min(target.height, largest), min(target.width, largest)
    if calibration is None:
        return _random_fields(height, width, target.channels)
    small = Preprocessing(
        height, width, target.channels, (1.0,) * target.channels, (0.0,) * target.channels, target.fit
    )
    spread = np.linspace(0, len(calibration) - 1, min(_CANDIDATES, len(calibration))).astype(int)
    prepared = (preprocessing.prepare(calibration[int(i)], small) for i in spread)
    candidates = np.stack([np.rint(pixels).clip(0, 255).astype(np.uint8) for pixels in prepared])
    answers = reference_of(cut, inputs_of(list(candidates), target))
    known = np.isfinite(answers.scores).all(axis=1) & np.isfinite(answers.evidence).all(axis=(1, 2))
    if not known.any():
        tried = counted(len(known), "calibration picture")
        raise ClassifierError(
            f"{cut.source.name}: its answers to {tried} that were tried are not finite numbers; expected pictures of "
            f"its classes, with pixels as it was trained on"
        )
    candidates, scores = candidates[known], answers.scores[known]
    unsure_first = scores.max(axis=1).argsort(kind="stable")
    _, firsts = np.unique(scores[unsure_first].argmax(axis=1), return_index=True)
    of_different_classes = unsure_first[np.sort(firsts)]
    others = unsure_first[~np.isin(unsure_first, of_different_classes)]
    return np.asarray(candidates[np.concatenate([of_different_classes, others])[:_SAMPLES]])


def least_errors(cut: Cut) -> Tolerance:
    """How far an artifact may be from the original on another interpreter, whatever it is on this one.

    A file that ships is no further from itself than its interpreters are from each other. In 8 bits those were by
    up to 0.14 in a score and 0.19 in evidence (ai-edge-litert 2.3, tflite-runtime 2.14; ResNet8, MobileNetV2 on noise).
    """
    in_integers = isinstance(cut, FileCut) and cut.source.precision in ("dynamic", "int8", "int16x8")
    return Tolerance(0.05, 0.15, 0.05) if in_integers else _NONE


def _largest_side(cut: Cut) -> int:
    """Of a file that ships, which is to stay as small as it is, golden images are half a percent at the most."""
    if not isinstance(cut, FileCut):
        return _LARGEST_SIDE
    side = math.isqrt(int(_SHARE_OF_A_FILE * len(cut.source.content)) // (_SAMPLES * cut.image_shape[2]))
    return min(_LARGEST_SIDE, max(_SMALLEST_SIDE, side))


def carry_errors(
    files: Mapping[str, bytes],
    process_of: Callable[[Container], InterpreterProcess],
    sign: Sign | None = None,
    least: Tolerance = _NONE,
) -> dict[str, bytes]:
    """Let each artifact answer its golden samples here, and carry how far it is from Keras: `camlite check` starts
    from there.

    Args:
        files: name -> artifact. One whose interpreter is not installed, fails, or answers no numbers, is left as it is.
        process_of: of `interpreter_process.interpreter_processes`.
        sign: signs those that are changed, see `camlite.artifact.pack`.
        least: what counts as their errors at the least, see `least_errors`.
    """
    carrying = dict(files)
    with scratch() as folder:
        begun = {}
        for name, content in files.items():
            path = folder / name
            path.write_bytes(content)
            read = artifact.read(path)
            backend = next(iter(backends.installed(read.container)), None)
            if backend is not None:
                begun[name] = read, Runner(read, backend, process_of(read.container)).check()
        for name, (read, checked) in begun.items():
            try:
                samples = checked().samples
            except CamliteError:  # whoever judges it meets the same, and says so
                continue
            figures = [[getattr(sample, figure) or 0.0 for figure in Tolerance._fields] for sample in samples]
            with np.errstate(over="ignore"):
                errors = np.maximum(np.array(figures), least).astype(np.float32)
            if np.isfinite(errors).all():
                arrays = read.arrays._replace(golden_errors=errors)
                carrying[name] = artifact.pack(read.container, read.model, read.card, arrays, sign)
    return carrying


def _random_fields(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    rows, columns = resize.resize_matrix(_DETAIL, height), resize.resize_matrix(_DETAIL, width)
    coarse = random.uniform(0, 255, (_SAMPLES, channels, _DETAIL, _DETAIL)).astype(np.float32)
    fields = np.moveaxis(rows @ coarse @ columns.T, 1, -1)
    return np.asarray(np.rint(fields).astype(np.uint8))
