"""camlite on the device: the class, and the Class Activation Map that says where the classifier looked.

    explainer = camlite.load("fashion_mnist.int8.tflite")
    explanation = explainer.explain(image)
    explanation.label, explanation.score, explanation.overlay()

Needs numpy and one interpreter (ai-edge-litert, tflite-runtime or onnxruntime), which `load` imports.
"""

from __future__ import annotations

from camlite.errors import ArtifactError, BackendError, CamliteError, ClassifierError, ImageError

TYPE_CHECKING = False  # as in typing, whose import would delay the moment from which Ctrl-C is caught
if TYPE_CHECKING:
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

# numpy and what needs it come with the first that asks: the commands, and a process that only explains, start sooner.
_MODULES = {
    "Check": "camlite.golden",
    "Explainer": "camlite.explainer",
    "Explanation": "camlite.explainer",
    "check": "camlite.golden",
    "load": "camlite.explainer",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULES[name]), name)
