"""camlite on the device: the class, and the Class Activation Map that says where the classifier looked.

    explainer = camlite.load("fashion_mnist.int8.tflite")
    explanation = explainer.explain(image)
    explanation.label, explanation.score, explanation.overlay()

Needs numpy and one interpreter (ai-edge-litert, tflite-runtime or onnxruntime), which `load` imports.
"""

from camlite.errors import ArtifactError, BackendError, CamliteError, ClassifierError, ImageError
from camlite.explainer import Explainer, Explanation, load
from camlite.golden import Check, check

__version__ = "0.1.0"

__all__ = [
    "ArtifactError",
    "BackendError",
    "CamliteError",
    "Check",
    "ClassifierError",
    "Explainer",
    "Explanation",
    "ImageError",
    "check",
    "load",
]
