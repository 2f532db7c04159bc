"""Cut a classifier of which there is only the file that ships: what stays in the file, and what is added to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Activation
from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.artifact.map_choice import GuideMethod
from camlite.backends.interpreter import Tensor
from camlite.errors import ClassifierError
from camlite.maps import cam
from camlite_export import workarounds
from camlite_export.cutting import evidence, forward, guide, heads, places, vanishing
from camlite_export.cutting.guide import GuideLayers
from camlite_export.cutting.heads import AffineHead
from camlite_export.cutting.plain_operators import plain_operators
from camlite_export.sources import attention, operations, same_answers
from camlite_export.sources.changed_tensors import ChangeTensor
from camlite_export.sources.file_source import FileSource, GraphStep
from camlite_export.sources.graph import Key
from camlite_export.sources.source import Answer, Floats, Step

# How far scores of the float twin's head may be from the file's own, on the file's own features. Float files differ by
# rounding (3e-7 was the most); where the head computes in 8 bits, by some of its steps (0.07 in an int8 ResNet8).
_ROUNDING = {"float32": 1e-4, "float16": 5e-3, "dynamic": 0.1, "int8": 0.3, "int16x8": 0.02}


class Addition(NamedTuple):
    """What an artifact has besides the file: one more output, computed of a tensor that the file has already.

    Attributes:
        name: of the output, ``evidence``, ``bias`` or ``guide``.
        source: whose output it is computed of.
        function: the tensor (1, h, w, C) in float32 -> the output, made of operators that TFLite and ONNX have.
    """

    name: str
    source: GraphStep
    function: Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class FileCut:
    """A file cut in two, see `camlite_export.cutting.cut.Cut`.

    Attributes:
        source: the original.
        step: of it, whose output the features are.
        affine: class weights and bias of the head; None where it is not affine.
        evidence_method: how evidence is made.
        guide_layers: what a guide is made of; None where there is none.
        gives_bias: whether an artifact gives the bias of the active pieces.
    """

    source: FileSource
    step: GraphStep
    affine: AffineHead | None
    evidence_method: EvidenceMethod
    guide_layers: GuideLayers | None = None
    gives_bias: bool = False

    @property
    def layer(self) -> str:
        """See `camlite_export.cutting.cut.Cut`, as all below."""
        return self.step.name

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.source.image_shape

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """h, w and C."""
        return cast(tuple[int, int, int], tuple(self.step.shape[1:]))

    @property
    def classes(self) -> int:
        """K."""
        return self.source.classes

    @property
    def activation(self) -> Activation:
        """By structure."""
        return self.source.activation

    @property
    def evidence_methods(self) -> tuple[EvidenceMethod, ...]:
        """The default first."""
        return heads.evidence_methods(self.affine, self.classes)

    @cached_property
    def head(self) -> Callable[..., Any]:
        """The float twin, features (N, h, w, C) -> logits (N, K)."""
        return self.source.twin([self.step])

    @property
    def ends(self) -> Mapping[str, Tensor]:
        """What an artifact's image, features and scores are, as its interpreter stores them."""
        file, graph = self.source.file, self.source.graph
        features, scores = file.port(self.step.key), file.port(graph.scores)
        if self.source.ends.is_pair:
            scores = Tensor("scores", (2,), np.dtype(np.float32))
        return {"image": self.source.input, "features": _given(features), "scores": _given(scores)}

    def answer(self, inputs: Floats) -> Answer:
        """By the file in its own interpreter."""
        return self.source.answer(inputs, self.step)

    def prove(self, inputs: Floats) -> None:
        """The float twin of the head must give the scores that the file itself gives, as far as it rounds."""
        features, scores = self.answer(inputs)
        finite = np.isfinite(scores).all(axis=1) & np.isfinite(features).all(axis=(1, 2, 3))
        if not finite.any():
            raise ClassifierError(
                f"{self.source.name}: gives scores that are not finite numbers; its weights are damaged, or it divides "
                f"by 0 or takes its logarithm"
            )
        twins = cam.activate(self.source.logits(features[finite], self.step), self.activation)
        size = max(1.0, float(np.abs(scores[finite]).max()))
        differences = np.abs(twins - scores[finite]).max(axis=1) / size
        # In integers scores are clipped where pixels are none that it was made for.
        in_integers = self.source.precision in ("dynamic", "int8", "int16x8")
        worst = float(np.median(differences) if in_integers else differences.max())
        if not worst <= _ROUNDING[self.source.precision]:
            raise ClassifierError(
                f"{self.source.name}: cut at layer {self.layer!r}, its scores differ by {worst:.2g} from those of the "
                f"whole; cut it at another --layer"
            )

    def evidence(self, features: Floats, classes: NDArray[np.int64]) -> Floats:
        """Of the file's own features; by the float twin's gradient where the head is not affine."""
        reference = evidence.REFERENCES[self.evidence_method]
        if reference is evidence.by_class_weights:
            return reference(self, features, classes)
        parts = zip(features[:, np.newaxis], classes[:, np.newaxis], strict=True)
        return np.concatenate([reference(self, *part) for part in parts])

    def twin_evidence(
        self, inputs: Floats, classes: NDArray[np.int64], constants: Mapping[Key, NDArray[Any]]
    ) -> Floats:
        """Evidence (N, h, w) of one class an image by the float twin, with other constants: features times gradient."""
        import tensorflow as tf

        found = []
        for image, k in zip(inputs, classes, strict=True):
            features = self.source.twin_of_image(tf.constant(image[np.newaxis]), self.step, constants)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(features)
                own = self.head(features, constants=constants)[0, int(k)]
            found.append(np.asarray(tf.reduce_sum(features * tape.gradient(own, features), axis=-1), np.float32))
        return np.concatenate(found)

    @cached_property
    def finer_steps(self) -> tuple[GraphStep, ...]:
        """Where a guide can be made."""
        return guide.finer_steps(self.source, self.step, lambda step: self.source.head(step) is not None)

    @cached_property
    def hindering(self) -> str | None:
        """The kind of an operator without a twin, and so without a gradient, for which there are no `finer_steps`.

        None where there are some, or would be none in any case.
        """
        steps = self.source.steps
        before = [] if self.finer_steps else steps[: steps.index(self.step)]
        for step in reversed(before):
            if guide.is_finer(step, self.step.shape) and (kind := self.source.unknown_behind(step)) is not None:
                return kind
        return None

    def raw_guides(
        self, inputs: Floats, classes: NDArray[np.int64], steps: Sequence[Any], methods: Sequence[GuideMethod]
    ) -> dict[GuideMethod, list[Floats]]:
        """By the float twin's gradients, from the file's own features at the first of the steps."""
        first = self.source.features(inputs, steps[0])
        with workarounds.convolutions_in_groups_as_they_are():
            return self._guided(steps).raw(first, classes, methods)

    def _guided(self, steps: Sequence[Step]) -> guide.Guided:
        parts: list[Callable[..., Any]] = [_as_it_is]
        parts += [self.source.twin([one], other) for one, other in zip(steps, [*steps[1:], self.step], strict=True)]
        return guide.Guided(parts, self.head)

    def guided_by(self, layers: GuideLayers | None) -> FileCut:
        """The same with a guide, or without one."""
        return dataclasses.replace(self, guide_layers=layers)

    def without_bias(self) -> FileCut:
        """The same without the bias of the active pieces."""
        return dataclasses.replace(self, gives_bias=False)

    def answer_changed(
        self, inputs: Floats, change: ChangeTensor, change_kernel: ChangeTensor | None = None
    ) -> tuple[Floats, Floats]:
        """Of the float twin, whose tensors are changed in front of each kernel and merge."""
        import tensorflow as tf

        graph = self.source.graph
        kernels = {
            key: change_kernel(graph.constants[key])
            for node in graph.nodes
            for key in node.inputs
            if change_kernel and node.parameters and key is not None and _is_kernel(graph.constants.get(key))
        }
        found = [self.source.twin_of_image(tf.constant(one[np.newaxis]), self.step, kernels, change) for one in inputs]
        features = np.concatenate([np.asarray(one, np.float32) for one in found])
        logits = [self.head(tf.constant(one[np.newaxis]), constants=kernels, change=change) for one in features]
        return features, np.concatenate([np.asarray(one, np.float32) for one in logits])

    @property
    def additions(self) -> tuple[Addition, ...]:
        """The outputs that an artifact has besides features and scores."""
        found = []
        if forward.is_in_the_graph(self.evidence_method):
            found.append(Addition("evidence", self.step, self._evidence_of))
        if self.gives_bias:
            found.append(Addition("bias", self.step, self._bias_of))
        layers = self.guide_layers
        if layers is not None:
            guided, steps = self._guided(layers.steps), cast(Sequence[GraphStep], layers.steps)

            def guide_of(values: Any) -> Any:
                with plain_operators(), workarounds.convolutions_in_groups_as_they_are():
                    return guided.outputs(values, layers)["guide"]

            found.append(Addition("guide", steps[0], guide_of))
        return tuple(found)

    def _evidence_of(self, features: Any) -> Any:
        with plain_operators(), workarounds.convolutions_in_groups_as_they_are():
            return forward.evidence_of(self, features)

    def _bias_of(self, features: Any) -> Any:
        with plain_operators(), workarounds.convolutions_in_groups_as_they_are():
            return forward.bias_of(self, features)


def _given(tensor: Tensor) -> Tensor:
    """What is 16 bits inside is given in 32."""
    return tensor._replace(dtype=np.dtype(np.float32)) if tensor.dtype == np.float16 else tensor


def _as_it_is(values: Any, training: bool = False) -> Any:
    del training
    return values


def _is_kernel(values: NDArray[Any] | None) -> bool:
    return values is not None and values.dtype == np.float32 and values.ndim > 1


def cut(source: FileSource, layer: int | str | None = None, evidence_method: EvidenceMethod | None = None) -> FileCut:
    """Cut a file behind one operation.

    Args:
        source: the file.
        layer: index into its steps (negative ones count from the end) or a step's name; by default the last that
            gives a feature map and through which every path to the scores goes.
        evidence_method: how evidence is to be made, where the head allows it; else the default of such heads.

    Raises:
        ClassifierError: it has no feature map, the layer is unknown, or the scores do not follow from its output
            alone.
    """
    _refuse_decision(source)
    if source.classes == 2 and source.ends.activation == "linear" and not source.ends.is_pair and _is_one(source):
        raise ClassifierError(
            f"{source.name}: gives one number that is no probability (no sigmoid): a regression or an embedding; "
            f"camlite explains classifiers"
        )
    if layer is None:
        step = _last_feature_map(source)
    else:
        step = _named_step(source, layer)
        step = source.keeping_scores(same_answers.probes(source.image_shape), step) or step
    shape = cast(tuple[int, int, int], tuple(step.shape[1:]))
    head = source.twin([step])
    affine = heads.derive_of(head, shape)
    methods = heads.evidence_methods(affine, source.classes)
    method = evidence_method if evidence_method in methods else methods[0]
    found = FileCut(source, step, affine, method, gives_bias=heads.gives_bias(affine, head, shape))
    probes = same_answers.probes(source.image_shape)
    found.prove(probes)
    if affine is None:
        vanishing.refuse(found, source.features(probes, step), source.name, found.layer)
    return found


def refuse_embedding(cut: FileCut) -> None:
    """For a file whose scores nobody has named.

    Raises:
        ClassifierError: what it gives are features, not scores of classes: nothing was learned behind the last map, or
            they are normalized to the length 1.
    """
    source = cut.source
    if source.activation != "linear":
        return
    nodes = source.graph.between([cut.step.key], [source.graph.scores]) or ()
    normalized = any(node.kind in ("L2_NORMALIZATION", "LpNormalization") for node in nodes)
    if normalized or not any(node.parameters for node in nodes):
        what = "normalized to the length 1" if normalized else "the last feature map, pooled"
        raise ClassifierError(
            f"{source.name}: an embedding: its {source.classes} numbers are {what}, no scores of classes; give a file "
            f"with a classifier's head, or --labels where they are classes all the same"
        )


def _refuse_decision(source: FileSource) -> None:
    made = operations.makers_of(source.graph.operations)
    decision = operations.decision(made, source.graph.scores)
    if decision is None:
        return
    before = made.get(decision.inputs[0])
    scores = f", the output of {before.name!r}" if before else ""
    raise ClassifierError(
        f"{source.name}: gives a decision ({decision.kind}), no score per class, which is what evidence explains; "
        f"convert the classifier so that it ends with what {decision.name!r} takes{scores}"
    )


def _is_one(source: FileSource) -> bool:
    return int(np.prod(source.graph.shapes[source.graph.scores])) == 1


def _last_feature_map(source: FileSource) -> GraphStep:
    moved = last = None
    kept_at: dict[Key, bool] = {}
    steps, probes = source.steps, same_answers.probes(source.image_shape)
    for index, step in reversed(list(enumerate(steps))):
        before = steps[: index + 1]
        if last is not None and step.shape[1:3] not in (last.shape[1:3], (1, 1)):
            break
        if not _is_feature_map(step) or source.head(step) is None or not _is_real(source, step):
            continue
        if not any(one.parameters for one in before):
            break  # no more than the image scaled or normalized
        if not _places_are_kept(source, before, kept_at):
            moved = moved or next((one for one in reversed(before) if not one.node.is_local), None)
            continue
        mixing = _attention(source, step)
        if mixing is not None:
            raise ClassifierError(
                f"{source.name}: no feature map: behind the last one, of layer {step.name!r}, stands attention "
                f"({mixing!r}), which mixes its places: a transformer; give a convolutional classifier, or explain "
                f"this one by its gradient with --layer {step.name}"
            )
        if (kept := source.keeping_scores(probes, step)) is not None:
            return kept
        last = last or step  # one in front of it, of the same places, may be given at no cost
    if last is not None:
        return last
    if (kind := _unknown(source)) is not None:
        name = attention.find(source.graph.operations, source.graph.image)
        remedy = "please report it" if name is None else attention.remedy(name)
        raise ClassifierError(
            f"{source.name}: its head has an operator {kind}, of which camlite knows no gradient; {remedy}"
        )
    if moved is not None:
        raise ClassifierError(
            f"{source.name}: its cells are not where they are in the image: {moved.name!r} ({moved.kind}) moves them, "
            f"so that heat would lie in the wrong place; take that step out of the classifier and convert it again"
        )
    _refuse_shortcut(source)
    raise ClassifierError(
        f"{source.name}: no feature map: no learned operator gives (1, height, width, channels) with more than one "
        f"place from which alone the scores follow; camlite explains convolutional image classifiers"
    )


def _refuse_shortcut(source: FileSource) -> None:
    """Name what goes past the last map of learned operators, where something does."""
    for index, step in reversed(list(enumerate(source.steps))):
        if not _is_feature_map(step) or not any(one.parameters for one in source.steps[: index + 1]):
            continue
        if (past := source.past(step)) is not None:
            raise ClassifierError(
                f"{source.name}: no feature map from which alone the scores follow: behind the last one, of layer "
                f"{step.name!r}, {operations.shortcut_text(past)}; give a classifier without that shortcut"
            )


def _is_real(source: FileSource, step: GraphStep) -> bool:
    """Whether what it gives are real numbers, or integers of which it is known what they stand for."""
    port = source.file.port(step.key)
    return port.dtype.kind == "f" or bool(port.dtype.kind in "iu" and port.scale)


def _unknown(source: FileSource) -> str | None:
    """The kind of an operator without a twin behind the last map through which all goes; None where there is none."""
    return next((kind for step in reversed(source.steps) if (kind := source.unknown_behind(step))), None)


def _is_feature_map(step: Step) -> bool:
    shape = step.shape
    return len(shape) == 4 and None not in shape[1:] and cast(int, shape[1]) * cast(int, shape[2]) > 1


def _places_are_kept(source: FileSource, steps: Sequence[GraphStep], known: dict[Key, bool] | None = None) -> bool:
    """Whether each half of the feature map follows its own half of the image: asked of the file where any operator
    could have put places elsewhere, of the first map behind it.

    Args:
        source: the file.
        steps: up to the feature map.
        known: what was found before, by the map that was looked at; filled. Many maps have the same in front.
    """
    known = {} if known is None else known
    ends = {one.key: one for one in steps}
    leading = places.leading_to(steps[-1], lambda one: (ends.get(key) for key in one.node.inputs if key is not None))
    those = [one for one in steps if id(one) in leading]
    moving = [i for i, one in enumerate(those) if not one.node.is_local and one.shape[1:3] != (1, 1)]
    if not moving:
        return True
    step = next(one for one in those[moving[-1] :] if len(one.shape) == 4)
    if step.key not in known:
        known[step.key] = places.follow_halves(
            lambda images: source.features(images, step), source.image_shape, step.shape
        )
    return known[step.key]


def _attention(source: FileSource, step: GraphStep) -> str | None:
    """The name of a product of two tensors that both follow from the features; None where there is none."""
    behind = source.graph.depends_on(step.key)
    for node in source.graph.between([step.key], [source.ends.logits]) or ():
        if node.kind in ("BATCH_MATMUL", "MatMul", "Einsum") and len(behind.intersection(node.inputs)) > 1:
            return node.name
    return None


def _named_step(source: FileSource, layer: int | str) -> GraphStep:
    steps = source.steps
    if isinstance(layer, int):
        if not -len(steps) <= layer < len(steps):
            raise ClassifierError(
                f"{source.name}: layer {layer} is unknown; expected {-len(steps)} to {len(steps) - 1}, "
                f"`camlite inspect` lists the layers"
            )
        step = steps[layer]
    else:
        named = [one for one in steps if one.name == layer]
        if not named:
            raise ClassifierError(f"{source.name}: no layer is named {layer!r}; `camlite inspect` lists the layers")
        (step,) = named
    if not _is_feature_map(step):
        raise ClassifierError(
            f"{source.name}: layer {step.name!r} gives {step.shape}, which is no feature map; expected (batch, height, "
            f"width, channels) with more than one place; `camlite inspect` lists the layers"
        )
    if source.head(step) is None:
        raise ClassifierError(f"{source.name}: {operations.not_alone_text(step.name, source.past(step))}")
    if not _places_are_kept(source, steps[: steps.index(step) + 1]):
        raise ClassifierError(
            f"{source.name}: the places of layer {step.name!r} are not those of the image: its axes were moved on the "
            f"way; cut at an earlier --layer"
        )
    return step
