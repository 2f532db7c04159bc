"""`camlite.soundness.onnx_model` and `camlite.artifact.protobuf`: a model is whole, and names no other file."""

from __future__ import annotations

import pytest

from camlite import BackendError, artifact, backends
from camlite.soundness import onnx_model
from support.fresh_process import run_camlite
from support.mutants import parent

onnx = pytest.importorskip("onnx")


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
    """The same deeper inside: in the value of a Constant, in a graph that an attribute holds."""
    weights = onnx.ModelProto.FromString(external(model, file)).graph.initializer[0]
    constant = onnx.helper.make_node("Constant", [], ["c"], value=onnx.helper.make_tensor("t", 1, [1], [0.0]))
    constant.attribute[0].t.CopyFrom(weights)
    inner = onnx.helper.make_graph([constant], "inner", [], [])
    changed = onnx.ModelProto.FromString(model)
    changed.graph.node.add(op_type="If").attribute.add(name="then_branch").g.CopyFrom(inner)
    return changed.SerializeToString()


@pytest.mark.parametrize("hide", [external, in_an_attribute])
def test_data_in_another_file_is_told(hide, path):
    with pytest.raises(ValueError, match="keeps its data in another file"):
        onnx_model.verify(hide(artifact.read(path).model, "/etc/hostname"))


def test_an_artifact_that_would_read_another_file_is_refused_before_onnxruntime_runs(path, tmp_path):
    import hashlib

    one = parent(path)
    model = external(one.model, "secret.bin")
    hostile = tmp_path / "hostile.onnx"
    hostile.write_bytes(one.with_card({**one.card(), "model_sha256": hashlib.sha256(model).hexdigest()}, model))

    finished = run_camlite("check", hostile)

    assert finished.returncode == 2
    assert "no sound onnx model: the tensor at byte" in finished.stderr
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


def test_messages_inside_each_other_without_end_are_told():
    body = b""
    for _ in range(60):
        body = b"\x32" + _varint(len(body)) + body  # AttributeProto.g
        body = b"\x2a" + _varint(len(body)) + body  # NodeProto.attribute
        body = b"\x0a" + _varint(len(body)) + body  # GraphProto.node
    with pytest.raises(ValueError, match="inside each other"):
        onnx_model.verify(b"\x3a" + _varint(len(body)) + body)


def _varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14])


def test_a_model_that_is_sound_and_no_classifier_is_refused_in_one_line(path, tmp_path):
    import hashlib

    one = parent(path)
    hostile = tmp_path / "empty.onnx"
    model = b"\x08\x08\x3a\x00"
    hostile.write_bytes(one.with_card({**one.card(), "model_sha256": hashlib.sha256(model).hexdigest()}, model))

    with pytest.raises(BackendError, match="cannot load it"):
        backends.open_interpreter(artifact.read(hostile))
