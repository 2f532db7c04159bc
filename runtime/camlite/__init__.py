"""camlite on the device: the class, and the Class Activation Map that says where the classifier looked.

    explainer = camlite.load("fashion_mnist.int8.tflite")
    explanation = explainer.explain(camlite.read_image("photo.jpg"))
    explanation.label, explanation.score, explanation.overlay()

It needs numpy and one interpreter: ai-edge-litert, tflite-runtime or onnxruntime.
"""

from __future__ import annotations

from camlite.errors import AnswerError, ArtifactError, BackendError, CamliteError, ClassifierError, ImageError

TYPE_CHECKING = False  # as in typing, whose import would delay the moment from which Ctrl-C is caught
if TYPE_CHECKING:
    from camlite.explainer import Explainer, Explanation, load
    from camlite.images.picture_files import read_image
    from camlite.self_check import Check, check

__version__ = "1.0.0rc1"

__all__ = [
    "AnswerError",
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
    "read_image",
]

# Imported with the first that asks: numpy and what needs it would make every command start later.
_MODULES = {
    "Check": "camlite.self_check",
    "Explainer": "camlite.explainer",
    "Explanation": "camlite.explainer",
    "check": "camlite.self_check",
    "load": "camlite.explainer",
    "read_image": "camlite.images.picture_files",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULES[name]), name)
