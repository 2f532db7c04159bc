"""Open models of Keras 2: with tf_keras, then rebuilt layer by layer in Keras 3, and proven to be the same.

Keras 3 cannot open many files of Keras 2 (nested models, options that layers no longer have). With one framework
from here on, everything behind knows Keras 3 alone.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.sources import bounds, fixed_batches, keras2_layers, keras_errors, same_answers
from camlite_export.sources.journey import Size
from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.source import Floats
from camlite_export.sources.untrusted import model_file
from camlite_export.sources.untrusted.model_file import ModelFile

if TYPE_CHECKING:
    import keras

# Both frameworks call the same TensorFlow kernels; they may fuse them differently, which moves the last bits: 4e-7
# for a Teachable Machine model. Where Keras 2 computed in 16 bits, which float32 now replaces, so does 2e-2.
_ROUNDING = 1e-4
_ROUNDING_16_BITS = 5e-2

_PROBE = 64  # the side of images for a classifier that takes any


class Rebuilt(NamedTuple):
    """A model of Keras 2 and the same in Keras 3.

    Attributes:
        model: of Keras 3; original: of tf_keras.
        layers: id of an operation of `model` -> the layer of `original` that it stands for.
    """

    model: keras.Model
    original: Any
    layers: Mapping[int, Any]


def open_keras2(file: ModelFile, trusted: bool) -> Rebuilt:
    """Open a model file of Keras 2 as a Keras 3 model.

    Args:
        file, trusted: see `keras_files.examine`.

    Raises:
        ClassifierError: tf_keras cannot open it, or it holds a layer that Keras 3 does not have.
    """
    import tf_keras

    path = file.path
    # A SavedModel is a folder, and only opened where it is trusted.
    permit = (lambda _: None) if path.is_dir() else functools.partial(model_file.refuse_bomb, path)
    try:
        with _counted_variables(permit):
            if trusted and file.beside is None and not _is_of_2_13(file):
                own = workarounds.keras2_layers_of_applications()
                with model_file.under_its_suffix(file) as suffixed:
                    model = tf_keras.models.load_model(suffixed, custom_objects=own, compile=False, safe_mode=False)
            else:
                model = workarounds.keras2_model(file.structure, trusted)
                with model_file.open_weights(path) as weights:
                    workarounds.load_keras2_weights(model, weights)
        return rebuild(model, str(path))
    except ClassifierError:
        raise
    except Exception as error:  # the layers raise anything on a file's content
        why = keras_errors.reason(error, file, trusted, "tf_keras")
        raise ClassifierError(f"{path}: Keras 2 (tf_keras {tf_keras.__version__}) cannot open it: {why}") from error


def _is_of_2_13(file: ModelFile) -> bool:
    if not file.is_zip:
        return False
    with model_file.open_weights(file.path) as weights:
        return workarounds.keeps_layers_as_keras_2_13(weights)


@contextlib.contextmanager
def _counted_variables(permit: Callable[[int], None]) -> Iterator[None]:
    """Call `permit` with the number of parameters so far, before each variable of TensorFlow that is made."""
    import tensorflow as tf

    parameters = 0

    def create(make: Callable[..., Any], **options: Any) -> Any:
        nonlocal parameters
        # Keras states the shape, and leaves the values for later; what does not has its values in memory already.
        parameters += tf.TensorShape(options["shape"]).num_elements() or 0
        permit(parameters)
        return make(**options)

    with tf.variable_creator_scope(create):
        yield


def rebuild(model: Any, where: str) -> Rebuilt:
    """A tf_keras model with one input as a Keras 3 functional model with the same weights.

    Raises:
        ClassifierError: no input or several, a layer without a Keras 3 counterpart, or other scores than before.
    """
    import keras

    if not hasattr(model, "_nodes_by_depth") or len(model.inputs or ()) != 1:
        raise ClassifierError(
            f"{where}: a {type(model).__name__} with {len(model.inputs or ())} inputs, expected a Sequential or "
            f"functional model with one image"
        )
    shape = tuple(model.inputs[0].shape[1:])
    image = keras.Input(shape, name="image")
    rebuilding = _Rebuilding(where, fixed_batches.of(model))
    rebuilt = workarounds.functional_model(image, rebuilding.call(model, image), name=model.name)
    sides = [side or _PROBE for side in shape]
    bounds.check_graph(where, rebuilt, sides)
    _prove(model, rebuilt, sides, where)
    return Rebuilt(rebuilt, model, rebuilding.layers)


class _Rebuilding:
    """One pass over a tf_keras model; a layer that is shared stays shared."""

    def __init__(self, where: str, batch: int | None) -> None:
        self._where, self._batch = where, batch
        self._operations: dict[int, Callable[..., Any]] = {}
        self.layers: dict[int, Any] = {}

    def call(self, model: Any, inputs: Any) -> Any:
        """Send symbolic Keras 3 inputs through the graph of a tf_keras model, the models inside it included."""
        import keras

        tensors = {id(old): new for old, new in zip(model.inputs, keras.tree.flatten(inputs), strict=True)}

        def known(old: Any) -> Any:
            return tensors.get(id(old), old)

        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                arguments = keras.tree.map_structure(known, list(node.call_args))
                options = keras.tree.map_structure(known, dict(node.call_kwargs))
                results = self._apply(node.layer, arguments, options)
                new = keras.tree.flatten(results)
                tensors |= {id(old): one for old, one in zip(keras.tree.flatten(node.outputs), new, strict=True)}
        outputs = [tensors[id(old)] for old in model.outputs]
        return outputs[0] if len(outputs) == 1 else outputs

    def _apply(self, layer: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        import keras

        if hasattr(layer, "_nodes_by_depth"):
            return self.call(layer, arguments[0])
        options.pop("training", None)
        try:
            if id(layer) in self._operations:
                return self._operations[id(layer)](*arguments, **options)
            operation = self._operations[id(layer)] = self._counterpart(layer)
            self.layers[id(operation)] = layer
            result = operation(*arguments, **options)
            for made in keras.tree.flatten(result):  # by what is no operation itself, see `_reshaping`
                self.layers.setdefault(id(made._keras_history.operation), layer)
            keras2_layers.set_state(operation, layer)
            return result
        except (TypeError, ValueError, AttributeError) as error:
            if isinstance(error, ClassifierError):
                raise
            raise ClassifierError(
                f"{self._where}: layer {layer.name!r} ({type(layer).__name__}) does not become a layer of Keras 3: "
                f"{keras_errors.one_line(error)}"
            ) from error

    def _counterpart(self, layer: Any) -> Any:
        if type(layer).__name__ == "TFOpLambda" and layer.symbol == "reshape":
            return _reshaping(layer, self._batch)
        try:
            return keras2_layers.counterpart(layer)
        except keras2_layers.NoCounterpartError:
            kind = type(layer).__name__
            raise ClassifierError(
                f"{self._where}: layer {layer.name!r} is a {kind}, which Keras 3 does not have"
            ) from None


def _reshaping(layer: Any, batch: int | None) -> Callable[..., Any]:
    """``tf.reshape``: where the shape is of numbers, an operation of Keras 3, whose batch is set free."""
    import keras

    as_it_is = keras2_layers.function(layer, "tf.reshape")

    def reshape(tensor: Any, shape: Any, **options: Any) -> Any:
        if all(type(side) is int for side in keras.tree.flatten(shape)):
            return fixed_batches.reshape(tensor, shape, batch)
        return as_it_is(tensor, shape, **options)

    return reshape


def _prove(model: Any, rebuilt: keras.Model, sides: list[int], where: str) -> None:
    """Over the whole range that pixels may have become.

    Raises:
        ClassifierError: the scores are others, by more than rounding explains.
    """
    inputs, scores = same_answers.answered(functools.partial(fixed_batches.scores, model), same_answers.probes(sides))
    expected, received = {"scores": scores}, {"scores": fixed_batches.scores(rebuilt, inputs)}
    dtype = _dtype(model)

    def noise() -> Mapping[str, Floats]:
        return same_answers.moved_by_rounding(rebuilt, inputs, dtype)

    rounding = _ROUNDING if dtype == "float32" else _ROUNDING_16_BITS
    worst = same_answers.worst_difference(expected, received, rounding, noise)
    if worst is not None:
        raise ClassifierError(
            f"{where}: rebuilt in Keras 3, its scores differ by {worst[1]:.2g} from those in Keras 2, so that "
            f"evidence could not be trusted; save it again with Keras 3"
        )


def _dtype(model: Any) -> str:
    """What a model of tf_keras computes in: float32, or the 16 bits of its layers."""
    policies = {str(part.compute_dtype) for part in model.submodules if hasattr(part, "compute_dtype")}
    return next((policy for policy in ("bfloat16", "float16") if policy in policies), "float32")


class Keras2Source(Keras3Source):
    """A model of Keras 2: tf_keras answers, and what was rebuilt in Keras 3 is cut.

    See `camlite_export.sources.source.Source`.
    """

    def __init__(self, rebuilt: Rebuilt, size: Size | None = None, default_size: Size | None = None) -> None:
        """Walk through a model that was rebuilt, see `Keras3Source`."""
        super().__init__(rebuilt.model, size, default_size)
        self._rebuilt = rebuilt

    @property
    def dtype(self) -> str:
        """Float32, or the 16 bits of its layers."""
        return _dtype(self._rebuilt.original)

    def _layer(self, operation: Any) -> Any:
        return self._rebuilt.layers[id(operation)]

    @property
    def _whole(self) -> Any:
        return self._rebuilt.original
