"""Every workaround for somebody else's bug or gap, each with the version that ends it."""

from __future__ import annotations

import contextlib
import copy
import gc
import logging
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any


def is_graph_of_layers(model: Any) -> bool:
    """Whether a Keras 3 model can be walked: a functional model, or a Sequential that is built.

    Keras 3.15 does not export its class Functional. Ends when Keras makes the walk public.
    """
    return getattr(model, "_functional", None) is not None or hasattr(model, "_run_through_graph")


def run_through_graph(model: Any, inputs: Any, visit: Callable[..., Any]) -> Any:
    """Call `visit(operation, *arguments, **options)` in place of each operation of a Keras 3 model.

    Keras 3.15 has no public way to walk a model's graph: `clone_model(call_function=...)` wants fresh inputs, so
    it cannot walk a model that stands inside another. Ends when Keras makes the walk public.
    """
    functional = getattr(model, "_functional", None) or model
    return functional._run_through_graph(inputs, operation_fn=lambda operation: operation, call_fn=visit)


def functional_model(inputs: Any, outputs: Any, name: str = "part") -> Any:
    """``keras.Model``, of layers of which several may have one name.

    A model inside another has names of its own, so that walked through as one graph two layers may be called the same,
    or like the image. Keras 3.15 refuses that, for its files refer to layers by name; nothing made here becomes one.
    Ends when Keras does not mind.

    Args:
        name: in the names of tensors. Keras would number models as they are made, so that a second export in one
            process would give other bytes.

    Raises:
        ValueError: the outputs do not follow from the inputs.
    """
    import keras

    with _told_apart(keras.tree.flatten(inputs), keras.tree.flatten(outputs)):
        return keras.Model(inputs, outputs, name=name)


@contextlib.contextmanager
def _told_apart(inputs: Sequence[Any], outputs: Sequence[Any]) -> Iterator[None]:
    """While it lasts, the operations between symbolic tensors of Keras 3 have names of their own."""
    taken: set[str] = set()
    before: dict[int, tuple[Any, str]] = {}
    seen, waiting = {id(one) for one in inputs}, list(outputs)
    known: set[int] = set()
    for tensor in inputs:
        operation = tensor._keras_history.operation
        known.add(id(operation))
        taken.add(operation.name)
    try:
        while waiting:
            tensor = waiting.pop()
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            operation = tensor._keras_history.operation
            waiting += inputs_of(tensor)
            if id(operation) in known:
                continue
            known.add(id(operation))
            if operation.name in taken:
                before[id(operation)] = operation, operation.name
                operation.name = f"{operation.name}/{len(before)} of one name"
            taken.add(operation.name)
        yield
    finally:
        for operation, name in before.values():
            operation.name = name


def inputs_of(tensor: Any) -> list[Any]:
    """The symbolic tensors of Keras 3 that were given to the call that gave this one.

    Keras 3.15 has no public way from a tensor to what it was made of. Ends when it does.
    """
    operation, node, _ = tensor._keras_history
    return list(operation._inbound_nodes[node].input_tensors)


def in_structure(model: Any, image: Any) -> Any:
    """The image as a model of Keras 3 or Keras 2 has its only input: in a list or under a name where it stands in one.

    Keras 3.15 takes it bare as well, and warns of it. Ends when Keras gives the structure of inputs a public name.
    """
    import keras

    functional = getattr(model, "_functional", None) or model
    structure = getattr(functional, "_inputs_struct", None)
    return keras.tree.pack_sequence_as(structure, [image]) if isinstance(structure, list | tuple | dict) else image


def all_layers(model: Any) -> list[Any]:
    """The layers of a Keras 3 model, or of a layer and itself, with those inside them: of models and of wrappers.

    Keras 3.15 has ``model.layers`` only, and nothing of what a Bidirectional or an activation holds. Ends when it does.
    """
    import keras

    return list(model._flatten_layers(include_self=not isinstance(model, keras.Model)))


def count_parameters_unmade(structure: Any) -> int:
    """How many parameters a Keras 3 model would have, by its structure, without memory for one of them.

    Keras 3.15 has no public way to build a model whose variables wait for their values; inside of it that is what a
    stateless scope does. Ends when Keras has one.
    """
    from keras.src.backend.common import global_state
    from keras.src.backend.common.stateless_scope import StatelessScope

    waiting = "uninitialized_variables"
    before = list(global_state.get_global_attribute(waiting, [], set_to_default=True))
    try:
        with StatelessScope(initialize_variables=False):
            model = keras3_model(structure)
    finally:
        global_state.set_global_attribute(waiting, before)  # or the next scope would make them
    return sum(math.prod(variable.shape) for variable in model.variables)


def keras3_model(structure: Any, trusted: bool = False) -> Any:
    """A Keras 3 model, not compiled, of a structure from `configuration.read`.

    `keras.saving.deserialize_keras_object` makes a layer that two models share twice, unless it is in a scope that
    Keras 3.15 keeps to itself. It also changes what it is given. Ends when Keras has a public one.
    """
    import keras
    from keras.src.saving.serialization_lib import ObjectSharingScope

    functions = {**names_for_code(), **layers_of_applications()} if trusted else None
    with ObjectSharingScope():
        return keras.saving.deserialize_keras_object(copy.deepcopy(structure), functions, safe_mode=not trusted)


def keras2_model(structure: Any, trusted: bool = False) -> Any:
    """The same with tf_keras 2.21, whose scope is as private."""
    import tf_keras
    from tf_keras.src.saving import serialization_lib
    from tf_keras.src.saving.legacy.serialization import SharedObjectLoadingScope

    own = keras2_layers_of_applications()
    if trusted and "module" in structure:  # as it stands in a ``.keras``; what is not trusted was made anew without
        return serialization_lib.deserialize_keras_object(copy.deepcopy(structure), own, safe_mode=False)
    with SharedObjectLoadingScope(), serialization_lib.SafeModeScope(not trusted):
        return tf_keras.models.model_from_config(copy.deepcopy(structure), custom_objects=own)


def keras2_layers_of_applications() -> dict[str, Any]:
    """The layers of keras.applications that tf_keras 2.21 does not export, and so does not find as it opens a file.

    Ends when it does.
    """
    from tf_keras.src.applications import convnext, inception_resnet_v2

    return {
        "CustomScaleLayer": inception_resnet_v2.CustomScaleLayer,
        "LayerScale": convnext.LayerScale,
        "StochasticDepth": convnext.StochasticDepth,
    }


def layers_of_applications() -> dict[str, Any]:
    """The same of Keras 3.15. Ends when it exports them."""
    from keras.src.applications import convnext, inception_resnet_v2

    return {
        "CustomScaleLayer": inception_resnet_v2.CustomScaleLayer,
        "LayerScale": convnext.LayerScale,
        "StochasticDepth": convnext.StochasticDepth,
    }


def names_for_code() -> dict[str, Any]:
    """Let the code of Lambda layers that a trusted file carries find what it was written with.

    Keras 3.15 gives it the names of a module of its own, where ``tf`` and ``ops`` are missing. They stay: the code is
    run as long as the model is there. Ends when Keras saves what a Lambda layer refers to.

    Returns:
        Functions of TensorFlow by what they call themselves, which Keras does not know: for ``custom_objects``.
    """
    import keras
    import numpy as np
    import tensorflow as tf
    from keras.src.utils import python_utils

    usual = {"tf": tf, "tensorflow": tf, "keras": keras, "K": keras.backend, "ops": keras.ops, "layers": keras.layers}
    for name, module in {**usual, "np": np, "numpy": np}.items():
        vars(python_utils).setdefault(name, module)
    return {function.__name__: function for function in (tf.nn.softmax, tf.nn.log_softmax, tf.nn.leaky_relu)}


def _by_layers(weights: Any) -> Any:
    """The group of an open HDF5 file in which weights stand by the names of layers, as in an ``.h5``; or None."""
    if "model_weights" in weights:
        return weights["model_weights"]
    return weights if "layer_names" in weights.attrs or "layer_names0" in weights.attrs else None


def load_keras3_weights(model: Any, weights: Any) -> None:
    """Give a Keras 3 model the weights of an open HDF5 file, that of a ``.keras`` or an ``.h5``.

    ``model.load_weights`` of Keras 3.15 wants a path, and would open what has been looked at a second time, by its
    suffix. Ends when it takes an open file.
    """
    from keras.src.legacy.saving import legacy_h5_format
    from keras.src.saving import saving_lib

    if (group := _by_layers(weights)) is not None:
        legacy_h5_format.load_weights_from_hdf5_group(group, model)
        return
    store = saving_lib.H5IOStore.__new__(saving_lib.H5IOStore)
    store.__dict__ |= {"mode": "r", "archive": None, "io_file": None, "path_or_io": None, "h5_file": weights}
    failed: set[int] = set()
    messages: dict[int, Any] = {}
    saving_lib._load_state(
        model, store, assets_store=None, inner_path="", visited_saveables=set(), failed_saveables=failed,
        error_msgs=messages,
    )  # fmt: skip
    if failed:
        saving_lib._raise_loading_failure(messages)


def load_keras2_weights(model: Any, weights: Any) -> None:
    """The same for tf_keras 2.21."""
    from tf_keras.src.saving import saving_lib
    from tf_keras.src.saving.legacy import hdf5_format

    if (group := _by_layers(weights)) is not None:
        hdf5_format.load_weights_from_hdf5_group(group, model)
        return
    store = saving_lib.H5IOStore.__new__(saving_lib.H5IOStore)
    store.__dict__ |= {"mode": "r", "archive": None, "io_file": None, "root_path": None, "h5_file": weights}
    if keeps_layers_as_keras_2_13(weights):
        _load_layers_of_keras_2_13(model, store, "", set())
    else:
        saving_lib._load_state(model, store, assets_store=None, inner_path="", visited_trackables=set())


def keeps_layers_as_keras_2_13(weights: Any) -> bool:
    """Whether an open HDF5 file holds weights as Keras 2.12 and 2.13 wrote them into ``.keras`` and ``.weights.h5``.

    No later version finds all of them, tf_keras 2.21 none. Ends when one does.
    """
    return _LAYERS_OF_KERAS_2_13 in weights


_LAYERS_OF_KERAS_2_13 = "_layer_checkpoint_dependencies"


def _load_layers_of_keras_2_13(model: Any, store: Any, path: str, seen: set[int]) -> None:
    """Each layer with weights was counted twice, so that the second Conv2D is conv2d_2, the third conv2d_4."""
    from tf_keras.src.saving import saving_lib
    from tf_keras.src.utils.generic_utils import to_snake_case

    counts: dict[str, int] = {}
    for layer in getattr(model, _LAYERS_OF_KERAS_2_13).values():
        kind = to_snake_case(type(layer).__name__)
        count = counts[kind] = counts.get(kind, -1) + 1
        if id(layer) in seen:
            continue
        inner = "/".join(filter(None, (path, _LAYERS_OF_KERAS_2_13, f"{kind}_{count}" if count else kind)))
        if hasattr(layer, "_nodes_by_depth"):
            seen.add(id(layer))
            _load_layers_of_keras_2_13(layer, store, inner, seen)
        else:
            saving_lib._load_state(layer, store, assets_store=None, inner_path=inner, visited_trackables=seen)


def loadable_by_tflite_runtime(converter: Any) -> None:
    """Quantize the weights of Dense layers per tensor, not per channel.

    TF 2.21 otherwise writes FULLY_CONNECTED version 12, which tflite-runtime 2.14, the last one, refuses. Ends
    when tflite-runtime is no longer a backend.
    """
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


@contextlib.contextmanager
def tensors_left_in_float32(names_of: Callable[[bytes], list[str]]) -> Iterator[None]:
    """Let TFLite's converter quantize all but the tensors of these names; for converting in one thread.

    TF 2.21 offers that to its debugger of quantization only, which writes another model. Ends when a converter can
    be told.

    Args:
        names_of: is given the calibrated float32 model.
    """
    from tensorflow.lite.python import lite

    quantize = lite._mlir_quantize

    def partly(calibrated: bytes, *arguments: Any, **options: Any) -> Any:
        return quantize(calibrated, *arguments, **options, denylisted_nodes=names_of(calibrated))

    lite._mlir_quantize = partly
    try:
        yield
    finally:
        lite._mlir_quantize = quantize


def weights_of_dense_read_apart(graph: Any, dense: int) -> bool:
    """Let nothing but layers of Dense read the tensor of a layer's weights in an opened TFLite model in 8 bits.

    XNNPACK in ai-edge-litert 2.3 gives such a tensor a scale for each unit, and then refuses the whole model where an
    operator behind the layer reads it, too, as the gradient of a normalization does: "unsupported quantization type 1".
    The others get a tensor of their own on the same bytes. Ends when LiteRT changes a copy.

    Args:
        graph: a `camlite_export.targets.tflite_editing.TfliteGraph`.
        dense: the number of the operator.

    Returns:
        Whether there was any.
    """
    operators = graph.graph.operators
    weights = {int(operator.inputs[1]) for operator in operators if graph.kind(operator) == dense}
    apart: dict[int, int] = {}
    for operator in operators:
        for place, tensor in enumerate(map(int, operator.inputs)):
            own = graph.kind(operator) == dense and place == 1
            if own or tensor not in weights or graph.constant(tensor) is None:
                continue
            if tensor not in apart:
                one = graph.graph.tensors[tensor]
                apart[tensor] = graph.add_tensor(
                    one.name + b"_apart", one.shape, one.type, one.buffer, one.quantization
                )
            operator.inputs[place] = apart[tensor]
    return bool(apart)


@contextlib.contextmanager
def no_statistics_expected() -> Iterator[None]:
    """Convert to integers without a warning that statistics of the inputs are missing; for converting in one thread.

    TF 2.21 warns of it wherever it converts a traced function to integers, though it calibrates with images. Ends when
    it does not.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        yield


@contextlib.contextmanager
def silent_log(name: str | None) -> Iterator[None]:
    """Throw away what a library logs; None: what it logs as nobody, in the root of all loggers.

    tf2onnx 1.17 logs an operator that it does not know as an error, and goes on; `to_onnx` finds it and says so.
    Ends when tf2onnx raises an error. onnxruntime 1.32 logs each bias that it clips, as nobody, which also sets up
    logging for the whole process. Ends when it leaves room for biases of uint8 weights.
    """
    logger = logging.getLogger(name)
    kept, handlers = logger.level, list(logger.handlers)
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(kept)
        logger.handlers[:] = handlers


@contextlib.contextmanager
def silent_native_code() -> Iterator[None]:
    """Throw away what TensorFlow's C++ writes to standard error.

    TF 2.21 logs its import and each conversion there whatever the log level. Ends when TF_CPP_MIN_LOG_LEVEL
    silences it.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def quieten_tensorflow() -> None:
    """Import TensorFlow, its notices about this machine and its advice kept off the terminal; for a command's process.

    What TF 2.21 warns of are its own ways (functions that are traced again, calls that it will rename); what goes wrong
    it raises. Keras is told to use it, too: the converters start from TensorFlow.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with silent_native_code():
        import tensorflow as tf
    tf.get_logger().setLevel(logging.ERROR)


@contextlib.contextmanager
def convolutions_in_groups_as_they_are() -> Iterator[None]:
    """Let Keras trace a convolution in groups into the graph itself; for tracing in one thread.

    Keras 3.15 puts it into a function for XLA, which tf2onnx 1.17 takes for an operator. Ends when Keras no longer
    needs XLA for it.
    """
    import tensorflow as tf

    function = tf.function

    def inlined(*arguments: Any, **options: Any) -> Any:
        return (lambda body: body) if options.get("jit_compile") else function(*arguments, **options)

    tf.function = inlined
    try:
        yield
    finally:
        tf.function = function


def constants_for_captured_tensors(model: Any, function: Any) -> None:
    """Give an ONNX model the values of the tensors that the function it was made of has captured.

    tf2onnx 1.17 makes inputs of them, as of the mean and variance of a Normalization layer. Ends when it makes
    constants of them, as it does of variables.
    """
    from onnx import numpy_helper

    inputs = {value.name: value for value in model.graph.input}
    for value, tensor in function.graph.captures:
        if tensor.name in inputs:
            model.graph.initializer.append(numpy_helper.from_array(value.numpy(), tensor.name))
            model.graph.input.remove(inputs[tensor.name])


@contextlib.contextmanager
def new_objects_alone_collected() -> Iterator[None]:
    """Let the garbage collector look at what is made from now on, not at all that is there: TensorFlow, Keras, a model.

    TF 2.21 calls it in each conversion: 0.2 of 0.5 s where the classifier is small. Ends when it does not.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def copies_collected() -> Iterator[None]:
    """Throw away the copies of a graph that tf2onnx makes, as soon as it is done with them.

    tf2onnx 1.17 copies the whole graph, weights included, before each of a dozen optimizations, several times over. The
    copies refer to themselves, so that they stay until the garbage collector looks, which it does by the number of
    objects, not by their size: a classifier of 107 MB took 4.9 GB, VGG16 more than 19 GB. Ends when tf2onnx
    optimizes in place.
    """
    import types

    from tf2onnx import optimizer

    def deepcopy(value: Any) -> Any:
        gc.collect()
        return copy.deepcopy(value)

    kept = optimizer.copy
    optimizer.copy = types.SimpleNamespace(deepcopy=deepcopy)
    with new_objects_alone_collected():
        try:
            yield
        finally:
            optimizer.copy = kept
            gc.collect()


@contextlib.contextmanager
def signs_transposed() -> Iterator[None]:
    """Let tf2onnx move transpositions past Sign, as it does past Relu; else two stand around each.

    tf2onnx 1.17 has a list of operators in which Sign is missing. Ends when it is there.
    """
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    kept = TransposeOptimizer._initialize_handlers

    def with_sign(self: Any) -> None:
        kept(self)
        self._handler_map["Sign"] = self._simple_through_handler

    TransposeOptimizer._initialize_handlers = with_sign
    try:
        yield
    finally:
        TransposeOptimizer._initialize_handlers = kept


@contextlib.contextmanager
def largest_in_steps_of_all() -> Iterator[None]:
    """Let onnxruntime round the largest of some numbers by their own steps, as it does behind MaxPool.

    The quantizer of onnxruntime 1.32 has a list of operators whose result keeps the steps of what they are given, in
    which these are missing: where numbers may be below 0, their largest has other steps, and equals none of them.
    Ends when they are there.
    """
    from onnxruntime.quantization.operators.qdq_base_operator import QDQOperatorBase
    from onnxruntime.quantization.registry import QDQRegistry

    class Largest(QDQOperatorBase):  # type: ignore[misc]
        def quantize(self) -> None:
            given, found = self.node.input[0], self.node.output[0]
            self.quantizer.quantize_activation_tensor(given)  # who else rounds it may come later
            if not self.disable_qdq_for_node_output:
                self.quantizer.quantize_output_same_as_input(found, given, self.node.name)

    missing = [name for name in ("GlobalMaxPool", "ReduceMax") if name not in QDQRegistry]
    QDQRegistry.update(dict.fromkeys(missing, Largest))
    try:
        yield
    finally:
        for name in missing:
            del QDQRegistry[name]


def in_canonical_order(model: Any) -> None:
    """Order and name what is inside an ONNX model by the graph alone, so that two exports give the same bytes.

    tf2onnx 1.17 iterates over sets of names: which of two equal constants it keeps, how it numbers nodes and in
    what order they stand changes with every process. Ends when it iterates over lists.
    """
    graph = model.graph
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return  # Control flow: the graphs inside refer to names of this one.
    for value in (*graph.input, *graph.output):
        for first in value.type.tensor_type.shape.dim[:1]:  # a shape that is not known has none
            if first.HasField("dim_param"):
                first.dim_param = "batch"
    ordered = type(graph)(name=graph.name, input=graph.input, output=graph.output, node=_towards_outputs(graph))
    names = {"": ""} | {value.name: value.name for value in (*graph.input, *graph.output)}
    for index, node in enumerate(ordered.node):
        node.name = f"{node.op_type}_{index}"
        names |= {name: f"{node.name}.in{k}" for k, name in enumerate(node.input) if name not in names}
        names |= {name: f"{node.name}.{k}" for k, name in enumerate(node.output) if name not in names}
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    constants = {constant.name: constant for constant in graph.initializer}
    for name in names:
        if name in constants:
            constants[name].name = names[name]
            ordered.initializer.append(constants[name])
    graph.CopyFrom(ordered)


def _towards_outputs(graph: Any) -> list[Any]:
    """The nodes of an ONNX graph, each behind those whose outputs it takes: depth first from the graph's outputs."""
    producers = {name: node for node in graph.node for name in node.output}
    ordered, seen = [], set()
    waiting = [(producers[output.name], False) for output in reversed(graph.output)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            ordered.append(node)
        elif node.output[0] not in seen:
            seen.add(node.output[0])
            waiting.append((node, True))
            waiting += [(producers[name], False) for name in reversed(node.input) if name in producers]
    return ordered
