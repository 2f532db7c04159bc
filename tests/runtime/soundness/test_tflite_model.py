"""`camlite.soundness.tflite_model` and `flatbuffer`: no offset or index of a model leads out of it."""

from __future__ import annotations

import importlib.util
import inspect
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact
from camlite.soundness import tflite_model, tflite_rules
from camlite.soundness.flatbuffer import Reader
from camlite.soundness.tflite_schema import OPTIONS

LETTERS = {"Int8": "b", "Int32": "i", "Bool": "B", "Float32": "f", "UOffsetTRelative": "[i]"}

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")


@pytest.fixture(scope="module")
def models(tiny):
    return {
        precision: artifact.read(tiny / "stripes" / f"stripes.{precision}.tflite").model for precision in PRECISIONS
    }


@pytest.fixture(scope="module")
def model(models):
    return models["int8"]


@pytest.mark.parametrize(
    "name", [*(f"stripes/stripes.{one}" for one in PRECISIONS), "hidden/hidden.float32", "colours/colours.int8"]
)
def test_what_the_exporter_writes_is_sound(name, tiny):
    tflite_model.verify(artifact.read(tiny / f"{name}.tflite").model)


def places(model: bytes, *path: object) -> int:
    """Where a field is: names and indices from the root, as ``"subgraphs", 0, "tensors", 1, "buffer"``."""
    kind, start = "Model", struct.unpack_from("<I", model)[0]
    reader = Reader(model, tflite_model.SCHEMA)
    for step in path:
        if isinstance(step, int):
            vector = start + struct.unpack_from("<I", model, start)[0] + 4 + 4 * step
            start = vector + struct.unpack_from("<I", model, vector)[0]
            continue
        names = [field.partition(" ")[0] for field in tflite_model.SCHEMA[kind]]
        start, what = reader.places(start)[0][names.index(step)], tflite_model.SCHEMA[kind][names.index(step)]
        kind = what.partition(" ")[2].strip("[]")
        if kind in tflite_model.SCHEMA and not what.endswith("]"):
            start += struct.unpack_from("<I", model, start)[0]
    return start


def poked(model: bytes, place: int, layout: str, value: float) -> bytes:
    changed = bytearray(model)
    struct.pack_into(f"<{layout}", changed, place, value)
    return bytes(changed)


def vector(model: bytes, place: int) -> int:
    """Where the elements of the vector begin that the field at a place leads to."""
    return place + struct.unpack_from("<I", model, place)[0] + 4


OPERATOR = ("subgraphs", 0, "operators", 1)
TENSOR = ("subgraphs", 0, "tensors", 1)


@pytest.mark.parametrize(
    ("path", "layout", "value", "said"),
    [
        ((*TENSOR, "buffer"), "I", 1 << 20, "tensor's buffer: index 1048576"),
        ((*OPERATOR, "opcode_index"), "I", 77, "operator code: index 77"),
        ((*OPERATOR, "builtin_options_type"), "B", 111, "options of type 111, expected 1"),
        ((*OPERATOR, "builtin_options_type"), "B", 200, "options of type 200"),
        (("operator_codes", 0, "builtin_code"), "i", 119, "TFLite's operator 119, which camlite does not write"),
        ((*TENSOR, "type"), "b", 5, "a tensor has type 5, or is a variable"),
        (("signature_defs", 0, "outputs", 0, "tensor_index"), "I", 1 << 30, "signature: index"),
        ((*TENSOR, "name"), "I", 1 << 30, "an offset leads to byte"),
        (("subgraphs",), "I", 0xFFFFFFF0, "an offset leads to byte"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_number_that_leads_out_of_the_model_is_told(path, layout, value, said, model):
    with pytest.raises(ValueError, match=said):
        tflite_model.verify(poked(model, places(model, *path), layout, value))


@pytest.mark.parametrize(
    ("path", "layout", "value", "said"),
    [
        ((*TENSOR, "shape"), "i", -5, "a tensor has shape"),
        ((*TENSOR, "shape"), "i", 0x7FFFFFFF, "a tensor has shape"),
        ((*OPERATOR, "inputs"), "i", 4096, "inputs: index 4096, expected -1"),
        ((*OPERATOR, "inputs"), "i", -2, "inputs: index -2, expected -1"),
        ((*OPERATOR, "outputs"), "i", -1, "outputs: index -1, expected 0"),
        (("subgraphs", 0, "inputs"), "i", -1, "inputs of the graph: index -1"),
        ((*OPERATOR, "inputs"), "i", 14, "takes a tensor that is not there yet"),
        ((*OPERATOR, "outputs"), "i", 0, "expected tensors that are not there yet"),
        (("subgraphs", 0, "outputs"), "i", 4096, "an output of the graph is a tensor that nothing makes"),
        (("subgraphs", 0, "inputs"), "i", 1, "an input of the graph is a constant"),
        (("subgraphs", 0, "tensors", 0, "quantization", "scale"), "f", float("nan"), "a scale that is no scale"),
        (("subgraphs", 0, "tensors", 0, "quantization", "zero_point"), "q", 256, r"zero points \(256,\), expected"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_element_that_an_interpreter_would_follow_is_told(path, layout, value, said, model):
    with pytest.raises(ValueError, match=said):
        tflite_model.verify(poked(model, vector(model, places(model, *path)), layout, value))


def test_shapes_of_a_terabyte_are_told(model):
    """The shape of an image whose sides are large, and which no operator makes."""
    sides = vector(model, places(model, "subgraphs", 0, "tensors", 0, "shape"))
    larger = poked(poked(model, sides + 4, "i", 1 << 20), sides + 8, "i", 1 << 20)

    with pytest.raises(ValueError, match=r"a tensor of 4194304 MB, expected at most 256"):
        tflite_model.verify(larger)


def test_the_proof_says_what_goes_in_and_comes_out_and_what_it_takes(tiny):
    """stripes: 16 x 24, convolutions of 4 channels with windows of 3 x 3, pooled by 2 between."""
    proof = tflite_model.verify(artifact.read(tiny / "stripes" / "stripes.int8.tflite").model)

    assert proof.image == ((16, 24, 1), "uint8")
    assert proof.outputs == {"features": ((8, 12, 4), "int8"), "scores": ((3,), "int8")}
    multiplications = 16 * 24 * 4 * 9 + 8 * 12 * 4 * 9 * 4
    assert multiplications < proof.cost.work < 10 * multiplications
    assert 4 * 16 * 24 * 4 < proof.cost.tensors < 100_000


CONTROL_FLOW = {
    "CALL": 31,
    "CUSTOM": 32,
    "WHILE": 119,
    "IF": 118,
    "CALL_ONCE": 129,
    "VAR_HANDLE": 142,
    "READ_VARIABLE": 143,
}


@pytest.mark.parametrize("code", CONTROL_FLOW.values(), ids=CONTROL_FLOW)
def test_operators_that_run_other_graphs_or_keep_a_state_have_no_rule(code, model):
    other = poked(model, places(model, "operator_codes", 0, "builtin_code"), "i", code)
    other = poked(other, places(model, "operator_codes", 0, "deprecated_builtin_code"), "b", min(code, 127))

    assert code not in tflite_rules.RULES
    with pytest.raises(ValueError, match=f"TFLite's operator {code}, which camlite does not write"):
        tflite_model.verify(other)


def test_every_truncation_is_told(model):
    for length in range(0, len(model), 7):
        with pytest.raises(ValueError, match=r"byte|model"):
            tflite_model.verify(model[:length])


@pytest.mark.parametrize(
    "content", [b"", b"\4\0\0\0", b"\0" * 64, b"\x10\0\0\0TFL3" + bytes(64), b"\xff" * 64], ids=repr
)
def test_what_is_no_flatbuffer_is_told(content):
    with pytest.raises(ValueError, match=r"byte|graph"):
        tflite_model.verify(content)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("state -",), r"A at byte 8 has field 0 \(state\), which camlite does not write"),
        ((), "A at byte 8 has fields that camlite does not know"),
        (("number q",), "the number at byte 12 is not inside its table"),
    ],
    ids=["not written", "unknown", "too wide"],
)
def test_a_field_that_the_schema_has_not_or_that_is_wider_than_its_table_is_told(fields, said):
    """A table at 8 of 8 bytes, whose one field is at 12; its list of fields is at 16."""
    content = struct.pack("<I4siI", 8, b"TEST", -8, 5) + struct.pack("<HHH", 6, 8, 4)

    assert Reader(content, {"A": ("number I",)}).root("A") == {"number": 5}
    with pytest.raises(ValueError, match=said):
        Reader(content, {"A": fields}).root("A")


def test_tables_that_are_named_a_million_times_are_read_once():
    """A vector whose elements are all one table, and so on down: 4 levels of 1,000 would be 10^12 tables."""
    schema = {"A": ("next [A]", "number I")}
    content = bytearray(struct.pack("<I", 8) + b"TEST")
    count = 1000
    # At 8: a table with one field, a vector whose elements all lead to a second such table, which has no field.
    content += struct.pack("<iI", -8, 12) + struct.pack("<HHH", 6, 8, 4) + b"\0\0"
    content += struct.pack("<I", count)
    leaf = len(content) + 4 * count
    content += b"".join(struct.pack("<I", leaf - len(content) - 4 * i) for i in range(count))
    content += struct.pack("<i", -4) + struct.pack("<HH", 4, 4)
    reader = Reader(bytes(content), schema)

    found = reader.root("A")["next"]

    assert len(found) == count
    assert len({id(table) for table in found}) == 1


@pytest.fixture(scope="module")
def generated():
    """What TensorFlow generates from the schema, without TensorFlow."""
    tensorflow = importlib.util.find_spec("tensorflow")
    if tensorflow is None:
        pytest.skip("needs TensorFlow's files")
    file = Path(tensorflow.submodule_search_locations[0], "lite", "python", "schema_py_generated.py")
    spec = importlib.util.spec_from_file_location("schema_py_generated", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schema_is_that_of_tensorflow(generated):
    for table, fields in tflite_model.SCHEMA.items():
        for index, field in enumerate(fields):
            name, _, kind = field.partition(" ")
            adder = getattr(generated, f"{table}Add{name.title().replace('_', '')}", None)
            assert adder is not None or kind == "-", (table, name)
            assert adder is None or index in adder.__code__.co_consts, (table, name)


def test_every_rule_names_the_operator_and_the_options_of_tensorflow(generated):
    operators, tables = (
        {value: name for name, value in vars(kind).items() if isinstance(value, int)}
        for kind in (generated.BuiltinOperator, generated.BuiltinOptions)
    )
    for code, rule in tflite_rules.RULES.items():
        assert rule.name == operators[code]
        if not rule.options_type:
            assert rule.options == "None"
            continue
        table = tables[rule.options_type]
        adders = (inspect.getsource(one) for name, one in vars(generated).items() if name.startswith(f"{table}Add"))
        slots = [re.search(r"Prepend(\w+)Slot\((\d+)", adder).groups() for adder in adders]
        expected = {int(index): LETTERS[kind] for kind, index in slots}
        # ADD has one option more than MUL, which has the same table here.
        received = {k: field.partition(" ")[2] for k, field in enumerate(OPTIONS[rule.options])}
        assert {index: received.get(index) for index in expected} == expected, rule.name
        assert set(received) - set(expected) <= {1 if rule.options == "Arithmetic" else -1} | {
            k for k, letter in received.items() if letter == "-"
        }


def test_the_types_of_tensors_are_those_of_tensorflow(generated):
    names = {value: name for name, value in vars(generated.TensorType).items() if isinstance(value, int)}
    widths = {names[number]: tflite_rules.WIDTHS[letter] for number, letter in tflite_rules.TYPES.items()}

    assert widths == {name: np.dtype(name.lower()).itemsize for name in widths}
