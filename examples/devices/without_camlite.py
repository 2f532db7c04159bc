"""Evidence of the graph, read with the bare interpreter: python without_camlite.py ARTIFACT.float32.tflite IMAGE.npy.

The image is what the classifier takes, float32 (height, width, channels). Prints the class and where its evidence is.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(sys.argv[1])
run = interpreter.get_signature_runner()
(image,) = run.get_input_details()
outputs = run(**{image: np.load(sys.argv[2])[np.newaxis]})

top = int(outputs["scores"][0].argmax())
evidence = outputs["evidence"][0, :, :, top]  # (h, w), in logits; its sum and the bias of the class are its logit
row, column = np.unravel_index(evidence.argmax(), evidence.shape)
print(f"class {top}, row {row} of {evidence.shape[0]}, column {column} of {evidence.shape[1]}")
