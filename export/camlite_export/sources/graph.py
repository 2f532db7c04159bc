"""A classifier's graph, whatever file it was read from: what can be asked of it without its interpreter.

A reader (`camlite_export.sources.tflite`) makes one of a file. Each node can compute itself with functions of
TensorFlow, in float32: all of them together are the file's *float twin*. The twin is never the original: answers come
from the file's own interpreter. It says what an interpreter cannot be asked: logits of made-up features, and gradients.

Tensors keep the shapes that the file gives them, with a batch of 1; the twin takes any batch, as far as its nodes do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite_export.sources.operations import Operation

Key = int | str
"""What a file calls a tensor by: its index, or its name."""

Run = Callable[[Sequence[Any]], Sequence[Any]]
"""Tensors of TensorFlow, or arrays of constants (None: left out) -> outputs. Real numbers are float32."""

Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Node:
    """One operation.

    Attributes:
        name: of what it gives, as people know it; unique.
        kind: as the format calls it, ``CONV_2D`` or ``Conv``.
        inputs: tensors that it takes; None for one that was left out.
        outputs: tensors that it gives.
        run: its part of the float twin.
        parameters: how many numbers it has learned; 0 for all but kernels.
        is_local: whether it leaves each place where it is, or mixes it with its neighbours only.
        beta: what a softmax multiplies its input with.
        window, stride: of a convolution: its height, and how far it moves.
        is_known: whether it has a twin; `run` of one that has none raises `ClassifierError`.
    """

    name: str
    kind: str
    inputs: tuple[Key | None, ...]
    outputs: tuple[Key, ...]
    run: Run
    parameters: int = 0
    is_local: bool = True
    beta: float = 1.0
    window: int = 0
    stride: int = 1
    is_known: bool = True


@dataclass(frozen=True, eq=False)
class Graph:
    """From one image to scores.

    Attributes:
        nodes: in an order in which they can run; without those that take constants only.
        constants: by tensor; dequantized where the file has integers of a scale.
        shapes: by tensor, with a batch of 1.
        image: the tensor that the image goes into.
        scores: the tensor that the scores come from.
        channels_first: the tensors, the image or maps, that are (N, C, H, W) inside; others are (N, H, W, C).
    """

    nodes: tuple[Node, ...]
    constants: Mapping[Key, NDArray[Any]]
    shapes: Mapping[Key, tuple[int, ...]]
    image: Key
    scores: Key
    channels_first: frozenset[Key] = frozenset()

    @cached_property
    def makers(self) -> Mapping[Key, Node]:
        """The node that gives each tensor."""
        return {output: node for node in self.nodes for output in node.outputs}

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """The nodes, for questions that do not depend on what they compute; without constants."""
        return tuple(
            Operation(
                node.name,
                node.kind,
                [key for key in node.inputs if key is not None and key not in self.constants],
                node.outputs,
            )
            for node in self.nodes
        )

    def between(self, starts: Collection[Key], ends: Iterable[Key]) -> tuple[Node, ...] | None:
        """The nodes that make some tensors of others, in order; None where they need more than these and constants."""
        needed: set[int] = set()
        waiting = [key for key in ends if key not in starts]
        while waiting:
            key = waiting.pop()
            if key in self.constants:
                continue
            node = self.makers.get(key)
            if node is None:
                return None
            if id(node) not in needed:
                needed.add(id(node))
                waiting += [one for one in node.inputs if one is not None and one not in starts]
        return tuple(node for node in self.nodes if id(node) in needed)

    def compute(
        self,
        values: Mapping[Key, Any],
        ends: Sequence[Key],
        constants: Mapping[Key, NDArray[Any]] | None = None,
        change: Change | None = None,
    ) -> list[Any]:
        """The float twin from some tensors to others.

        Args:
            values: tensors of TensorFlow by their keys, in the layout of the file, any batch.
            ends: what is wanted.
            constants: in place of the file's own, by their keys.
            change: makes of what kernels and merges are given something else; not while a graph is traced.

        Raises:
            ValueError: these do not follow from those.
        """
        nodes = self.between(values.keys(), ends)
        if nodes is None:
            raise ValueError("more than these tensors is needed")
        batch = next((one.shape[0] for one in values.values()), 1)
        if batch not in (None, 1) and not self._keep_batches(nodes):
            import tensorflow as tf

            each = zip(*(tf.split(one, batch) for one in values.values()), strict=True)
            parts = (self.compute(dict(zip(values, one, strict=True)), ends, constants, change) for one in each)
            return [tf.concat(one, axis=0) for one in zip(*parts, strict=True)]
        known = {**self.constants, **(constants or {}), **values}
        for node in nodes:
            given = [None if key is None else known[key] for key in node.inputs]
            if change is not None and (node.parameters or sum(key not in self.constants for key in node.inputs) > 1):
                given = [_changed(one, change) for one in given]
            known.update(zip(node.outputs, node.run(given), strict=True))
        return [known[key] for key in ends]

    def _keep_batches(self, nodes: Iterable[Node]) -> bool:
        """Whether what they give has the batch for its first axis everywhere; exporters know that it is 1."""
        return all(self.shapes[output][:1] == (1,) for node in nodes for output in node.outputs)

    def depends_on(self, key: Key) -> frozenset[Key]:
        """All tensors that are made of one, itself among them."""
        found = {key}
        for node in self.nodes:
            if found.intersection(node.inputs):
                found.update(node.outputs)
        return frozenset(found)

    def with_channels_last(self, values: Any, key: Key) -> Any:
        """A map (N, ...) of the file as (N, H, W, C): numpy's, or a tensor of TensorFlow."""
        return self._moved(values, key, (0, 2, 3, 1))

    def with_own_layout(self, values: Any, key: Key) -> Any:
        """A map (N, H, W, C) in the layout that a tensor of the file has: numpy's, or a tensor of TensorFlow."""
        return self._moved(values, key, (0, 3, 1, 2))

    def _moved(self, values: Any, key: Key, axes: tuple[int, ...]) -> Any:
        if key not in self.channels_first or len(values.shape) != 4:
            return values
        if isinstance(values, np.ndarray):
            return np.ascontiguousarray(values.transpose(axes))
        import tensorflow as tf

        return tf.transpose(values, axes)


def _changed(values: Any, change: Change) -> Any:
    """A tensor of TensorFlow in real numbers, changed; constants are left alone."""
    if values is None or isinstance(values, np.ndarray) or str(values.dtype.name) != "float32":
        return values
    import tensorflow as tf

    return tf.constant(change(values.numpy()))


def folded(
    nodes: Iterable[Node], constants: Mapping[Key, NDArray[Any]]
) -> tuple[tuple[Node, ...], dict[Key, NDArray[Any]]]:
    """The nodes without those that take constants only, and the constants with what these give."""
    left, known = [], dict(constants)
    for node in nodes:
        if not all(key is None or key in known for key in node.inputs):
            left.append(node)
            continue
        given = [None if key is None else known[key] for key in node.inputs]
        known.update(zip(node.outputs, (np.asarray(one) for one in node.run(given)), strict=True))
    return tuple(left), known
