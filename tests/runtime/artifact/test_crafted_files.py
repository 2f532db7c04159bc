"""Artifacts whose seal fits, but which `camlite export` would not make: refused in one line, and never run.

The seal tells damage, not intent: anybody can compute it. So nothing in a sealed payload may run code, take memory
that the file does not have, or get out of `camlite.artifact.read` as anything but an ArtifactError.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camlite import ArtifactError, artifact
from camlite.artifact.protobuf import metadata_entry
from support.small_artifacts import MODELS, reseal_tflite, seal, seal_tflite, small_artifact, small_entries


def changed_entries(**entries: bytes | None) -> bytes:
    """The small artifact with some entries replaced, or left out where None, and sealed."""
    changed = {name.replace("_npy", ".npy").replace("_json", ".json"): content for name, content in entries.items()}
    return seal_tflite({k: v for k, v in (small_entries("tflite") | changed).items() if v is not None})


def npy(array: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def npy_header(header: str, body: bytes = b"") -> bytes:
    padded = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + len(padded).to_bytes(2, "little") + padded + body


def claiming(shape: str) -> bytes:
    return npy_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}", bytes(12))


def test_the_sealer_of_these_tests_makes_readable_artifacts(tmp_path):
    path = tmp_path / "artifact"
    path.write_bytes(changed_entries())

    assert artifact.read(path).card.name == "stripes"


@pytest.mark.parametrize("version", [0, 3, "1"])
def test_another_format_version_is_refused_with_what_to_do(version, refusal):
    content = json.dumps({**json.loads(small_entries("tflite")["card.json"]), "format": version})

    message = refusal(changed_entries(card_json=content.encode()))

    assert f"format version {str(version)!r}, this camlite reads 1 to 2; update camlite" in message


@pytest.mark.parametrize("name", ["card.json", "bias.npy", "golden_images.npy"])
def test_a_missing_entry_is_named(name, refusal):
    content = changed_entries(**{name.replace(".", "_"): None})

    assert name.removesuffix(".npy") in refusal(content)


@pytest.mark.parametrize("content", [b"\xff", b"", b"{}", b"[1]", b'{"format": 1}', b'{"format": 2}'])
def test_a_card_of_other_content_is_refused(content, refusal):
    refusal(changed_entries(card_json=content))


def test_a_card_that_says_a_thing_twice_is_refused(refusal):
    text = small_entries("tflite")["card.json"].decode()

    assert "the key 'name' is there twice" in refusal(
        changed_entries(card_json=text.replace('"name":', '"name": "other", "name":', 1).encode())
    )
    assert "the key 'channels' is there twice" in refusal(
        changed_entries(card_json=text.replace('"channels":', '"channels": 3, "channels":', 1).encode())
    )


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "3.5e38"])
def test_an_offset_that_float32_has_not_is_refused(number, refusal):
    text = small_entries("tflite")["card.json"].decode()
    changed = text.replace('"offset": [0.0]', f'"offset": [{number}]')
    assert changed != text

    assert "expected 1 finite numbers" in refusal(changed_entries(card_json=changed.encode()))


@pytest.mark.parametrize("around", ["\ufeff{}", "{} x", "{}{}"])
def test_text_around_the_card_is_refused(around, refusal):
    text = small_entries("tflite")["card.json"].decode()

    assert "the card is no JSON" in refusal(changed_entries(card_json=around.replace("{}", text, 1).encode()))


def test_a_rest_without_the_numbers_that_it_belongs_to_is_refused(refusal):
    rest = np.zeros((5, 3), np.int8)

    assert "weights_rest.npy is there without" in refusal(changed_entries(weights_rest_npy=npy(rest)))


@pytest.mark.parametrize("shape", [(2, 0, 4, 1), (2, 3, 0, 1), (0, 0, 4, 1)])
def test_golden_images_without_pixels_are_refused(shape, refusal):
    assert "golden_images has shape" in refusal(changed_entries(golden_images_npy=npy(np.zeros(shape, np.uint8))))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros(3, np.float64), "dtype float64"),
        (np.zeros(3, ">f4"), "dtype >f4"),
        (np.zeros(3, [("a", "<f4")]), "dtype"),
        (np.zeros(4, np.float32), r"bias has shape (4,)"),
        (np.full(3, np.nan, np.float32), "not finite"),
        (np.zeros((), np.float32), "bias has shape ()"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_array_of_another_dtype_shape_or_content_is_named(array, said, refusal):
    message = refusal(changed_entries(bias_npy=npy(array)))

    assert "bias" in message
    assert said in message


def with_maps(**entries: bytes | None) -> bytes:
    """The small artifact with a guide, some entries replaced, or left out where None, and sealed."""
    changed = {name.replace("_npy", ".npy").replace("_json", ".json"): content for name, content in entries.items()}
    every = small_entries("tflite", guided=True) | changed
    return seal_tflite({name: content for name, content in every.items() if content is not None})


def maps_with(old: str, new: str) -> bytes:
    text = small_entries("tflite", guided=True)["maps.json"].decode()
    assert text.count(old) >= 1
    return with_maps(maps_json=text.replace(old, new, 1).encode())


def test_the_sealer_of_artifacts_with_a_guide_makes_readable_ones(tmp_path):
    path = tmp_path / "artifact"
    path.write_bytes(with_maps())

    assert artifact.read(path).arrays.guide.radius == 3.0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "damaged artifact"),
        (b"", "maps: no JSON"),
        (b"[]", "maps: expected an object, received list"),
        (b"{}", "maps: fields missing or unknown: chosen, guide, measured, measured_on"),
        (b"[" * 100_000, "nested too deeply"),
        (b" " * ((1 << 20) + 1), "maps.json has 1048577 bytes, expected at most 1048576"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_maps_of_other_content_are_refused(content, said, refusal):
    assert said in refusal(with_maps(maps_json=content))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"height": 4', '"height": 0', "the guide's height is 0, expected 1 to 1024"),
        ('"width": 6', '"width": 1025', "the guide's width is 1025, expected 1 to 1024"),
        ('"height": 4', '"height": 4.0', "maps.guide.height: expected int, received float"),
        ('"classes": "top"', '"classes": "some"', "maps.guide.classes: 'some', expected one of top, all"),
        (
            '"method": "layercam"',
            '"method": "gradcam"',
            "maps.guide.method: 'gradcam', expected one of layercam, hirescam",
        ),
        ('"smooth": true', '"smooth": 1', "maps.guide.smooth: expected bool, received int"),
        ('"radius": 3.0', '"radius": 0.49', "the guide's radius is 0.49, expected 0.5 to 100"),
        ('"radius": 3.0', '"radius": NaN', "the guide's radius is nan"),
        ('"radius": 3.0', '"radius": 3', "maps.guide.radius: expected float, received int"),
        ('"floor": 0.05', '"floor": -0.05', "the guide's floor is -0.05, expected 0 to 100"),
        ('"floor": 0.05', '"floor": 1e999', "the guide's floor is inf"),
        ('"bottom": 1.0', '"bottom": 0.0', "maps: window (0.0, 0.25, 0.0, 0.75), expected top < bottom"),
        ('"layers": ["early"', '"layers": ["\\u202e"', "control or invisible characters (U+202E)"),
        ('"map": "cam"', '"map": "a\\nb"', "maps.measured[0].map: "),
        ('"insertion": 0.75', '"insertion": Infinity', "insertion inf, deletion 0.125, expected finite numbers"),
        ('"insertion": 0.75', '"more": 1, "insertion": 0.75', "maps.measured[1]: fields missing or unknown: more"),
        ('"measured_on": 12', '"measured_on": -1', "measured on -1 pictures"),
        ('"measured_on": 12', '"measured_on": 12, "measured_on": 12', "the key 'measured_on' is there twice"),
        ('"measured": [', '"measured": 1, "chosen": [', "is there twice"),
        ('"chosen": "the', '"chosen": "\\u001b[2J the', "control or invisible characters (U+001B)"),
    ],
)
def test_what_is_wrong_in_maps_is_named(old, new, said, refusal):
    assert said in refusal(maps_with(old, new))


def test_layers_of_nothing_are_refused(refusal):
    text = small_entries("tflite", guided=True)["maps.json"].decode()
    maps = json.loads(text)
    maps["guide"]["layers"] = []

    assert "the guide has no layers" in refusal(with_maps(maps_json=json.dumps(maps).encode()))


def test_a_guide_comes_with_golden_samples_of_its_size_and_only_then(refusal):
    maps = json.loads(small_entries("tflite", guided=True)["maps.json"])
    without = json.dumps({**maps, "guide": None}).encode()
    fine = np.zeros((2, 4, 6), np.float32)

    assert "golden_fine has shape None, the card implies (2, 4, 6)" in refusal(with_maps(golden_fine_npy=None))
    assert "golden_fine has shape (2, 4, 6), the card implies None" in refusal(with_maps(maps_json=None))
    assert "golden_fine has shape (2, 4, 6), the card implies None" in refusal(with_maps(maps_json=without))
    assert "golden_fine has shape (1, 4, 6)" in refusal(with_maps(golden_fine_npy=npy(fine[:1])))
    assert "golden_fine has shape (2, 4, 5)" in refusal(with_maps(golden_fine_npy=npy(fine[..., :5])))
    assert "golden_fine holds numbers that are not finite" in refusal(with_maps(golden_fine_npy=npy(fine * np.nan)))


def test_maps_without_a_guide_say_what_was_measured(tmp_path):
    maps = json.loads(small_entries("tflite", guided=True)["maps.json"])
    path = tmp_path / "artifact"
    path.write_bytes(with_maps(golden_fine_npy=None, maps_json=json.dumps({**maps, "guide": None}).encode()))

    arrays = artifact.read(path).arrays

    assert (arrays.guide, arrays.golden_fine) == (None, None)
    assert [one.map for one in arrays.maps.measured] == ["cam", "layercam early"]


def test_every_json_of_a_payload_is_bounded(refusal):
    entries = {"weights_place.json": b" " * ((1 << 20) + 1), "weights.npy": None}

    content = seal_tflite({k: v for k, v in (small_entries("tflite") | entries).items() if v is not None})

    assert "weights_place.json has 1048577 bytes, expected at most 1048576" in refusal(content)


def test_an_array_in_fortran_order_is_refused_rather_than_transposed(refusal):
    array = np.asfortranarray(np.arange(15, dtype=np.float32).reshape(5, 3))

    assert "Fortran order" in refusal(changed_entries(weights_npy=npy(array)))


def test_a_newer_npy_version_is_refused(refusal):
    assert "(2, 0)" in refusal(changed_entries(bias_npy=npy(np.zeros(3, np.float32), version=(2, 0))))


class Bomb:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a pickle in an artifact was run",)


def test_pickled_arrays_are_refused_and_not_run(refusal):
    packed = npy_header("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", pickle.dumps([Bomb(), None, None]))

    assert "dtype object" in refusal(changed_entries(bias_npy=packed))
    assert "no .npy header" in refusal(changed_entries(bias_npy=pickle.dumps(Bomb())))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\3\4" + bytes(30), npy(np.zeros(3))[:40]], ids=repr)
def test_bytes_that_are_no_array_are_refused(content, refusal):
    assert "bias: no .npy header" in refusal(changed_entries(bias_npy=content))


@pytest.mark.parametrize(
    "header", ["", "'''", "{'descr': (((", "(" * 9000, "{[]: 1}", "{}", "0", "{'descr': {}}", "\0"]
)
def test_a_header_that_is_no_header_is_refused(header, refusal):
    assert "bias: no .npy header" in refusal(changed_entries(bias_npy=npy_header(header)))


@pytest.mark.parametrize("shape", ["(4,)", "(2,)", "(-3, -1)", "(-1, -3)", "(1 << 70,)", f"({10**30},)", "()"])
def test_a_header_that_does_not_fit_its_bytes_is_refused(shape, refusal):
    message = refusal(changed_entries(bias_npy=claiming(shape)))

    assert "bias" in message


def test_a_header_that_claims_a_large_array_does_not_get_the_memory(refusal):
    claims_256_mb = claiming(f"({1 << 26},)")
    content = changed_entries(bias_npy=claims_256_mb)

    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="EOF"):
            np.load(io.BytesIO(claims_256_mb))
        _, peak_of_numpy = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        refusal(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_of_numpy > 1 << 28  # so this measures what it is about
    assert peak < 1 << 22


def directory_entries(content: bytes) -> list[int]:
    """Where the entries of a zip's central directory begin."""
    return [i for i in range(len(content)) if content[i : i + 4] == b"PK\1\2"]


def test_an_entry_that_claims_to_unpack_to_gigabytes_is_refused_before_it_is_unpacked(refusal):
    content = bytearray(changed_entries())
    for start in directory_entries(content):
        struct.pack_into("<I", content, start + 24, (1 << 30) + 1)

    assert f"card.json has {(1 << 30) + 1} bytes, expected at most" in refusal(reseal_tflite(bytes(content)))


def test_an_entry_that_unpacks_to_more_than_it_claims_is_refused(refusal):
    for claimed in (0, 1, 100):
        content = bytearray(changed_entries())
        struct.pack_into("<I", content, directory_entries(content)[1] + 24, claimed)
        refusal(reseal_tflite(bytes(content)))


def test_an_encrypted_entry_is_refused(refusal):
    content = bytearray(changed_entries())
    for start in directory_entries(content):
        content[start + 8] |= 1

    assert "card.json is not packed as camlite packs it" in refusal(reseal_tflite(bytes(content)))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused(compression, refusal):
    content = seal_tflite(small_entries("tflite"), compression)

    assert "card.json is not packed as camlite packs it" in refusal(content)


@given(data=st.data())
def test_any_bytes_in_a_sealed_zip_give_an_artifact_or_a_refusal(data, tmp_path_factory):
    content = bytearray(seal_tflite(small_entries("tflite", guided=data.draw(st.booleans()))))
    start = len(MODELS["tflite"])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(start, len(content) - 85))
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("sealed") / "artifact"
    path.write_bytes(reseal_tflite(bytes(content)))

    try:
        artifact.read(path)
    except ArtifactError as error:
        assert "\n" not in str(error)  # noqa: PT017


def onnx_with(*properties: tuple[bytes, bytes]) -> bytes:
    """The small ONNX model with metadata that is sealed."""

    def field(tag: bytes, content: bytes) -> bytes:
        return tag + bytes([len(content) & 0x7F | 0x80, len(content) >> 7]) + content  # a varint of two bytes

    def entry(key: bytes, value: bytes) -> bytes:
        return field(b"\x72", field(b"\x0a", key) + field(b"\x12", value))

    payload = b"".join(entry(key, value) for key, value in properties)
    return MODELS["onnx"] + payload + entry(b"camlite.seal", seal(payload))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (onnx_with((b"camlite.card", b"{}")), "no camlite card"),
        (onnx_with((b"camlite.arrays", b"")), "no camlite card"),
        (onnx_with((b"camlite.card", b"{}"), (b"camlite.arrays", b"?")), "damaged artifact"),
        (onnx_with((b"camlite.card", b"{}"), (b"camlite.arrays", b"UEsD")), "damaged artifact"),
        (onnx_with((b"\xff", b"{}")), "damaged artifact"),
    ],
)
def test_odd_metadata_of_onnx_is_refused(content, said, refusal):
    assert said in refusal(content)


# A version, an empty string, an empty graph: fields that would replace those of the model that was sealed.
@pytest.mark.parametrize("fields", [b"\x18\x01", b"\x12\x00", b"\x3a\x00", b"\x72\x00"])
def test_fields_behind_the_seal_of_an_onnx_artifact_are_refused(fields, refusal):
    assert "bytes follow the seal" in refusal(small_artifact("onnx") + fields)


def resealed_onnx(payload: bytes) -> bytes:
    """A payload in place of the small ONNX artifact's, under a seal that fits."""
    return MODELS["onnx"] + payload + metadata_entry("camlite.seal", seal(payload))


def onnx_payload() -> bytes:
    content = small_artifact("onnx")
    return content[len(MODELS["onnx"]) : content.rindex(b"\x0a\x0ccamlite.seal") - 2]


def test_the_resealer_of_these_tests_makes_readable_artifacts(tmp_path):
    path = tmp_path / "artifact"
    path.write_bytes(resealed_onnx(onnx_payload()))

    assert artifact.read(path).container == "onnx"


# A loader of the whole file merges them into the model, which the card's digest does not cover: a graph, a version, an
# unknown field, other metadata, and what only names itself a signature.
@pytest.mark.parametrize(
    "field",
    [
        b"\x3a\x00",
        b"\x18\x01",
        b"\xc2\xb5\x03\x00",
        metadata_entry("author", b"nobody"),
        metadata_entry("camlite.seal", bytes(84)),
        metadata_entry("camlite.arrays", b""),
    ],
    ids=lambda field: field.hex()[:20],
)
@pytest.mark.parametrize("place", ["between", "behind"])
def test_other_fields_in_the_payload_of_an_onnx_artifact_are_refused_though_the_seal_fits(field, place, refusal):
    payload = onnx_payload()
    at = payload.index(b"\x0a\x0ecamlite.arrays") - 3 if place == "between" else len(payload)

    message = refusal(resealed_onnx(payload[:at] + field + payload[at:]))

    assert "stand between its card and its seal" in message


def test_a_payload_of_onnx_in_another_order_or_encoding_is_refused(refusal):
    payload = onnx_payload()
    at = payload.index(b"\x0a\x0ecamlite.arrays") - 3
    assert payload[at : at + 1] == b"\x72"
    longer = b"\xf2\x00" + payload[1:]  # the tag in two bytes

    assert "between its card and its seal" in refusal(resealed_onnx(longer))
    refusal(resealed_onnx(payload[at:] + payload[:at]))


def test_only_a_signature_of_ed25519_may_be_announced(refusal):
    payload = onnx_payload() + metadata_entry("camlite.signed", b"rsa")
    text = f"camlite signature ed25519:{'0' * 64}:{'0' * 128}".encode()

    message = refusal(resealed_onnx(payload) + metadata_entry("camlite.signature", text))

    assert "between its card and its seal" in message


def test_a_second_card_in_the_zip_of_an_onnx_artifact_is_refused(refusal):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in small_entries("onnx").items():
            archive.writestr(name, content)
    card = small_entries("onnx")["card.json"]
    packed = base64.b64encode(buffer.getvalue())

    message = refusal(resealed_onnx(metadata_entry("camlite.card", card) + metadata_entry("camlite.arrays", packed)))

    assert "entry 'card.json' is unknown" in message


@given(tail=st.binary(max_size=200))
def test_any_bytes_behind_the_mark_of_a_format_are_refused(tail, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "artifact"
    for start in (b"\x08", b"\x1c\0\0\0TFL3"):
        path.write_bytes(start + tail)
        with pytest.raises(ArtifactError):
            artifact.read(path)
        path.write_bytes(start + tail + seal(tail))
        with pytest.raises(ArtifactError):
            artifact.read(path)


def test_an_entry_that_is_none_of_the_formats_is_refused(refusal):
    content = seal_tflite({**small_entries("tflite"), "setup.py": b"print()"})

    assert "entry 'setup.py' is unknown, or there twice" in refusal(content)


def test_arrays_that_unpack_to_far_more_than_the_file_has_are_refused(refusal):
    zeros = np.zeros((1, 30_000, 1000, 1), np.uint8)

    assert "say they unpack to" in refusal(changed_entries(golden_images_npy=npy(zeros)))
