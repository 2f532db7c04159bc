"""What an image classifier's file may be made of: every class, every function, every argument. Nothing but tables.

`configuration` reads a file's structure by these lists, and refuses what is on none. A name of a file is only ever
compared with a name here; where Keras needs a module, it is given the one that stands here.
"""

from __future__ import annotations

KERAS = frozenset({"keras", "tf_keras"})  # the first part of a module's name


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_1D_2D_3D = ("1D", "2D", "3D")


def _in_dimensions(names: str) -> frozenset[str]:
    return frozenset(name + rank for name in names.split() for rank in _1D_2D_3D)


_EVERYWHERE = _in_dimensions(
    "Conv Convolution AveragePooling AvgPool MaxPool MaxPooling GlobalAveragePooling GlobalAvgPool GlobalMaxPool "
    "GlobalMaxPooling Cropping ZeroPadding UpSampling SpatialDropout"
) | _words(
    """
    InputLayer Dense Activation EinsumDense Embedding Identity
    Conv1DTranspose Conv2DTranspose Conv3DTranspose Convolution1DTranspose Convolution2DTranspose
    Convolution3DTranspose DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D SeparableConvolution1D
    SeparableConvolution2D
    BatchNormalization GroupNormalization LayerNormalization UnitNormalization
    ELU LeakyReLU PReLU ReLU Softmax
    Add Average Concatenate Dot Maximum Minimum Multiply Subtract
    Flatten Permute RepeatVector Reshape
    ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise
    CenterCrop Normalization RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation RandomTranslation
    RandomZoom Rescaling Resizing
    AdditiveAttention Attention MultiHeadAttention
    GRU LSTM SimpleRNN ConvLSTM1D ConvLSTM2D ConvLSTM3D Bidirectional TimeDistributed
    """
)

LAYERS_OF_KERAS_3 = (
    _EVERYWHERE
    | _in_dimensions("AdaptiveAveragePooling AdaptiveMaxPooling")
    | _words(
        """
        AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization MixUp RandAugment
        RandomColorDegeneration RandomColorJitter RandomElasticTransform RandomErasing RandomGaussianBlur
        RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomSaturation RandomSharpness
        RandomShear Solarization
        GroupQueryAttention RMSNormalization SpectralNormalization
        """
    )
)
LAYERS_OF_KERAS_2 = _EVERYWHERE | _words(
    """
    BatchNormalizationV1 BatchNormalizationV2 SyncBatchNormalization RandomHeight RandomWidth SlicingOpLambda
    TFOpLambda ThresholdedReLU
    """
)

# Of Keras 3: what an `.h5` calls a class, by its own name, and the name that Keras exports it by.
EXPORTED_AS = {"GroupedQueryAttention": "GroupQueryAttention"}

# Of keras.applications: layers that Keras does not export, and where they are.
LAYERS_OF_APPLICATIONS = {
    "CustomScaleLayer": "applications.inception_resnet_v2",
    "LayerScale": "applications.convnext",
    "StochasticDepth": "applications.convnext",
}

MODELS = frozenset({"Functional", "Model", "Sequential"})
WRAPPERS = frozenset({"Bidirectional", "SpectralNormalization", "TimeDistributed"})
CALLS_OF_TENSORFLOW = frozenset({"SlicingOpLambda", "TFOpLambda"})
ACTIVATION_LAYERS = frozenset({"ELU", "LeakyReLU", "ReLU", "Softmax", "ThresholdedReLU"})

ACTIVATIONS = _words(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softmax_v2 softplus softsign sparse_plus
    sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold
    """
)

# The weights come from the file, and nobody trains: these are looked at and not made.
INITIALIZERS = _words(
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
    constant glorot_normal glorot_uniform he_normal he_uniform identity lecun_normal lecun_uniform normal one ones
    orthogonal random_normal random_uniform truncated_normal uniform variance_scaling zero zeros
    """
)
# EfficientNetV2 of Keras 2 has those of TensorFlow itself.
MODULES_OF_INITIALIZERS = frozenset({"tensorflow.python.ops.init_ops", "tensorflow.python.ops.init_ops_v2"})
REGULARIZERS = _words("L1 L1L2 L2 OrthogonalRegularizer l1 l1_l2 l1l2 l2 orthogonal_regularizer")
CONSTRAINTS = _words("MaxNorm MinMaxNorm NonNeg UnitNorm max_norm min_max_norm non_neg unit_norm")

DTYPES = _words("bfloat16 bool float16 float32 float64 int16 int32 int64 int8 uint16 uint32 uint64 uint8")
POLICIES = DTYPES | {"mixed_bfloat16", "mixed_float16"}
POLICY_CLASSES = frozenset({"DTypePolicy", "FloatDTypePolicy", "Policy", "PolicyV1"})
# Weights in 8 bits are refused later, with what to do instead.
QUANTIZED_POLICY_CLASSES = frozenset({"QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy"})
QUANTIZATIONS = frozenset({"float8", "int4", "int8"})

# Functions of TensorFlow that Keras 2 keeps as layers, such as `x / 127.5 - 1`.
_FUNCTIONS_OF_TENSORFLOW = frozenset(
    f"{module}.{name}"
    for module, names in {
        "math": "abs add add_n argmax ceil cos divide divide_no_nan equal erf exp expm1 floor floordiv floormod "
        "greater greater_equal l2_normalize less less_equal log log1p log_sigmoid log_softmax logical_and logical_not "
        "logical_or maximum minimum multiply multiply_no_nan negative not_equal pow reciprocal reduce_logsumexp "
        "reduce_max reduce_mean reduce_min reduce_prod reduce_std reduce_sum reduce_variance round rsqrt scalar_mul "
        "sigmoid sign sin softmax softplus softsign sqrt square squared_difference subtract tanh truediv",
        "nn": "avg_pool avg_pool2d batch_normalization bias_add conv2d crelu depth_to_space depthwise_conv2d elu gelu "
        "l2_normalize leaky_relu log_softmax max_pool max_pool2d moments relu relu6 selu sigmoid silu softmax "
        "softplus softsign space_to_depth swish tanh",
        "image": "adjust_contrast grayscale_to_rgb per_image_standardization resize rgb_to_grayscale",
        "linalg": "l2_normalize matmul",
        "__operators__": "add getitem",
    }.items()
    for name in names.split()
) | _words(
    """
    cast clip_by_value concat convert_to_tensor expand_dims gather identity ones_like pad repeat reshape reverse
    saturate_cast shape slice split squeeze stack stop_gradient strided_slice tile transpose unstack where zeros_like
    dtypes.saturate_cast
    """
)
FUNCTIONS_OF_TENSORFLOW = (
    _FUNCTIONS_OF_TENSORFLOW
    | {f"compat.v1.{name}" for name in _FUNCTIONS_OF_TENSORFLOW}
    | {f"keras.activations.{name}" for name in ACTIVATIONS}
)

# Operations of Keras 3, the same for its files; and the module of each, in keras.src.ops.
OPERATIONS = {
    name: module
    for module, names in {
        "core": "Cast ConvertToTensor SaturateCast Slice StopGradient Unstack",
        "image": "CropImages PadImages RGBToGrayscale Resize",
        "math": "Erf Logsumexp Rsqrt",
        "nn": "AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Celu Conv DepthToSpace DepthwiseConv "
        "DotProductAttention Elu Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu LogSigmoid "
        "LogSoftmax MaxPool Moments Normalize RMSNorm Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax "
        "Softplus Softsign SpaceToDepth SparsePlus SparseSigmoid Sparsemax Squareplus TanhShrink Threshold",
        "numpy": "Abs Absolute Add Amax Amin Argmax Average BroadcastTo Ceil Clip Concatenate Cos Divide DivideNoNan "
        "Dot Einsum Equal Exp ExpandDims Expm1 Flip Floor FloorDivide GetItem Greater GreaterEqual Less LessEqual Log "
        "Log1p LogicalAnd LogicalNot LogicalOr Matmul Max Maximum Mean Median Min Minimum Mod Moveaxis Multiply "
        "Negative NotEqual OnesLike Pad Power Prod Ravel Reciprocal Repeat Reshape Roll Round Sign Sin Split Sqrt "
        "Square Squeeze Stack Std Subtract Sum Swapaxes Take Tanh Tensordot Tile Transpose TrueDivide Var Where "
        "ZerosLike",
    }.items()
    for name in names.split()
}

# Arguments of layers and operations, by what they take.
FLAGS = _words(
    """
    all_ops
    antialias approximate autocast auto_vectorize center crop_to_aspect_ratio dynamic flash_attention force_generator
    fused go_backwards invert is_causal keepdims mask_zero normalize optional pad_to_aspect_ratio ragged renorm
    reset_after return_sequences return_state rms_scaling robust_masking softmax_robust_masking sparse stateful
    synchronized time_major trainable unit_forget_bias unroll use_bias use_cudnn use_gate use_scale
    zero_output_for_mask
    """
)
NUMBERS = _words(
    """
    addition_factor alpha attention_axes attn_logits_soft_cap axes axis axis1 axis2 b bins block_size
    bottom_cropping bottom_padding brightness_factor clip_limit contrast_factor cropping decimals default_value
    depth_multiplier destination dilation_rate dims drop_path_rate dropout epsilon factor fill_value filters groups
    head_dim height height_factor hue_factor init_values initial input_dim input_length kernel_size key_dim l1 l2
    left_cropping left_padding max_value mean momentum n negative_slope noise_shape num_heads num_key_value_heads
    num_query_heads offset order output_dim output_padding output_shape output_size pad_width padding_value
    pool_size projection_dim rate ratio recurrent_dropout renorm_momentum repeats right_cropping right_padding
    saturation_factor scale seed shared_axes shift sigma size sliding_window source stddev strides target_height
    target_width theta threshold threshold_factor tile_grid_size top_cropping top_padding units value_dim
    value_range variance virtual_batch_size width width_factor x_factor x_max x_min y_factor
    """
)
# Python counts up to them, and makes a tensor, or a layer, each time.
SMALL_NUMBERS = _words("batch_size chain_depth implementation num_chains num_ops power_iterations")
COUNTED = _words("indices_or_sections num num_or_size_splits")
SHAPES_OF_IMAGES = _words(
    """
    batch_input_shape batch_shape build_input_shape input_shape key_shape newshape query_shape shape target_shape
    value_shape
    """
)
FALSE = _words("stateful unroll")  # the same answer: `unroll` makes a layer of each step, `stateful` a state at once
SUBSCRIPTS = frozenset({"bias_axes", "equation", "subscripts"})
# Of each part, an initializer, a regularizer and a constraint.
WEIGHTS = _words("alpha beta bias depthwise embeddings gamma kernel moving_mean moving_variance pointwise recurrent")
# What no classifier that is ready to use has.
NOTHING = _words(
    """
    adjustment bounding_box_format gptq_unpacked_column_size input_tensor lora_alpha lora_rank mask quantization_config
    type_spec weights
    """
)
# Left out, whatever they are: only training has a use for them.
FOR_TRAINING = frozenset({"renorm_clipping"})
WORDS = {
    "data_format": frozenset({"channels_first", "channels_last"}),
    "fill_mode": frozenset({"constant", "nearest", "reflect", "wrap"}),
    "interpolation": frozenset(
        {"area", "bicubic", "bilinear", "gaussian", "lanczos3", "lanczos5", "mitchellcubic", "nearest"}
    ),
    "merge_mode": frozenset({"ave", "concat", "mul", "sum"}),
    "mode": frozenset(
        {"constant", "edge", "horizontal", "horizontal_and_vertical", "reflect", "symmetric", "vertical"}
    ),
    "padding": frozenset({"causal", "same", "valid"}),
    "rng_type": frozenset({"legacy_stateful", "stateful", "stateless"}),
    "score_mode": frozenset({"concat", "dot", "scaled_dot"}),
}
WORDS_OR_NUMBERS = frozenset({"padding", "mode"})
LAYERS_INSIDE = frozenset({"backward_layer", "layer"})

# What a layer, an operation or a function of TensorFlow may be called with, besides tensors.
CALL_ARGUMENTS = _words(
    """
    a a_is_sparse adjoint_a adjoint_b align_corners alpha antialias approximate attention_mask axes axis b b_is_sparse
    batch_dims begin begin_mask beta bias block_size clip_value_max clip_value_min condition conjugate constant_values
    contrast_factor data_format depthwise_kernel dilations dim dimension dtype dtype_hint ellipsis_mask end end_mask
    epsilon features filter filters gamma image images indices initial_state input input_ input_tensor inputs keep_dims
    keepdims kernel key key_mask ksize layout logits mask mean method mode multiples name new_axis_mask num
    num_or_size_splits offset out_type output_type padding paddings params perm pointwise_kernel preferred_dtype
    preserve_aspect_ratio query query_mask rate reduction_indices repeats return_attention_scores scalar scale sequence
    shape shift shrink_axis_mask size slice_spec squeeze_dims start_indices strides t tensor training transpose_a
    transpose_b use_causal_mask use_cudnn_on_gpu validate_indices value value_mask values var variance variance_epsilon
    x x1 x2 xs y
    """
)
CALL_WORDS = DTYPES.union(
    WORDS["data_format"], WORDS["interpolation"], WORDS["padding"], WORDS["mode"],
    {"CONSTANT", "NCHW", "NHWC", "REFLECT", "SAME", "SYMMETRIC", "VALID"},
)  # fmt: skip
