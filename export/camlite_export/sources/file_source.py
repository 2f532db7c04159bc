"""A classifier of which there is the file that ships, and nothing else: a `.tflite` or an `.onnx`.

Each kind of file has a reader that makes a `FileSource` of it: its graph, the original in its own interpreter, and
what the file tells of labels and pixels. All that follows is the same for all of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, cast

import numpy as np

from camlite import backends
from camlite.artifact import Container
from camlite.artifact.card import Activation, Layout
from camlite.artifact.precisions import Precision
from camlite.backends.interpreter import Tensor
from camlite.errors import ClassifierError
from camlite.system.installing import how_to_install
from camlite_export.sources import graph_ends, operations, original_process
from camlite_export.sources.graph import Change, Graph, Key, Node
from camlite_export.sources.graph_ends import Ends
from camlite_export.sources.operations import Shortcut
from camlite_export.sources.source import Answer, Floats, KnownPixels, Step

_BATCH = 32


@dataclass(frozen=True)
class GraphStep(Step):
    """An operation of a file. Shapes are (None, H, W, C). However it is given, it is the same step.

    Attributes:
        key: the tensor that it gives.
        node: what does it.
        is_turned: whether a map that the file has as (N, H, W, C) is given as (N, C, H, W), see
            `FileSource.keeping_scores`.
    """

    key: Key = -1
    node: Node = field(default=cast(Node, None), repr=False, compare=False)
    is_turned: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class ToldPixels:
    """What a file itself says of its pixels: ``(pixel - mean) / std`` on 0..255, and where it says so."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    reason: str


class OpenFile(Protocol):
    """What a reader gives besides the graph: the file, ready for its interpreter."""

    @property
    def model(self) -> bytes:
        """The original, proven sound: what its interpreter is given."""
        ...

    @property
    def can_turn(self) -> bool:
        """Whether a map can also be given turned to (N, C, H, W)."""
        ...

    def with_output(self, key: Key, turned: bool) -> tuple[bytes, Key]:
        """The same, giving this tensor besides, and what that output is called; nothing else of it is changed."""
        ...

    def port(self, key: Key) -> Tensor:
        """Dtype, shape without the batch and quantization of a tensor, as its interpreter stores it."""
        ...


@dataclass(frozen=True, eq=False)
class FileSource:
    """A classifier as a file, see `camlite_export.sources.source.Source`.

    Attributes:
        name: of the file.
        container, precision: what it is; an artifact of it is the same.
        file, graph: see there.
        content: the file's bytes as they were given.
        labels: that the file carries.
        told: what it says of its pixels.
        mended: what had to be changed so that interpreters load it, a line each.
        backend: which interpreter answers; the preferred one that is installed, where nobody says.
    """

    name: str
    container: Container
    precision: Precision
    file: OpenFile
    graph: Graph
    content: bytes
    labels: tuple[str, ...] | None = None
    told: ToldPixels | None = None
    mended: tuple[str, ...] = ()
    backend: str | None = None

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """See `camlite_export.sources.source.Source`, as all below."""
        _, *sides = self.graph.shapes[self.graph.image]
        if len(sides) == 2:  # grey, without an axis for it
            return (sides[0], sides[1], 1)
        return cast(tuple[int, int, int], (*sides[1:], sides[0]) if self._image_is_first else tuple(sides))

    @property
    def _image_is_first(self) -> bool:
        return self.graph.image in self.graph.channels_first

    @property
    def image_layout(self) -> Layout:
        """Of the file's own input."""
        return "chw" if self._image_is_first else "hwc"

    def layout_of(self, step: Step) -> Layout:
        """Of the output that a step's tensor is given as."""
        known = cast(GraphStep, step)
        return "chw" if known.is_turned or known.key in self.graph.channels_first else "hwc"

    @property
    def dtype(self) -> str:
        """By the precision of its tensors."""
        return {"float16": "float16", "int8": "int8", "int16x8": "int16"}.get(self.precision, "float32")

    @cached_property
    def ends(self) -> Ends:
        """Logits and what makes scores of them, by structure."""
        return graph_ends.find(self.graph)

    @property
    def classes(self) -> int:
        """K."""
        return max(2, math.prod(self.graph.shapes[self.graph.scores]))

    @property
    def activation(self) -> Activation:
        """By structure."""
        return self.ends.activation

    @cached_property
    def saturation(self) -> str | None:
        """By structure."""
        return graph_ends.saturation(self.graph, self.ends.logits)

    @cached_property
    def parameters(self) -> int:
        """Of all kernels."""
        return sum(step.parameters for step in self.steps)

    @cached_property
    def digest(self) -> str:
        """Over the file's bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pixels(self) -> KnownPixels:
        """Where the file does not say more, see `told`, nothing is known."""
        return KnownPixels("raw" if self.takes_pixels else "unit", "it says no more")

    @property
    def takes_pixels(self) -> bool:
        """Whether its input is integers without a scale: pixels as they are."""
        return self.input.dtype.kind in "iu" and not self.input.scale

    @cached_property
    def input(self) -> Tensor:
        """The image's tensor, as its interpreter stores it."""
        return self.file.port(self.graph.image)

    @cached_property
    def steps(self) -> tuple[GraphStep, ...]:
        """Every node that the image meets on its way to the scores; of several outputs, the one that goes on."""
        nodes = self.graph.between([self.graph.image], [self.graph.scores]) or ()
        behind = self.graph.depends_on(self.graph.image)
        return tuple(self._step(node) for node in nodes if behind.intersection(node.outputs))

    def _step(self, node: Node) -> GraphStep:
        key = node.outputs[0]
        _, *sides = self.graph.shapes[key]
        if key in self.graph.channels_first and len(sides) == 3:
            sides = [*sides[1:], sides[0]]
        return GraphStep(node.name, node.kind, (None, *sides), node.parameters, key, node)

    def answer(self, images: Floats, step: Step) -> Answer:
        """Scores by the file as it is; features by the same with one more output."""
        stored = self._stored(images)
        (scores,) = self._run(self.file.model, (self.graph.scores,), stored)
        return Answer(self.features(images, step), self.scores_of(scores))

    def features(self, images: Floats, step: Step) -> Floats:
        """The same without the scores, at half the cost."""
        model, output = self._giving(cast(GraphStep, step))
        (found,) = self._run(model, (output,), self._stored(images), (cast(GraphStep, step).key,))
        if found.ndim == 4 and self.layout_of(step) == "chw":
            found = np.ascontiguousarray(found.transpose(0, 2, 3, 1))
        return found

    def keeping_scores(self, images: Floats, step: GraphStep) -> GraphStep | None:
        """The step, given so that the file gives the same scores, to the bit, as without it; None where none does.

        Interpreters put operators together, or in another order, where nobody looks at what is between. Among the
        transposes of tf2onnx, it is one layout or the other that leaves onnxruntime the order that it had.
        """
        stored = self._stored(images)
        (expected,) = self._run(self.file.model, (self.graph.scores,), stored)
        ways = [step]
        if self.file.can_turn and len(step.shape) == 4 and self.layout_of(step) == "hwc":
            ways.append(dataclasses.replace(step, is_turned=True))
        for way in ways:
            (received,) = self._run(self._giving(way)[0], (self.graph.scores,), stored)
            if np.array_equal(received, expected, equal_nan=True):
                return way
        return None

    def _giving(self, step: GraphStep) -> tuple[bytes, Key]:
        """The file with one more output, and its name; made once for each."""
        wanted = (step.key, step.is_turned)
        if wanted not in self._made:
            self._made[wanted] = self.file.with_output(*wanted)
        return self._made[wanted]

    @cached_property
    def _made(self) -> dict[tuple[Key, bool], tuple[bytes, Key]]:
        return {}

    def scores_of(self, given: Floats) -> Floats:
        """Float32 (N, K) of what the file gives, (N, ...); of one sigmoid p, 1 - p and p."""
        flat = given.reshape(len(given), -1)
        return np.concatenate([1 - flat, flat], axis=1) if flat.shape[1] == 1 else flat

    def _stored(self, images: Floats) -> Any:
        """Images (N, H, W, channels) as the input stores them."""
        taken = images[..., 0] if len(self.input.shape) == 2 else images
        return self.input.quantize(np.ascontiguousarray(self.graph.with_own_layout(taken, self.graph.image)))

    def _run(
        self, model: bytes, keys: tuple[Key, ...], stored: Any, tensors: tuple[Key, ...] | None = None
    ) -> list[Floats]:
        """Real numbers of some outputs as they are given; of these tensors, where outputs have other names."""
        backend = self.backend or next(iter(backends.installed(self.container)), None)
        if backend is None:
            what = {"tflite": "litert", "onnx": "onnx"}[self.container]
            raise ClassifierError(f"{self.name}: no interpreter for it is installed; {how_to_install(what)}")
        process = original_process.process_of(self.container)
        found = process.answer(backend, model, keys, stored, self.name)
        return [self.file.port(key).dequantize(values) for key, values in zip(tensors or keys, found, strict=True)]

    def logits(self, features: Floats, step: Step) -> Floats:
        """By the float twin: what an interpreter has no way to be asked."""
        import tensorflow as tf

        head = self.head(step)
        if head is None:
            raise ClassifierError(f"{self.name}: the scores do not follow from layer {step.name!r} alone")
        batches = (features[start : start + _BATCH] for start in range(0, len(features), _BATCH))
        return np.concatenate([np.asarray(head(tf.constant(batch)), np.float32) for batch in batches])

    def head(self, step: Step) -> Callable[..., Any] | None:
        """The float twin from features (N, h, w, C) to logits (N, K), or None where the logits need more than that."""
        key = cast(GraphStep, step).key
        nodes = self.graph.between([key], [self.ends.logits])
        if nodes is None or not all(node.is_known for node in nodes):
            return None
        return self.twin([step])

    def unknown_behind(self, step: Step) -> str | None:
        """The kind of an operator without a twin that the scores need from here on; None where there is none."""
        nodes = self.graph.between([cast(GraphStep, step).key], [self.ends.logits]) or ()
        return next((node.kind for node in nodes if not node.is_known), None)

    def past(self, step: Step) -> Shortcut | None:
        """What goes past a step to the scores; None where all goes through it."""
        return operations.shortcut(self.graph.operations, self.graph.image, cast(GraphStep, step).key, self.ends.logits)

    def twin(self, steps: Sequence[Step], end: Step | None = None) -> Callable[..., Any]:
        """The float twin from the outputs of some steps, (N, h, w, C) each, to that of another, or to the logits.

        Layouts are turned, as the file wants them, inside.
        """
        keys = [cast(GraphStep, step).key for step in steps]

        def compute(
            *values: Any,
            training: bool = False,
            constants: Mapping[Key, Any] | None = None,
            change: Change | None = None,
        ) -> Any:  # called as Keras's models are
            del training
            given = {key: self.graph.with_own_layout(one, key) for key, one in zip(keys, values, strict=True)}
            if end is not None:
                last = cast(GraphStep, end).key
                (found,) = self.graph.compute(given, [last], constants, change)
                return self.graph.with_channels_last(found, last)
            (found,) = self.graph.compute(given, [self.ends.logits], constants, change)
            return self.ends.finished(found)

        return compute

    def twin_of_image(
        self, images: Any, end: Step, constants: Mapping[Key, Any] | None = None, change: Change | None = None
    ) -> Any:
        """The float twin from images (N, H, W, channels) to a step's output (N, h, w, C)."""
        taken = images[..., 0] if len(self.input.shape) == 2 else images
        given = {self.graph.image: self.graph.with_own_layout(taken, self.graph.image)}
        last = cast(GraphStep, end).key
        (found,) = self.graph.compute(given, [last], constants, change)
        return self.graph.with_channels_last(found, last)
