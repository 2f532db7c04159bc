"""The image's way through a classifier, layer by layer, with the models inside it laid open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from camlite.errors import ClassifierError
from camlite_export import workarounds
from camlite_export.sources import bounds, fixed_batches
from camlite_export.sources.source import Step

if TYPE_CHECKING:
    import keras

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class KerasStep(Step):
    """One layer on the image's way through a model of Keras 3.

    Attributes:
        output: its symbolic output.
        operation: the layer, or operation.
        call, tensor: of its calls and outputs, which.
    """

    output: Any
    operation: Any
    call: int
    tensor: int


@dataclass(frozen=True)
class Journey:
    """All steps from image to scores.

    Attributes:
        image, scores: the symbolic ends: (batch, height, width, channels) and (batch, classes).
        steps: in the order in which the image meets them.
        ends: id of a layer or of a model -> the step that ends it.
    """

    image: Any
    scores: Any
    steps: tuple[KerasStep, ...]
    ends: Mapping[int, KerasStep]


def walk(classifier: keras.Model, size: Size | None = None) -> Journey:
    """Send a symbolic image through the classifier, and through the models inside it.

    Args:
        classifier: a Sequential or functional model.
        size: height and width for a classifier whose own are not fixed.

    Raises:
        ClassifierError: its inside cannot be seen, or it does not lead from one image to scores.
    """
    import keras

    if not workarounds.is_graph_of_layers(classifier):
        if isinstance(classifier, keras.Sequential):
            raise ClassifierError(
                f"{classifier.name}: was never built, so the size of its images is unknown; begin it with keras.Input"
            )
        raise ClassifierError(
            f"{classifier.name}: a {type(classifier).__name__} is neither a Sequential nor a functional model, "
            f"so its inside cannot be seen; rebuild it with the functional API"
        )
    if len(classifier.inputs) != 1:
        raise ClassifierError(
            f"{classifier.name}: {len(classifier.inputs)} inputs, expected one image; build it with the "
            f"image as its only input"
        )
    steps: list[KerasStep] = []
    ends: dict[int, KerasStep] = {}
    calls: Counter[int] = Counter()
    work = 0

    def visit(operation: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal work
        if isinstance(operation, keras.Model) and workarounds.is_graph_of_layers(operation):
            result = workarounds.run_through_graph(operation, arguments[0], visit)
        else:
            result = fixed_batches.call(classifier.name, batch, operation, arguments, options)
            steps.extend(_steps(operation, result, calls[id(operation)]))
            calls[id(operation)] += 1
            shapes = [tuple(tensor.shape) for tensor in keras.tree.flatten(result)]
            work += bounds.check(classifier.name, operation, shapes)
            bounds.refuse_work(classifier.name, work)
        ends[id(operation)] = steps[-1]
        return result

    _refuse_channels_first(classifier)
    batch = fixed_batches.of(classifier)
    image, entrance = _entrance(classifier, size)
    results = keras.tree.flatten(workarounds.run_through_graph(classifier, entrance, visit))
    if len(results) != 1 or len(results[0].shape) != 2 or results[0].shape[1] is None:
        _refuse_outputs(classifier.name, results)
    fixed_batches.refuse(classifier.name, results[0])
    return Journey(image, results[0], tuple(steps), ends)


def _refuse_outputs(name: str, results: Sequence[Any]) -> None:
    """Raise `ClassifierError` for what is no one score for each class."""
    if len(results) > 1:
        received = f"{len(results)} tensors"
        remedy = "choose one, as keras.Model(model.input, model.outputs[0])"
    else:
        received = shape_text(results[0].shape)
        at_one_place = all(side == 1 for side in results[0].shape[1:-1]) and len(results[0].shape) > 2
        flat = "keras.Sequential([model, keras.layers.Flatten()])"
        remedy = f"flatten them, as {flat}" if at_one_place else "camlite explains classifiers of whole images"
    raise ClassifierError(f"{name}: the output is {received}, expected scores (batch, classes); {remedy}")


def layers(model: keras.Model) -> Iterator[keras.Layer]:
    """All layers of a model, those of the models inside it included."""
    import keras

    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from layers(layer)


def shape_text(shape: Sequence[int | None]) -> str:
    """A symbolic shape as it stands in a message."""
    return "(" + ", ".join("batch" if side is None and i == 0 else str(side) for i, side in enumerate(shape)) + ")"


def _steps(operation: Any, result: Any, call: int) -> Iterator[KerasStep]:
    import keras

    parameters = operation.count_params() if isinstance(operation, keras.Layer) and operation.built else 0
    kind = getattr(operation, "kind", type(operation).__name__)
    for index, tensor in enumerate(keras.tree.flatten(result)):
        yield KerasStep(operation.name, kind, tuple(tensor.shape), parameters, tensor, operation, call, index)


def _refuse_channels_first(classifier: keras.Model) -> None:
    for layer in layers(classifier):
        if getattr(layer, "data_format", None) == "channels_first":
            raise ClassifierError(
                f"{classifier.name}: layer {layer.name!r} has its channels first, which neither TFLite nor TensorFlow "
                f"on a CPU can compute; build it again with data_format='channels_last' and set the same weights"
            )


def _entrance(classifier: keras.Model, size: Size | None) -> tuple[Any, Any]:
    """A symbolic image (batch, height, width, channels), and the same as the classifier takes it."""
    import keras

    expected = tuple(classifier.inputs[0].shape[1:])
    grey = len(expected) == 2  # (height, width), as the images of MNIST come
    sides = (*expected, 1) if grey else expected
    if len(sides) != 3 or sides[2] not in (1, 3):
        raise ClassifierError(
            f"{classifier.name}: the input is {shape_text((None, *expected))}, "
            f"expected an image (batch, height, width, channels) with 1 or 3 channels; put in front what makes one of "
            f"the other, as keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), model])"
        )
    height, width = _sides(classifier.name, sides[0], sides[1], size)
    bounds.check_image(classifier.name, (height, width, sides[2]))
    image = keras.Input((height, width, sides[2]), name="image")
    return image, keras.layers.Reshape((height, width))(image) if grey else image


def _sides(name: str, height: int | None, width: int | None, size: Size | None) -> Size:
    if size is None:
        if height is None or width is None:
            raise ClassifierError(
                f"{name}: takes images of any size, an artifact of one; choose the size with --size HEIGHTxWIDTH"
            )
        return height, width
    if height not in (None, size[0]) or width not in (None, size[1]):
        raise ClassifierError(
            f"{name}: its images are {height} x {width}, not {size[0]} x {size[1]}; leave --size out: "
            f"other sizes are resized on the device"
        )
    return size
