"""The interpreters an artifact can run on: one file each, the interpreter imported inside it.

A device has one of them installed, and importing the others would fail: so `open_interpreter` imports a
backend's file only when that backend is to run.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from camlite.errors import ArtifactError, BackendError
from camlite.system.installing import how_to_install
from camlite.texts import printable

if TYPE_CHECKING:
    from camlite.artifact import Artifact, Container
    from camlite.artifact.card import Card
    from camlite.backends.interpreter import Interpreter
    from camlite.soundness.limits import Proof

# container -> name of a backend, and of the module that it imports
_MODULES: Mapping[str, Mapping[str, str]] = {
    "tflite": {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"},
    "onnx": {"onnxruntime": "onnxruntime"},
}
# container, or name of a backend -> the extra that brings one
_EXTRAS: Mapping[str, str] = {
    "tflite": "litert",
    "onnx": "onnx",
    "ai-edge-litert": "litert",
    "tflite-runtime": "tflite",
    "onnxruntime": "onnx",
}

BACKENDS = tuple(name for modules in _MODULES.values() for name in modules)


# An interpreter starts as many threads as it is told, until it crashes.
MOST_THREADS = 256


def installed(container: Container) -> list[str]:
    """Names of the installed backends that run a model of this container, the preferred one first."""
    return [name for name, module in _MODULES[container].items() if importlib.util.find_spec(module)]


def none_installed(path: Path, container: Container, backend: str | None = None) -> BackendError:
    """The error where what would run an artifact is not there, with what to install."""
    wanted = backend or f"backend for {container} artifacts"
    return BackendError(f"{path}: no {wanted} installed; {how_to_install(_EXTRAS[backend or container])}")


def version(backend: str) -> str:
    """The installed version of a backend; "of unknown version" where another distribution brings its module."""
    import importlib.metadata  # it brings email with it, and takes a tenth of the time that `import camlite` takes

    try:
        return importlib.metadata.version(backend)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def verify(container: Container, model: bytes) -> Proof:
    """Prove that a model is one that an interpreter may see; the proof says what it takes.

    Raises:
        ValueError: it is not; says where.
    """
    proof: Proof = importlib.import_module(f"camlite.soundness.{container}_model").verify(model)
    return proof


def import_preferred(container: Container) -> None:
    """Import what `open_interpreter` would take by default, where there is one: beforehand, as it takes a while."""
    for name in installed(container)[:1]:
        _imported(container, name)


def _imported(container: Container, name: str) -> ModuleType:
    return importlib.import_module(f"camlite.backends.{_MODULES[container][name]}_backend")


def open_interpreter(
    artifact: Artifact, backend: str | None = None, threads: int = 1, any_card: bool = False
) -> Interpreter:
    """Load the artifact's model into an interpreter, after it was proven sound.

    Args:
        artifact: what was read; backend, threads: see `camlite.load`.
        any_card: open a sound model whose card speaks of other shapes, too: for a report of what differs.

    Raises:
        ArtifactError: the model is not sound, or not the one that its card speaks of.
        BackendError: the backend does not run this container, is not installed, or cannot load the model; or the number
            of threads is not a whole one from 1 to `MOST_THREADS`.
    """
    if type(threads) is not int or not 1 <= threads <= MOST_THREADS:
        raise BackendError(f"threads: expected a whole number from 1 to {MOST_THREADS}, received {threads!r:.40}")
    able = _MODULES[artifact.container]
    if backend is not None and backend not in able:
        raise BackendError(
            f"{artifact.path}: backend {backend!r} does not run {artifact.container} artifacts; "
            f"expected one of {', '.join(able)}"
        )
    found = installed(artifact.container)
    if backend not in (None, *found) or not found:
        raise none_installed(artifact.path, artifact.container, backend)
    name = backend or found[0]
    check_sound(artifact, any_card)
    module = _imported(artifact.container, name)
    try:
        interpreter: Interpreter = module.open_model(artifact.model, threads)
    except (RuntimeError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BackendError(f"{artifact.path}: {name} {version(name)} cannot load it: {printable(reason)}") from error
    _view_channels_last(interpreter, artifact.card)
    return interpreter


def _view_channels_last(interpreter: Interpreter, card: Card) -> None:
    """Image and features as everything else looks at them, whatever the model's own layout: nothing is copied."""
    if card.image_layout == "chw" and interpreter.image.ndim == 3:
        interpreter.image = interpreter.image.transpose(1, 2, 0)
        interpreter.input = interpreter.input._replace(shape=interpreter.image.shape)
    features = interpreter.results.get("features")
    if card.features_layout == "chw" and features is not None and features.ndim == 3:
        memory = features.transpose(1, 2, 0)
        tensor = interpreter.outputs["features"]._replace(shape=memory.shape)
        interpreter.results = {**interpreter.results, "features": memory}
        interpreter.outputs = {**interpreter.outputs, "features": tensor}


def check_sound(artifact: Artifact, any_card: bool = False) -> None:
    """Prove that an interpreter may see an artifact's model, and that it is the one that its card speaks of.

    Args:
        artifact: what was read.
        any_card: do not look at the card.

    Raises:
        ArtifactError: it is not.
    """
    try:
        proof = verify(artifact.container, artifact.model)
    except ValueError as error:
        raise ArtifactError(
            f"{artifact.path}: no sound {artifact.container} model: {printable(str(error)[:300])}; export it again"
        ) from None
    if any_card:
        return
    from camlite.soundness import card_shapes  # here, so that what only reads an artifact does not import it

    try:
        card_shapes.check(proof, artifact.card, artifact.arrays.guide)
    except ValueError as error:
        raise ArtifactError(f"{artifact.path}: {printable(str(error)[:600])}; export it again") from None
