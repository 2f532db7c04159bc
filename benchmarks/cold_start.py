"""The least that classifies a picture file: numpy, Pillow, an interpreter. `camlite explain` is measured against it."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

interpreter = Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
(image,) = interpreter.get_input_details()
pixels = np.asarray(Image.open(sys.argv[2]).convert("L"))
interpreter.set_tensor(image["index"], pixels[np.newaxis, ..., np.newaxis])
interpreter.invoke()
runner = interpreter.get_signature_runner("serving_default")
print(interpreter.get_tensor(runner.get_output_details()["scores"]["index"])[0].argmax())
