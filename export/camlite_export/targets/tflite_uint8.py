"""An integer TFLite model with uint8 at both ends, for other programs: ``camlite export --outputs uint8``.

MediaPipe takes float32 or uint8 outputs, but no int8. An operator after each int8 output adds 128 to what is stored
and to the zero point: the real numbers stay the same to the bit.

Such programs hand uint8 pixels over as they are, whatever the metadata say and whatever scale the input has. The
converter gives the input the range of the calibration images, with which pixels would be misread. So the input gets the
scale of pixels, and the operator after it rescales. This needs one scale and one offset for all channels.
"""

from __future__ import annotations

import copy
from typing import Literal

import numpy as np

from camlite.artifact.card import Preprocessing
from camlite.errors import ClassifierError
from camlite_export.targets.tflite_editing import INT8, QUANTIZE, UINT8, TfliteGraph

Outputs = Literal["int8", "uint8"]

_SHIFT = 128
# Pixels as -1..1 have their zero at 127.5. Each pixel would then lie half way between two steps, and each reader round
# it its own way. With so much less of a scale none does, and no pixel moves by more than 1/30 of a step.
_NEAR_A_TIE, _OFF_THE_TIES = 0.4, 1 - 2**-12
_VERSION = 1  # the least of QUANTIZE that does it; a higher one that is there stays


def check_pixels(target: Preprocessing) -> None:
    """See whether pixels can go in as they are.

    Raises:
        ClassifierError: they cannot: blue is the first channel, or one scale and zero point do not say what is done.
    """
    why = None
    if target.order != "rgb":
        why = "this classifier takes blue first (BGR)"
    elif len(set(zip(target.scale, target.offset, strict=True))) > 1:
        why = "this classifier has a mean or deviation of its own for each channel"
    elif target.scale[0] <= 0 or not 0 <= -target.offset[0] / target.scale[0] <= 255:
        why = "no uint8 zero point says what this classifier does with pixels"
    if why:
        raise ClassifierError(
            f"--outputs uint8: {why}, but programs that need uint8 outputs hand RGB pixels over as they are; leave it "
            f"out, or put the normalization into the classifier, as a layer"
        )


def convert(model: bytes, target: Preprocessing) -> bytes:
    """The model with uint8 pixels in as they are, and with its int8 outputs as uint8; float32 outputs stay.

    Args:
        model: with a uint8 image and int8 outputs, by the converter.
        target: that passes `check_pixels`.

    Raises:
        ClassifierError: something else than one rescaling operator takes the image.
    """
    graph = TfliteGraph(model)
    _take_pixels(graph, target)
    made: dict[int, int] = {}
    for index in map(int, graph.graph.outputs):
        tensor = graph.graph.tensors[index]
        if tensor.type != INT8 or index in made:
            continue
        quantization = copy.deepcopy(tensor.quantization)
        quantization.zeroPoint = np.asarray(quantization.zeroPoint, np.int64) + _SHIFT
        made[index] = graph.add_tensor(tensor.name + b"_uint8", tensor.shape, UINT8, 0, quantization)
        graph.graph.operators.append(graph.operator(QUANTIZE, _VERSION, [index], made[index]))
    graph.graph.outputs = np.array([made.get(int(one), int(one)) for one in graph.graph.outputs], np.int32)
    for signature in graph.model.signatureDefs or ():
        for named in signature.outputs:
            named.tensorIndex = made.get(int(named.tensorIndex), int(named.tensorIndex))
    return graph.to_bytes()


def _take_pixels(graph: TfliteGraph, target: Preprocessing) -> None:
    (image,) = map(int, graph.graph.inputs)
    takers = [graph.kind(one) for one in graph.graph.operators if image in map(int, one.inputs)]
    if graph.graph.tensors[image].type != UINT8 or set(takers) != {QUANTIZE}:
        raise ClassifierError("--outputs uint8: TFLite's converter rescales no uint8 image here; leave it out")
    quantization = graph.graph.tensors[image].quantization
    scale, zero = target.scale[0], -target.offset[0] / target.scale[0]
    if abs(zero - round(zero)) > _NEAR_A_TIE:
        scale *= _OFF_THE_TIES
    quantization.scale = np.array([scale], np.float32)
    quantization.zeroPoint = np.array([round(zero)], np.int64)
