"""The bias of the active pieces: what a head that is linear in pieces adds to its evidence.

Around the features that it is given, such a head (ReLU, clips, max pooling between what is affine) is an affine
function, and its evidence by gradient and the bias of that function add up to the logit:

    sum over y, x of evidence[k, y, x] + bias[k] == logit[k]

The bias is what the head gives of features that are 0 where each of its bends follows the features as they are: a
second forward pass, which knows nothing of the backward pass that evidence is made of. So to add them up is a test of
both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite_export.cutting import plain_windows
from camlite_export.cutting.plain_operators import expanded, plain_operators, reduced_axes

Active = Callable[[int], Any]
"""Number of an operation's input -> what it is on the active pieces."""

# Evidence and bias are sums of float32 in another order than the logit's, and as large as all that is summed in them.
# As a share of that, 5e-7 was the most of the heads in tests, 1.3e-8 of Teachable Machine's and of one as large as
# VGG's. Where ReLU was followed into wrong pieces, the probe that showed it best was 0.15 and 3.7e-3 off.
_ROUNDING = 1e-5

# Random features bend what bends; each probe has both signs, and features as they are behind a ReLU have one.
_MAGNITUDES = np.logspace(-2, 4, 8, dtype=np.float32)


class NotPiecewiseLinearError(Exception):
    """The head has an operation of this kind, which is not linear in pieces, or nobody has told how."""


def of(features: Any, logits: Any) -> Any:
    """The bias of the active pieces, (N, K).

    Args:
        features, logits: tensors of the graph that is being traced, (N, h, w, C) and (N, K), one made of the other.

    Raises:
        NotPiecewiseLinearError: see there.
    """
    import tensorflow as tf

    active = {features.ref(): tf.zeros_like(features)}
    for operation in _between(features, logits):
        places = [at for at, given in enumerate(operation.inputs) if given.ref() in active]
        if not places or operation.type in _CONSTANT_IN_PIECES:
            continue

        def here(at: int, inputs: Any = operation.inputs) -> Any:
            return active.get(inputs[at].ref(), inputs[at])

        if operation.type in _BENDS:
            found = [_BENDS[operation.type](operation, here)]
        elif operation.type in _SUMS or (operation.type in _PRODUCTS and _is_affine(operation, places)):
            found = _repeated(operation, [here(at) for at in range(len(operation.inputs))])
        else:
            raise NotPiecewiseLinearError(operation.type)
        active.update(zip((output.ref() for output in operation.outputs), found, strict=False))
    return active.get(logits.ref(), logits)


def adds_up(head: Callable[..., Any], features: NDArray[np.float32]) -> bool:
    """Whether evidence by gradient and this bias add up to the logits of features (N, h, w, C), up to rounding.

    Of each only one class is looked at, all classes by turns. What is not finite does not count.
    """
    import tensorflow as tf

    classes: list[int] = []

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def added(given: Any, chosen: Any) -> tuple[Any, Any, Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(given)
            logits = head(given, training=False)
            classes.append(logits.shape[-1])
            one = tf.one_hot(chosen % logits.shape[-1], logits.shape[-1])
            own = tf.reduce_sum(logits * one, axis=-1)
        maps = given * tape.gradient(own, given)
        bias = tf.reduce_sum(of(given, logits) * one, axis=-1)
        magnitude = tf.reduce_sum(tf.abs(maps), axis=(1, 2, 3)) + tf.abs(bias)
        return tf.reduce_sum(maps, axis=(1, 2, 3)) + bias, own, magnitude

    for first, values in enumerate(features):
        try:
            with plain_operators():
                parts = added(tf.constant(values[np.newaxis]), tf.constant([first]))
        except (
            NotPiecewiseLinearError,
            LookupError,
            TypeError,
            ValueError,
        ):  # without a gradient there is nothing to add
            return False
        received, expected, magnitude = (float(part[0]) for part in parts)
        if np.isfinite([received, expected, magnitude]).all() and abs(received - expected) > _ROUNDING * magnitude:
            return False
    return True


def probes(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Random features (N, h, w, C), of either sign and of one."""
    values = np.random.default_rng(0).normal(size=(len(_MAGNITUDES), *shape)).astype(np.float32)
    values *= _MAGNITUDES[:, np.newaxis, np.newaxis, np.newaxis]
    return np.concatenate([values, np.abs(values)])


def _between(features: Any, logits: Any) -> list[Any]:
    """Operations that make logits of features, each behind those that it needs."""
    ordered: list[Any] = []
    seen = {features.op}
    waiting = [(logits.op, False)]
    while waiting:
        operation, is_ready = waiting.pop()
        if is_ready:
            ordered.append(operation)
        elif operation not in seen:
            seen.add(operation)
            waiting.append((operation, True))
            waiting += [(given.op, False) for given in operation.inputs]
    return ordered


def _repeated(operation: Any, inputs: list[Any]) -> list[Any]:
    """The same operation of other inputs."""
    attributes = {name: value for name, value in operation.node_def.attr.items() if not name.startswith("_")}
    kinds = [output.dtype for output in operation.outputs]
    made = operation.graph.create_op(operation.type, inputs, kinds, attrs=attributes, name=f"{operation.name}_active")
    return list(made.outputs)


def _is_affine(operation: Any, places: list[int]) -> bool:
    """Whether the operation is affine in what depends on the features."""
    if operation.type.startswith("FusedBatchNorm") and operation.get_attr("is_training"):
        return False
    return len(places) == 1 and (operation.type != "RealDiv" or places == [0])


def _where_output_is(inside: Callable[[Any], Any]) -> Callable[[Any, Active], Any]:
    """Of a clip: what it lets through, and elsewhere the constant that it gives; as its gradient has it."""

    def follow(operation: Any, active: Active) -> Any:
        import tensorflow as tf

        output = operation.outputs[0]
        return tf.where(inside(output), active(0), output)

    return follow


def _within_6(output: Any) -> Any:
    import tensorflow as tf

    return tf.logical_and(output > 0, output < 6)


def _leaky_relu(operation: Any, active: Active) -> Any:
    import tensorflow as tf

    return tf.where(operation.inputs[0] > 0, active(0), active(0) * operation.get_attr("alpha"))


def _clip(operation: Any, active: Active) -> Any:
    import tensorflow as tf

    values, least, most = operation.inputs
    outside = tf.logical_or(values < least, values > most)
    return tf.where(outside, operation.outputs[0], active(0))


def _larger(operation: Any, active: Active) -> Any:
    import tensorflow as tf

    first, second = operation.inputs
    return tf.where(first >= second, active(0), active(1))


def _smaller(operation: Any, active: Active) -> Any:
    import tensorflow as tf

    first, second = operation.inputs
    return tf.where(first <= second, active(0), active(1))


def _magnitude(operation: Any, active: Active) -> Any:
    import tensorflow as tf

    return tf.sign(operation.inputs[0]) * active(0)


def _chosen(operation: Any, active: Active) -> Any:
    import tensorflow as tf

    return tf.where(operation.inputs[0], active(1), active(2))


def _extreme(operation: Any, active: Active) -> Any:
    """Of several that are equal, their mean, as the gradient is shared by them."""
    import tensorflow as tf

    values, axes = operation.inputs[0], reduced_axes(operation)
    if _is_zeros(active(0)):
        return tf.zeros_like(operation.outputs[0])
    are_it = tf.cast(tf.equal(values, expanded(operation, operation.outputs[0])), values.dtype)
    kept = operation.get_attr("keep_dims")
    count = tf.reduce_sum(are_it, axes, keepdims=kept)
    return tf.reduce_sum(are_it * active(0), axes, keepdims=kept) / count


def _max_pool(operation: Any, active: Active) -> Any:
    import tensorflow as tf

    if _is_zeros(active(0)):
        return tf.zeros_like(operation.outputs[0])
    found = plain_windows.at_the_largest(operation, active(0))
    if found is None:
        raise NotPiecewiseLinearError(operation.type)
    return found


def _is_zeros(values: Any) -> bool:
    """Whether it is the features themselves, where none of them is left: 0 over a count has no scale in 8 bits."""
    import tensorflow as tf

    known = tf.get_static_value(values)
    return values.op.type == "ZerosLike" if known is None else not known.any()


_BENDS: Mapping[str, Callable[[Any, Active], Any]] = {
    "Abs": _magnitude,
    "ClipByValue": _clip,
    "LeakyRelu": _leaky_relu,
    "Max": _extreme,
    "MaxPool": _max_pool,
    "Maximum": _larger,
    "Min": _extreme,
    "Minimum": _smaller,
    "Relu": _where_output_is(lambda output: output > 0),
    "Relu6": _where_output_is(_within_6),
    "SelectV2": _chosen,
}

# Affine in all their inputs together.
_SUMS = frozenset({"Add", "AddN", "AddV2", "ConcatV2", "Identity", "IdentityN", "Neg", "Pack", "Sub"})

# Affine where only one of their inputs depends on the features.
_PRODUCTS = frozenset(
    {
        *("AvgPool", "BatchMatMulV2", "BiasAdd", "BroadcastTo", "Cast", "Conv2D", "DepthToSpace"),
        *("DepthwiseConv2dNative", "Einsum", "ExpandDims", "FusedBatchNormV3", "GatherV2", "MatMul", "Mean"),
        *("MirrorPad", "Mul", "Pad", "PadV2", "RealDiv", "Reshape", "ResizeBilinear", "ResizeNearestNeighbor"),
        *("Slice", "SpaceToDepth", "Split", "SplitV", "Squeeze", "StridedSlice", "Sum", "Tile", "Transpose"),
        "Unpack",
    }
)

# Their results stay what they are around the features; gradients do not pass them.
_CONSTANT_IN_PIECES = frozenset(
    {
        *("Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalNot", "LogicalOr"),
        *("NotEqual", "OnesLike", "Rank", "Shape", "Size", "ZerosLike"),
    }
)
