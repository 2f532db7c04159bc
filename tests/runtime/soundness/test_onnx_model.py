"""`camlite.soundness.onnx_model`: what onnxruntime sees is whole, names no other file, and has bounds."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from camlite import ArtifactError, artifact, backends
from camlite.soundness import onnx_model
from support import onnx_models
from support.fresh_process import fresh_process, run_camlite
from support.mutants import parent
from support.onnx_models import node

onnx = pytest.importorskip("onnx")
helper = onnx.helper

ROW, MAP = (1, 8), (1, 4, 9, 12)


@pytest.fixture(scope="module")
def path(tiny):
    return tiny / "stripes" / "stripes.float32.onnx"


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_what_the_exporter_writes_is_sound(precision, tiny):
    onnx_model.verify(artifact.read(tiny / "stripes" / f"stripes.{precision}.onnx").model)


def external(model: bytes, file: str) -> bytes:
    """The model, with the data of its first weights in a file."""
    changed = onnx.ModelProto.FromString(model)
    tensor = changed.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=file)
    return changed.SerializeToString()


def in_an_attribute(model: bytes, file: str) -> bytes:
    """The same in the value of a Constant."""
    weights = onnx.ModelProto.FromString(external(model, file)).graph.initializer[0]
    changed = onnx.ModelProto.FromString(model)
    changed.graph.node.add(op_type="Constant", output=["c"]).attribute.add(name="value", type=4).t.CopyFrom(weights)
    return changed.SerializeToString()


@pytest.mark.parametrize("hide", [external, in_an_attribute])
def test_data_in_another_file_is_told(hide, path):
    with pytest.raises(ValueError, match="keeps its data in another file"):
        onnx_model.verify(hide(artifact.read(path).model, "/etc/hostname"))


def test_an_artifact_that_would_read_another_file_is_refused_before_onnxruntime_runs(path, tmp_path):
    one = parent(path)
    model = external(one.model, "secret.bin")
    hostile = tmp_path / "hostile.onnx"
    hostile.write_bytes(one.with_card({**one.card(), "model_sha256": hashlib.sha256(model).hexdigest()}, model))

    finished = run_camlite("check", hostile)

    assert finished.returncode == 2
    assert "no sound onnx model: a tensor keeps its data" in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_every_truncation_of_a_field_is_told(path):
    model = artifact.read(path).model
    for length in range(1, len(model), 11):
        try:
            onnx_model.verify(model[:length])
        except ValueError:
            continue
        # Between two fields of the outermost message nothing is missing that the message itself knows of.
        onnx.ModelProto.FromString(model[:length])


def body(name: str, **inputs: object) -> object:
    """A graph inside an operator, which does nothing."""
    values = [helper.make_tensor_value_info(key, kind, sides) for key, (kind, sides) in inputs.items()]
    outputs = [helper.make_tensor_value_info("same", 9, []), helper.make_tensor_value_info("kept", 1, [1, 8])]
    return helper.make_graph([node("Identity", "on", "same"), node("Identity", "x", "kept")], name, values, outputs)


def turning() -> bytes:
    """A loop of 2^62 turns."""
    inside = body("body", turn=(7, []), on=(9, []), x=(1, [1, 8]))
    constants = {"turns": np.int64(1 << 62), "true": np.array(True)}
    return onnx_models.model([node("Loop", "turns true image", "out", body=inside)], ROW, {"out": ROW}, constants)


def choosing() -> bytes:
    """A branch whose other branch is another model."""
    branch = helper.make_graph(
        [node("Identity", "image", "kept")], "branch", [], [helper.make_tensor_value_info("kept", 1, ROW)]
    )
    operator = node("If", "true", "out", then_branch=branch, else_branch=branch)
    return onnx_models.model([operator], ROW, {"out": ROW}, {"true": np.array(True)})


def scanning() -> bytes:
    inside = helper.make_graph(
        [node("Identity", "x", "y")],
        "body",
        [helper.make_tensor_value_info("x", 1, [8])],
        [helper.make_tensor_value_info("y", 1, [8])],
    )
    return onnx_models.model([node("Scan", "image", "out", body=inside, num_scan_inputs=1)], ROW, {"out": ROW})


def function() -> bytes:
    """An operator that the model itself defines."""
    sets = [helper.make_opsetid("", 17)]
    made = helper.make_function("own", "Twice", ["x"], ["y"], [node("Add", "x x", "y")], sets)
    operator = node("Twice", "image", "out", domain="own")
    return onnx_models.model([operator], ROW, {"out": ROW}, functions=[made], opsets=[helper.make_opsetid("own", 1)])


def of_vendor() -> bytes:
    operator = node("FusedMatMul", "image w", "out", domain="com.microsoft")
    sets = [helper.make_opsetid("com.microsoft", 1)]
    return onnx_models.model([operator], ROW, {"out": (1, 3)}, {"w": np.ones((8, 3), np.float32)}, opsets=sets)


def sequence() -> bytes:
    nodes = [node("SequenceConstruct", "image image", "s"), node("ConcatFromSequence", "s", "out", axis=0)]
    return onnx_models.model(nodes, ROW, {"out": None})


def optional_input() -> bytes:
    proto = onnx.ModelProto.FromString(onnx_models.model([node("Relu", "image", "out")], ROW, {"out": ROW}))
    proto.graph.input[0].type.CopyFrom(helper.make_optional_type_proto(proto.graph.input[0].type))
    return proto.SerializeToString()


def sparse() -> bytes:
    values = helper.make_tensor("s", 1, [1], [1.0])
    stored = helper.make_sparse_tensor(values, helper.make_tensor("i", 7, [1], [0]), [1 << 40])
    return onnx_models.model([node("Relu", "image", "out")], ROW, {"out": ROW}, sparse_initializer=[stored])


def of(*nodes: object, **constants: object) -> bytes:
    return onnx_models.model(nodes, ROW, {"out": None}, constants)


LARGE = 1 << 40
HOSTILE = {
    "a loop": (turning, "graph_inside"),
    "a branch": (choosing, "graph_inside"),
    "a scan": (scanning, "graph_inside"),
    "a function": (function, "has functions"),
    "an operator of a vendor": (of_vendor, r"\(FusedMatMul\): camlite has no rule"),
    "a sequence": (sequence, r"\(SequenceConstruct\): camlite has no rule"),
    "an optional value": (optional_input, "optional_type"),
    "a sparse tensor": (sparse, "sparse_initializer"),
    "a constant that is made": (
        lambda: of(
            node("ConstantOfShape", "shape", "c"),
            node("ReduceMax", "c", "m"),
            node("Mul", "image m", "out"),
            shape=sizes(1 << 28),
        ),
        "a tensor of 1024 MB",
    ),
    "many constants that are made": (
        lambda: of(
            *(
                one
                for k in range(9)
                for one in (node("ConstantOfShape", "shape", f"c{k}"), node("ReduceMax", f"c{k}", f"m{k}", keepdims=0))
            ),
            node("Sum", "image " + " ".join(f"m{k}" for k in range(9)), "out"),
            shape=sizes(1 << 22),
        ),
        "constants made by operators of 144 MB",
    ),
    "expanded": (lambda: of(node("Expand", "image shape", "out"), shape=sizes(1, 1 << 30, 8)), "a tensor of 32768 MB"),
    "tiled": (lambda: of(node("Tile", "image times", "out"), times=sizes(1, 1 << 30)), "a tensor of 32768 MB"),
    "overflowing": (lambda: of(node("Tile", "image times", "out"), times=sizes(1, LARGE)), "times 1099511627776"),
    "a range": (
        lambda: of(
            node("Range", "zero n one", "r"),
            node("ReduceMax", "r", "m"),
            node("Cast", "m", "f", to=1),
            node("Mul", "image f", "out"),
            zero=np.int64(0),
            n=np.int64(LARGE),
            one=np.int64(1),
        ),
        "a tensor of",
    ),
    "resized": (
        lambda: onnx_models.model(
            [node("Resize", "image - scales", "out")],
            MAP,
            {"out": None},
            {"scales": np.array([1, 1, 9999, 9999], np.float32)},
        ),
        "a tensor of",
    ),
    "padded": (lambda: of(node("Pad", "image pads", "out"), pads=sizes(0, 0, 0, LARGE)), "padding 1099511627776"),
    "classes": (
        lambda: of(
            node("ArgMax", "image", "a", axis=1),
            node("OneHot", "a n values", "out"),
            n=np.int64(1 << 30),
            values=np.zeros(2, np.float32),
        ),
        "a tensor of 4096 MB",
    ),
    "a product of vectors": (
        lambda: of(
            node("Transpose", "image", "t"),
            node("Tile", "t many", "c"),
            node("Transpose", "c", "r"),
            node("MatMul", "c r", "out"),
            many=sizes(1 << 12, 1),
        ),
        "a tensor of 4096 MB",
    ),
    "many at a time": (
        lambda: of(
            *(node("Tile", "image many", f"a{k}") for k in range(9)),
            node("Concat", " ".join(f"a{k}" for k in range(9)), "all", axis=1),
            node("ReduceMax", "all", "out", axes=[1]),
            many=sizes(1, 1 << 20),
        ),
        "expected at most 256",
    ),
    "much work": (
        lambda: of(
            node("Tile", "image many", "a"),
            *(node("Exp", f"a{k or ''}", f"a{k + 1}") for k in range(300)),
            node("ReduceMax", "a300", "out", axes=[1]),
            many=sizes(1, 1 << 22),
        ),
        "multiplications, expected at most 1.4e",
    ),
    "many operators": (
        lambda: of(
            *(node("Relu", f"a{k}" if k else "image", f"a{k + 1}") for k in range(1 << 14)),
            node("Relu", f"a{1 << 14}", "out"),
        ),
        "more than 16384 operators",
    ),
    "a side that is free": (
        lambda: onnx_models.model([node("Relu", "image", "out")], (1, "width"), {"out": None}),
        "has shape",
    ),
    "a batch of many": (
        lambda: onnx_models.model([node("Relu", "image", "out")], (9, 8), {"out": None}),
        "a batch of 1",
    ),
    "what depends on the image": (
        lambda: of(node("NonZero", "image", "n"), node("Cast", "n", "out", to=1)),
        r"\(NonZero\): camlite has no rule",
    ),
    "random": (lambda: of(node("RandomNormalLike", "image", "out")), "camlite has no rule"),
    "a circle": (
        lambda: of(node("Add", "image b", "a"), node("Relu", "a", "b"), node("Relu", "image", "out")),
        "in a circle",
    ),
    "made twice": (lambda: of(node("Relu", "image", "out"), node("Neg", "image", "out")), "made twice"),
    "a constant under another's name": (
        lambda: of(node("Relu", "image", "c"), node("Add", "image c", "out"), c=sizes(1)),
        "made twice",
    ),
    "nothing makes it": (lambda: of(node("Add", "image nowhere", "out")), "not there yet"),
    "a lie about a shape": (
        lambda: onnx_models.model(
            [node("Relu", "image", "a"), node("Relu", "a", "out")],
            ROW,
            {"out": None},
            value_info=[helper.make_tensor_value_info("a", 1, (1, 9))],
        ),
        "said to have another",
    ),
    "an output of another shape": (
        lambda: onnx_models.model([node("Relu", "image", "out")], ROW, {"out": (1, 9)}),
        "said to have another",
    ),
    "a constant without data": (lambda: of(node("Add", "image b", "out"), b=hollow()), "less data"),
    "an old set of operators": (
        lambda: onnx_models.model([node("Relu", "image", "out")], ROW, {"out": ROW}, opset=6),
        "operator set 6",
    ),
}


def sizes(*sides: int) -> np.ndarray:
    return np.array(sides, np.int64)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_hang_or_fill_the_device_is_refused(name):
    build, said = HOSTILE[name]

    with pytest.raises(ValueError, match=said):
        onnx_model.verify(build())


def test_an_artifact_with_a_loop_is_refused_in_one_line_before_onnxruntime_runs(path, tmp_path):
    one = parent(path)
    hostile = tmp_path / "hostile.onnx"
    model = turning()
    hostile.write_bytes(one.with_card({**one.card(), "model_sha256": hashlib.sha256(model).hexdigest()}, model))

    finished = run_camlite("check", hostile)

    assert finished.returncode == 2
    assert "no sound onnx model: Attribute at byte" in finished.stderr
    assert finished.stderr.count("\n") == 1


def field(number: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([number << 3 | 2, len(body)]) + body


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (field(7, b"") + field(7, b""), "graph twice"),
        (field(7, b"") + b"\x50\x01", "a field 10 of type 0"),
        (b"\x38\x01", "a field 7 of type 0"),
        (field(7, field(1, b"\x22\x01A\x22\x01B")), "op_type twice"),
        (field(7, b"\x0a\x7f"), "truncated"),
        (field(7, field(1, b"\x22\x01\xff")), "decode"),
        (b"\x0b", "a field 1 of type 3"),
    ],
)
def test_a_message_that_parsers_could_read_in_two_ways_is_told(model, said):
    with pytest.raises(ValueError, match=said):
        onnx_model.verify(b"\x08\x08" + field(8, b"\x10\x11") + model)


def test_every_tensor_of_what_the_exporter_writes_has_the_shape_that_onnxruntime_gives_it(tiny):
    with fresh_process() as process:
        for name in (
            "stripes/stripes.float32",
            "stripes/stripes.float16",
            "hidden/hidden.float32",
            "colours/colours.int8",
        ):
            model = artifact.read(tiny / f"{name}.onnx").model
            proof = onnx_model.verify(model)
            given = process.submit(onnx_models.shapes, model).result()
            assert {key: (1, *port.shape) for key, port in proof.outputs.items()} == given


def hollow() -> object:
    """A constant of a million numbers, without them."""
    return onnx.TensorProto(name="b", dims=[1 << 20], data_type=1)


def test_a_model_that_is_no_classifier_is_refused_in_one_line(path, tmp_path):
    one = parent(path)
    hostile = tmp_path / "empty.onnx"
    model = b"\x08\x08\x3a\x00"
    hostile.write_bytes(one.with_card({**one.card(), "model_sha256": hashlib.sha256(model).hexdigest()}, model))

    with pytest.raises(ArtifactError, match="operator set none"):
        backends.open_interpreter(artifact.read(hostile))
