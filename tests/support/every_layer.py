"""Every layer class of Keras 3 and tf_keras, with every argument that changes what it computes, and odd state.

`branches` builds one model of many branches, one a case: image -> branch -> flat -> all side by side. So a hundred
layers are saved and opened at once, and each is compared by its own part of the scores.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from camlite_export.sources.untrusted import allowed

SHAPE = (8, 8, 3)

# Input shapes that an image of 8 x 8 x 3 can be reshaped to.
SHAPES = {
    "image": SHAPE, "pixels": SHAPE, "sequence": (16, 12), "volume": (8, 6, 4, 1), "cube": (4, 4, 4, 3),
    "vector": (192,),    "frames": (3, 8, 8, 1), "rows": (4, 16, 3), "volumes": (3, 4, 4, 4, 1),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A layer to build.

    Attributes:
        kind: name of its class; options: of its constructor, where a function makes a layer of the same framework.
        shape: a name of `SHAPES`: of what it is given; ``pixels`` are 0..255, the others -2..2.
    """

    kind: str
    options: dict[str, Any]
    shape: str

    @property
    def name(self) -> str:
        """For messages."""
        shown = ", ".join(f"{key}={'...' if callable(value) else value}" for key, value in self.options.items())
        return f"{self.kind}({shown})"


def _of(kinds: str, shape: str, *options: dict[str, Any]) -> list[Case]:
    return [Case(kind, one, shape) for kind in kinds.split() for one in options]


def _each(first: dict[str, Any], **values: list[Any]) -> list[dict[str, Any]]:
    """The first options, and these with one argument changed to each of its values."""
    return [first, *({**first, name: value} for name, found in values.items() for value in found)]


_MERGES = "Add Average Maximum Minimum Multiply Subtract"
_ATTENTION = "AdditiveAttention Attention"
_HEADS = "MultiHeadAttention GroupedQueryAttention"

_CONV: dict[str, Any] = {"filters": 4, "kernel_size": 3}
_CONV_VALUES: dict[str, Any] = {
    "strides": [2], "padding": ["same"], "dilation_rate": [2], "use_bias": [False],
    "activation": ["hard_sigmoid", "elu", lambda ls: ls.LeakyReLU(0.1), lambda ls: ls.ReLU(1.5, 0.2)],
}  # fmt: skip
_RNN: dict[str, Any] = {"units": 3}
_RNN_VALUES: dict[str, Any] = {
    "activation": ["relu", "hard_sigmoid"], "use_bias": [False], "return_sequences": [True], "return_state": [True],
    "go_backwards": [True], "unit_forget_bias": [False], "recurrent_activation": ["hard_sigmoid"],
    "reset_after": [False],
}  # fmt: skip
_STATISTICS = {"mean": [100.0, 120.0, 30.0], "variance": [900.0, 50.0, 4000.0]}

_BY_RANK: list[Case] = [
    case
    for rank, shape, frames in (("1D", "sequence", "rows"), ("2D", "image", "frames"), ("3D", "volume", "volumes"))
    for case in (
        *_of(f"Conv{rank}", shape, *_each({**_CONV, "kernel_size": 2}, **_CONV_VALUES)),
        *_of(f"Conv{rank}Transpose", shape, *_each(_CONV, **{**_CONV_VALUES, "dilation_rate": []})),
        *_of(f"Conv{rank}Transpose", shape, {**_CONV, "strides": 2, "output_padding": 1, "padding": "same"}),
        *_of(f"AveragePooling{rank} MaxPooling{rank}", shape, *_each({"pool_size": 2}, strides=[1], padding=["same"])),
        *_of(f"GlobalAveragePooling{rank} GlobalMaxPooling{rank}", shape, *_each({}, keepdims=[True])),
        *_of(f"AdaptiveAveragePooling{rank} AdaptiveMaxPooling{rank}", shape, {"output_size": 3}),
        *_of(f"Cropping{rank}", shape, {"cropping": 1}),
        *_of(f"ZeroPadding{rank}", shape, {"padding": 2}),
        *_of(f"UpSampling{rank}", shape, {"size": 2}),
        *_of(f"SpatialDropout{rank}", shape, {"rate": 0.5}),
        *_of(
            f"ConvLSTM{rank}",
            frames,
            *_each(
                {"filters": 2, "kernel_size": 3, "padding": "same"},
                strides=[2], padding=["valid"], dilation_rate=[2],
                **{**_RNN_VALUES, "reset_after": [], "activation": ["relu"]},
            ),
        ),
    )
]  # fmt: skip

_DEPTHWISE: dict[str, Any] = {"kernel_size": 3}
_DEPTHWISE_VALUES: dict[str, Any] = {**_CONV_VALUES, "depth_multiplier": [2]}

CASES: list[Case] = [
    *_BY_RANK,
    *_of("Conv1D", "sequence", {**_CONV, "groups": 2}),
    *_of("Conv3D", "cube", {"filters": 6, "kernel_size": 2, "groups": 3}),
    *_of("Conv2D", "image", {"filters": 6, "kernel_size": (2, 3), "groups": 3, "strides": (1, 2)}),
    *_of("Cropping2D ZeroPadding2D", "image", {"cropping": ((1, 2), (0, 3))}, {"padding": ((1, 2), (0, 3))}),
    *_of("UpSampling2D", "image", {"size": (2, 3), "interpolation": "bilinear"}),
    *_of("DepthwiseConv1D", "sequence", *_each(_DEPTHWISE, **_DEPTHWISE_VALUES)),
    *_of("DepthwiseConv2D", "image", *_each(_DEPTHWISE, **_DEPTHWISE_VALUES)),
    *_of("SeparableConv1D", "sequence", *_each(_CONV, **_DEPTHWISE_VALUES)),
    *_of("SeparableConv2D", "image", *_each(_CONV, **_DEPTHWISE_VALUES)),
    *_of("Dense", "vector", *_each({"units": 5}, activation=_CONV_VALUES["activation"], use_bias=[False])),
    *_of("Dense", "image", {"units": 5, "activation": "hard_sigmoid"}),
    *_of(
        "EinsumDense", "sequence",
        {"equation": "abc,cd->abd", "output_shape": (16, 5), "bias_axes": "d", "activation": "hard_sigmoid"},
        {"equation": "abc,cde->abde", "output_shape": (16, 2, 3)},
    ),
    *_of("Embedding", "pixels", {"input_dim": 256, "output_dim": 2}),
    *_of("Identity Flatten", "image", {}),
    *_of("ActivityRegularization", "image", {"l1": 0.1, "l2": 0.1}),
    *_of("Dropout AlphaDropout GaussianDropout", "image", {"rate": 0.5}),
    *_of("GaussianNoise", "image", {"stddev": 0.9}),
    *_of("Permute", "image", {"dims": (3, 1, 2)}),
    *_of("RepeatVector", "vector", {"n": 2}),
    *_of("Reshape", "image", {"target_shape": (24, 8)}, {"target_shape": (-1, 4)}),
    *_of("BatchNormalization", "image", *_each({}, axis=[1, -1, 2], epsilon=[0.1], center=[False], scale=[False])),
    *_of("BatchNormalization", "vector", {}, {"renorm": True}),
    *_of(
        "LayerNormalization", "image", *_each({}, axis=[1, [1, 2], [1, 2, 3]], epsilon=[0.1]),
        {"center": False}, {"scale": False},
    ),
    *_of(
        "GroupNormalization", "image", *_each({"groups": 3}, epsilon=[0.1], center=[False], scale=[False]),
        {"groups": 2, "axis": 1}, {"groups": -1},
    ),
    *_of("RMSNormalization", "image", *_each({}, axis=[-1], epsilon=[0.1])),
    *_of("UnitNormalization", "image", {}, {"axis": 1}, {"axis": [1, 2]}),
    *_of("Normalization", "pixels", {}, {"axis": None}, {"axis": 1}, {"axis": (1, 3)}, {"invert": True}),
    *_of("Normalization", "pixels", _STATISTICS, {**_STATISTICS, "invert": True},
         {"mean": 90.0, "variance": 400.0, "axis": None}),
    *_of("Normalization", "vector", {}),
    *_of("Rescaling", "pixels", {"scale": 1 / 255}, {"scale": 0.01, "offset": -1.5}),
    *_of("Rescaling", "pixels", {"scale": [0.01, 0.02, 0.03], "offset": [-1.5, 0.0, 2.0]}),
    *_of("CenterCrop", "pixels", {"height": 5, "width": 4}, {"height": 12, "width": 10}, {"height": 3, "width": 12}),
    *_of("RandomCrop", "pixels", {"height": 5, "width": 4}, {"height": 12, "width": 10}),
    *_of(
        "Resizing", "pixels",
        *_each(
            {"height": 5, "width": 11}, crop_to_aspect_ratio=[True], antialias=[True],
            interpolation=["nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"],
        ),
        {"height": 5, "width": 11, "pad_to_aspect_ratio": True, "fill_value": 3.0, "fill_mode": "constant"},
    ),
    *_of("ELU", "image", {}, {"alpha": 0.3}),
    *_of("LeakyReLU", "image", {}, {"alpha": 0.1}, {"negative_slope": 0.1}),
    *_of("PReLU", "image", {}, {"shared_axes": [1, 2]}),
    *_of("ReLU", "image", {}, {"max_value": 1.5}, {"negative_slope": 0.2}, {"threshold": 0.5}),
    *_of("ReLU", "image", {"max_value": 1.5, "negative_slope": 0.2, "threshold": 0.5}),
    *_of("ThresholdedReLU", "image", {}, {"theta": 0.5}),
    *_of("Softmax", "image", {}, {"axis": 1}, {"axis": [1, 2]}),
    *_of(_MERGES, "image", {}),
    *_of("Concatenate", "image", {}, {"axis": 1}),
    *_of("Dot", "sequence", {"axes": 1}, {"axes": (2, 2), "normalize": True}),
    *_of(_ATTENTION, "sequence", {}, {"use_scale": True}, {"use_scale": False}),
    *_of("Attention", "sequence", {"score_mode": "concat"}),
    *_of(
        "MultiHeadAttention", "sequence",
        *_each(
            {"num_heads": 2, "key_dim": 3}, value_dim=[4], use_bias=[False], output_shape=[5], attention_axes=[1],
            use_gate=[True], sliding_window=[3],
        ),
    ),
    *_of(
        "GroupedQueryAttention", "sequence",
        *_each(
            {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}, use_bias=[False], use_gate=[True],
            sliding_window=[3],
        ),
    ),
    *_of("SimpleRNN", "sequence", *_each(_RNN, **{**_RNN_VALUES, "unit_forget_bias": [], "reset_after": []})),
    *_of("LSTM", "sequence", *_each(_RNN, **{**_RNN_VALUES, "reset_after": []})),
    *_of("GRU", "sequence", *_each(_RNN, **_RNN_VALUES)),
    *_of(
        "Bidirectional", "sequence",
        *_each({"layer": lambda ls: ls.GRU(3, return_sequences=True)}, merge_mode=["sum", "mul", "ave", None]),
        {"layer": lambda ls: ls.LSTM(3), "backward_layer": lambda ls: ls.LSTM(3, activation="relu", go_backwards=True)},
    ),
    *_of(
        "TimeDistributed", "sequence",
        {"layer": lambda ls: ls.Dense(3, activation="hard_sigmoid")}, {"layer": lambda ls: ls.LeakyReLU(0.1)},
        {"layer": lambda ls: ls.BatchNormalization()},
    ),
    *_of("TimeDistributed", "frames", {"layer": lambda ls: ls.Conv2D(2, 3)}),
    *_of(
        "SpectralNormalization", "image",
        {"layer": lambda ls: ls.Conv2D(4, 3), "power_iterations": 2}, {"layer": lambda ls: ls.Dense(4)},
    ),
    *_of("RandomBrightness RandomContrast", "pixels", {"factor": 0.5}),
    *_of("RandomHeight RandomWidth RandomRotation", "pixels", {"factor": 0.3}),
    *_of("RandomTranslation", "pixels", {"height_factor": 0.3, "width_factor": 0.3}),
    *_of("RandomZoom", "pixels", {"height_factor": 0.3}),
    *_of("RandomFlip", "pixels", {}),
    *_of("AugMix AutoContrast Equalization RandAugment RandomErasing", "pixels", {}),
    *_of("AutoContrast Equalization Solarization", "pixels", {"value_range": (0, 100)}),
    *_of("Equalization", "pixels", {"bins": 16}),
    *_of("CutMix MixUp RandomElasticTransform RandomPerspective RandomShear Solarization", "pixels", {}),
    *_of("RandomColorDegeneration RandomGrayscale RandomHue RandomInvert RandomSaturation RandomSharpness", "pixels",
         {"factor": 0.5}),
    *_of("RandomColorJitter", "pixels", {}),
    *_of("RandomGaussianBlur", "pixels", {}),
    *_of("RandomPosterization", "pixels", {"factor": 4}),
    *_of("ContrastLimitedAdaptiveHistogramEqualization", "pixels",
         *_each({}, clip_limit=[1.5], tile_grid_size=[(2, 4)], value_range=[(0, 100)])),
]  # fmt: skip


# Not built here: a file that holds one of these is refused by its name, in one line.
REFUSED = {
    "AbstractRNNCell Layer Wrapper": "nothing by itself: a base for others",
    "GRUCell LSTMCell RNN SimpleRNNCell StackedRNNCells": "GRU, LSTM and SimpleRNN have the same inside",
    "CategoryEncoding DenseFeatures Discretization HashedCrossing Hashing IntegerLookup StringLookup TextVectorization":
        "for tables and texts; what it makes of pixels has no gradient",
    "FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper": "runs another framework, or a file",
    "Lambda": "carries code",
    "Masking": "masks steps of sequences",
    "MaxNumBoundingBoxes": "for boxes",
    "MelSpectrogram STFTSpectrogram": "for sound",
    "Pipeline": "for data, on the way to training",
    "ReversibleEmbedding": "for language models",
}  # fmt: skip
REFUSED_OF_KERAS_2 = {
    "LocallyConnected1D LocallyConnected2D": "Keras 3 does not have it",
    "SpectralNormalization": "tf_keras 2.21 cannot build it (its input_spec is of Keras 3)",
}
NO_LAYERS = frozenset({"InputLayer", "InputSpec"})  # the one is in every model

# Arguments that do not change what is computed outside training; by class, "*" of all, "Random*" of those.
WITHOUT_EFFECT: dict[str, str] = {
    "*": "name dtype trainable seed dropout recurrent_dropout lora_rank lora_alpha quantization_config dynamic",
    "Random*": "factor interpolation fill_mode fill_value value_range height_factor width_factor x_factor y_factor "
    "scale mode brightness_factor contrast_factor saturation_factor hue_factor kernel_size sigma",
    "AugMix": "num_chains chain_depth factor alpha all_ops interpolation value_range",
    "AlphaDropout Dropout": "noise_shape",
    "BatchNormalization": "momentum renorm_clipping renorm_momentum synchronized",
    "Bidirectional Embedding": "weights input_length sparse mask_zero",  # given to the constructor, and saved
    "CutMix MixUp": "factor alpha",
    "EinsumDense": "gptq_unpacked_column_size",
    "RandAugment": "num_ops factor interpolation value_range",
    "Solarization": "addition_factor threshold_factor",
    # How it is computed, or what becomes of masks, which no image has.
    "GRU LSTM SimpleRNN ConvLSTM1D ConvLSTM2D ConvLSTM3D": "stateful unroll use_cudnn",
    "MultiHeadAttention GroupedQueryAttention Softmax": "flash_attention softmax_robust_masking robust_masking",
}
# Read, and refused later with what to do instead; or there is no CPU that TensorFlow computes it on.
REFUSED_ARGUMENTS = {
    "*": "data_format", "GRU LSTM": "time_major", "Conv1DTranspose Conv2DTranspose Conv3DTranspose": "dilation_rate",
}  # fmt: skip


def without_effect(kind: str) -> set[str]:
    """Arguments of a class that no case has to change."""
    found = set()
    for table in (WITHOUT_EFFECT, REFUSED_ARGUMENTS):
        for kinds, names in table.items():
            if kinds == "*" or kind in kinds.split() or (kinds == "Random*" and kind.startswith("Random")):
                found |= set(names.split())
    return found


def refused(keras2: bool) -> dict[str, str]:
    """Class -> why no case has it."""
    table = {**REFUSED, **(REFUSED_OF_KERAS_2 if keras2 else {})}
    return {kind: reason for kinds, reason in table.items() for kind in kinds.split()}


def layer_classes(k: Any) -> dict[str, type]:
    """Every class of ``layers`` by its own name: aliases once."""
    found = {one for one in vars(k.layers).values() if inspect.isclass(one)}
    return {one.__name__: one for one in found}


def parameters_of(kind: type) -> set[str]:
    """The arguments of a constructor by name."""
    names = set(inspect.signature(kind.__init__).parameters) - {"self", "kwargs", "args"}
    return {name for name in names if not name.endswith(("_initializer", "_regularizer", "_constraint"))}


# Keras 3.15 itself cannot save these as `.h5`: "cannot pickle 'module' object".
NOT_IN_HDF5 = frozenset(
    {"RandomBrightness", "RandomColorDegeneration", "RandomPosterization", "RandomSaturation", "RandomSharpness"}
    | {"Solarization"}
)


def cases_of(k: Any, policy: str = "float32", suffix: str = "") -> list[Case]:
    """Those that a framework has the classes and the arguments for, and TensorFlow the kernels on a CPU."""
    keras2 = k.__name__ == "tf_keras"
    kinds = layer_classes(k)
    known = [case for case in CASES if case.kind in kinds and set(case.options) <= parameters_of(kinds[case.kind])]
    none = refused(keras2).keys() | ({"RMSNormalization"} if policy != "float32" else set())
    if suffix == ".h5" and not keras2:
        none |= NOT_IN_HDF5
    if policy != "float32":
        none |= {kind for kind in kinds if kind.endswith("Pooling3D")}  # TensorFlow has none of 16 bits on a CPU
    only = () if keras2 else ("gaussian", "mitchellcubic")  # Keras 3 builds these resizes, and does not compute them
    found = [case for case in known if case.kind not in none and case.options.get("interpolation") not in only]
    return found + [
        case for case in _activations(k) if policy == "float32" or case.options["activation"] != "sparsemax"
    ]


def sample_of(cases: list[Case]) -> list[Case]:
    """A quick share: of each class the case with the most arguments, and every Normalization; no 3D but Conv3D."""
    kinds = {case.kind: case for case in sorted(cases, key=lambda case: len(case.options))}
    quick = [case for kind, case in kinds.items() if not kind.endswith("3D") or kind == "Conv3D"]
    renamed = [case for case in cases if case.kind in ("Normalization", "Activation") and case not in quick]
    return quick + renamed


def branches(k: Any, cases: list[Case], policy: str = "float32") -> tuple[Any, list[slice]]:
    """One model with a branch a case, in odd state, and which of its scores are whose."""
    k.mixed_precision.set_global_policy(policy)
    try:
        image = k.Input(SHAPE)
        small = k.layers.Rescaling(4 / 255, offset=-2.0)(image)
        parts = [_flat(k, _branch(k, case, image if case.shape == "pixels" else small)) for case in cases]
        model = k.Model(image, k.layers.Concatenate()(parts) if len(parts) > 1 else parts[0])
    finally:
        k.mixed_precision.set_global_policy("float32")
    ends = np.cumsum([0, *(int(part.shape[1]) for part in parts)])
    return model, [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]


def _branch(k: Any, case: Case, image: Any) -> Any:
    ls = k.layers
    x = image if SHAPES[case.shape] == SHAPE else ls.Reshape(SHAPES[case.shape])(image)
    options = {name: value(ls) if callable(value) else value for name, value in case.options.items()}
    layer = layer_classes(k)[case.kind](**options)
    if case.kind in ("Normalization", "Discretization") and "mean" not in options:
        layer.adapt(np.random.default_rng(7).gamma(2.0, 30.0, (16, *SHAPES[case.shape])) * _LOPSIDED[case.shape])
    if case.kind in {*_MERGES.split(), *_ATTENTION.split(), "Concatenate", "Dot"}:
        y = layer([x, ls.Rescaling(-0.5, offset=0.3)(x)])
    elif case.kind in _HEADS.split():
        y = layer(x, ls.Rescaling(-0.5, offset=0.3)(x))
    else:
        y = layer(x)
    set_odd_state(layer)
    return y


_LOPSIDED: dict[str, Any] = {"pixels": np.array([1.0, 0.5, 0.1]), "vector": 1.0}


def _flat(k: Any, outputs: Any) -> Any:
    """(batch, n) of whatever a layer gives."""
    found = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    # RandomHeight and RandomWidth do not say which size they give: outside training, that of the image.
    found = [k.layers.Reshape(SHAPE)(one) if None in one.shape[1:] else one for one in found]
    flat = [k.layers.Flatten()(one) for one in found]
    return k.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]


def set_odd_state(layer: Any) -> None:
    """Random numbers in all of a layer's weights; what `adapt` has made stays."""
    if hasattr(layer, "adapt"):
        return
    random = np.random.default_rng(3)

    def odd(weight: Any) -> Any:
        shape, dtype = tuple(weight.shape), str(getattr(weight.dtype, "name", weight.dtype))
        if "float" not in dtype:
            return np.asarray(weight)
        values = random.normal(0, 0.5, shape)
        name = getattr(weight, "path", weight.name)
        return np.abs(values) + 0.2 if "variance" in name else values

    layer.set_weights([odd(weight) for weight in layer.weights])


def probes(count: int = 3) -> Any:
    """Images of pixels 0..255: random, smooth, and the ends of the range; float32 (count + 2, 8, 8, 3)."""
    random = np.random.default_rng(5).integers(0, 256, (count, *SHAPE)).astype(np.float32)
    return np.concatenate([random, np.zeros((1, *SHAPE), np.float32), np.full((1, *SHAPE), 255, np.float32)])


def _activations(k: Any) -> Iterator[Case]:
    """An Activation layer for each function that a file may name and a framework has."""
    for name in sorted(allowed.ACTIVATIONS - {"glu", "threshold"}):  # which need more than a tensor
        if callable(getattr(k.activations, name, None)):
            yield Case("Activation", {"activation": name}, "image")
