"""Evidence of the graph, read with the bare interpreter: python without_camlite.py ARTIFACT.PRECISION.tflite IMAGE.npy.

Needs ai-edge-litert only, which brings numpy.
The image is what the classifier takes, float32 (height, width, channels). Prints the class and where its evidence is.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(sys.argv[1])
run = interpreter.get_signature_runner()
((image, entrance),) = run.get_input_details().items()
exits = run.get_output_details()


def quantized(values, tensor):
    """As the model takes them: int8 artifacts count in steps of a scale, from a zero point."""
    scale, zero = tensor["quantization"]
    if scale == 0:
        return values
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.rint(values / scale + zero), limits.min, limits.max).astype(tensor["dtype"])


def numbers(values, tensor):
    """The opposite."""
    scale, zero = tensor["quantization"]
    return values if scale == 0 else (values.astype(np.float32) - zero) * scale


outputs = run(**{image: quantized(np.load(sys.argv[2])[np.newaxis], entrance)})
scores, maps = (numbers(outputs[name][0], exits[name]) for name in ("scores", "evidence"))

top = int(scores.argmax())
evidence = maps[:, :, top]  # (h, w), in logits; its sum and the bias of the class are its logit
row, column = np.unravel_index(evidence.argmax(), evidence.shape)
print(f"class {top}, row {row} of {evidence.shape[0]}, column {column} of {evidence.shape[1]}")
