"""runtime/spec/*.schema.json against what the Python code reads and writes."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from camlite import ArtifactError, artifact
from camlite.artifact import card as cards
from camlite.artifact import map_choice
from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.serve import openapi
from camlite.show import json_record
from camlite.texts import hidden_character
from support import spec_vectors
from support.fresh_process import run_camlite
from support.small_artifacts import SMALL, SMALL_MAPS, card_strategy, map_choices

jsonschema = pytest.importorskip("jsonschema")
SPEC = spec_vectors.FOLDER.parent
NAMES = [path.name for path in SPEC.glob("*.schema.json")]
VECTORS = [name for name, _ in spec_vectors.artifact_names()]


def schema(name: str) -> dict[str, Any]:
    return json.loads((SPEC / f"{name}.schema.json").read_text("utf-8"))


CARD, EXPLANATION, MAPS = (jsonschema.Draft202012Validator(schema(name)) for name in ("card", "explanation", "maps"))


def fields() -> dict[str, Any]:
    return json.loads(cards.to_json(SMALL))


def reads(content: Any) -> bool:
    with contextlib.suppress(ArtifactError):
        cards.from_json(json.dumps(content), "card", has_weights=True)
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_a_json_schema_of_draft_2020_12(name):
    content = json.loads((SPEC / name).read_text("utf-8"))

    jsonschema.Draft202012Validator.check_schema(content)
    assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_words_of_the_schema_are_those_of_the_reader():
    properties = schema("card")["properties"]
    words = {
        cards.Precision: properties["precision"],
        cards.Fit: properties["preprocessing"]["properties"]["fit"],
        cards.ChannelOrder: properties["preprocessing"]["properties"]["order"],
        cards.Layout: schema("card")["$defs"]["layout"],
        cards.Activation: properties["head"]["properties"]["activation"],
        EvidenceMethod: properties["head"]["properties"]["evidence"],
    }

    for known, described in words.items():
        assert tuple(described["enum"]) == get_args(known)


@given(card_strategy())
def test_every_card_that_is_written_fits_the_schema(card):
    CARD.validate(json.loads(cards.to_json(card)))


@pytest.mark.parametrize("name", VECTORS)
def test_the_card_of_every_vector_fits_the_schema(name):
    CARD.validate(json.loads(cards.to_json(artifact.read(spec_vectors.FOLDER / name).card)))


def test_the_schema_knows_the_fields_of_a_card_and_no_others():
    for place, part in {"": SMALL, "preprocessing": SMALL.preprocessing, "head": SMALL.head}.items():
        described = CARD.schema["properties"][place] if place else CARD.schema
        expected = set(part._fields) | (set() if place else {"format"})
        assert set(described["properties"]) == expected
        assert set(described["required"]) == expected - {"image_layout", "features_layout"}


PLACES = [
    (place, name)
    for place, part in {"": SMALL, "preprocessing": SMALL.preprocessing, "head": SMALL.head}.items()
    for name in part._fields
]
# What a field may be given: of its own kind and of others, in range and out of it.
values = (
    st.none()
    | st.booleans()
    | st.sampled_from([-1, 0, 1, 2, 3, 16_384, 16_385, 10**9])
    | st.floats(-1e6, 1e6).filter(lambda number: not number.is_integer())
    | st.text(max_size=3)
    | st.sampled_from(
        ["a\nb", "a\n", "\x7f", "\x85", "\t", "\u202e", "bgr", "crop", "chw", "int8", "linear", "device", "graph"]
    )
    | st.lists(st.floats(-1, 1).filter(lambda number: not number.is_integer()) | st.text(max_size=2), max_size=4)
    | st.dictionaries(st.text(max_size=2), st.text(max_size=2) | st.integers(), max_size=2)
)


@given(st.sampled_from(PLACES), values)
def test_schema_and_reader_agree_on_whatever_a_field_holds(field, value):
    place, name = field
    content = fields()
    (content[place] if place else content)[name] = value

    assert CARD.is_valid(content) == reads(content)


def test_schema_and_reader_refuse_the_same_characters():
    pattern = CARD.schema["$defs"]["text"]["not"]["pattern"]

    every = "".join(map(chr, range(sys.maxunicode + 1)))

    assert set(re.findall(pattern, every)) == {one for one in every if hidden_character(one)}


@pytest.mark.parametrize("place", ["", "preprocessing", "head"])
def test_schema_and_reader_refuse_fields_that_are_missing_or_unknown(place):
    for change in (lambda part: part.update(colour=1), lambda part: part.pop(next(reversed(part)))):
        content = fields()
        change(content[place] if place else content)

        assert not CARD.is_valid(content)
        assert not reads(content)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("name", ["scale", "offset"])
def test_schema_and_reader_want_one_number_for_each_channel(channels, count, name):
    content = fields()
    content["preprocessing"] |= {"channels": channels, "scale": [0.5] * channels, "offset": [0.5] * channels}
    content["preprocessing"][name] = [0.5] * count

    assert CARD.is_valid(content) == reads(content) == (count == channels)


def test_what_the_schema_says_it_cannot_tell_is_refused_by_the_reader():
    """A number without a fraction is of both kinds in JSON Schema."""
    for place, name, value in (("preprocessing", "height", 4.0), ("preprocessing", "scale", [1])):
        content = fields()
        content[place][name] = value

        assert CARD.is_valid(content)
        assert not reads(content)


def maps_read(content: Any) -> bool:
    with contextlib.suppress(ArtifactError):
        map_choice.from_json(json.dumps(content), "maps")
        return True
    return False


@given(map_choices())
def test_every_choice_of_maps_that_is_written_fits_its_schema_and_comes_back(choice):
    text = map_choice.to_json(choice)

    MAPS.validate(json.loads(text))
    assert map_choice.from_json(text, "maps") == choice


MAP_PLACES = [
    *(("", name) for name in SMALL_MAPS._fields),
    *(("guide", name) for name in SMALL_MAPS.guide._fields),
    *(("window", name) for name in SMALL_MAPS.guide.window._fields),
    *(("measured", name) for name in SMALL_MAPS.measured[0]._fields),
]


def map_part(content: dict[str, Any], place: str) -> dict[str, Any]:
    parts = {"": content, "guide": content["guide"], "window": content["guide"]["window"]}
    return parts.get(place) or content["measured"][0]


@given(st.sampled_from(MAP_PLACES), values | st.sampled_from([0.25, 0.5, 99.5, 100.5, 1024, 1025, "top", "all", []]))
def test_schema_and_reader_agree_on_whatever_a_field_of_maps_holds(field, value):
    place, name = field
    content = json.loads(map_choice.to_json(SMALL_MAPS))
    assume(not (isinstance(map_part(content, place)[name], float) and type(value) is int))  # JSON Schema cannot tell
    map_part(content, place)[name] = value

    assert MAPS.is_valid(content) == maps_read(content)


@pytest.mark.parametrize("place", ["", "guide", "window", "measured"])
def test_schema_and_reader_refuse_fields_of_maps_that_are_missing_or_unknown(place):
    for change in (lambda part: part.update(colour=1), lambda part: part.pop(next(reversed(part)))):
        content = json.loads(map_choice.to_json(SMALL_MAPS))
        change(map_part(content, place))

        assert not MAPS.is_valid(content)
        assert not maps_read(content)


def test_texts_of_maps_are_those_of_cards():
    assert MAPS.schema["$defs"]["text"] == CARD.schema["$defs"]["text"]


def explanations() -> list[dict[str, Any]]:
    described = [json.loads((spec_vectors.FOLDER / f"{name}.json").read_text()) for name in VECTORS]
    return [case["explanation"] for one in described for case in one["cases"]]


def test_what_is_said_of_every_vector_fits_the_schema():
    assert explanations()
    for record in explanations():
        EXPLANATION.validate(record)


def test_null_stands_for_what_is_no_number_and_fits_the_schema():
    record = explanations()[0] | {"score": float("nan"), "completeness": float("inf")}

    EXPLANATION.validate(json.loads(json_record.line(record)))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("label", None),
        ("score", "0.5"),
        ("width", 0),
        ("completeness", -1),
        ("window", None),
        ("explained", []),
        ("explained.0.evidence", []),
        ("explained.0.peak", {"x": 1.5, "y": 0, "evidence": 0.5}),
        ("explained.0.box", {"left": 0}),
        ("explained.0.quadrants", {"upper": 1}),
        ("colour", 1),
        ("error", "no picture"),
        ("image", "of which file?"),
    ],
)
def test_an_explanation_that_is_wrong_does_not_fit(place, value):
    record = explanations()[0]
    *way, name = place.split(".")
    part: Any = record
    for step in way:
        part = part[int(step) if step.isdecimal() else step]
    part[name] = value

    assert not EXPLANATION.is_valid(record)


def test_what_the_commands_write_fits_the_schema(tmp_path):
    """Needs an interpreter for TFLite, and Pillow."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    name = "grey_12x8.pgm"
    (folder / name).write_bytes((spec_vectors.FOLDER / "pictures" / name).read_bytes())
    (folder / "broken.png").write_bytes(b"no picture")
    path = spec_vectors.FOLDER / "stripes.int8.tflite"

    explained = run_camlite("explain", path, folder / name, "--json", "--output", tmp_path)
    watched = run_camlite("watch", path, folder, "--output", tmp_path / "results", "--once", "--json")

    lines = [json.loads(line) for line in (*explained.stdout.splitlines(), *watched.stdout.splitlines())]
    assert len(lines) == 3, (explained.stderr, watched.stderr)
    assert sum("error" in line for line in lines) == 1
    for line in lines:
        EXPLANATION.validate(line)


def test_the_endpoint_describes_its_answers_by_the_same_schema():
    described = openapi.document("0", ["a"], token=False, live=False)["components"]["schemas"]["Explanation"]

    assert described == EXPLANATION.schema["$defs"]["explanation"]


@given(st.sampled_from(sorted(SMALL.preprocessing._fields)), st.text(min_size=1, max_size=3))
def test_a_field_of_another_name_is_refused_by_both(name, other):
    content = fields()
    assume(other not in content["preprocessing"])
    content["preprocessing"][other] = content["preprocessing"].pop(name)

    assert not CARD.is_valid(content)
    assert not reads(content)


def test_the_examples_on_the_page_are_those_of_the_vector_that_they_are_taken_from():
    page = (SPEC / "artifact.md").read_text("utf-8")
    card, place, maps = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    read = artifact.read(spec_vectors.FOLDER / "bgr.int8.tflite")

    CARD.validate(card)
    abridged = {name: card[name] for name in ("classifier_sha256", "model_sha256", "made_with")}
    assert json.loads(cards.to_json(read.card)) | abridged == card
    stored = read.arrays.stored_weights
    usual = stored._field_defaults
    assert place == {name: value for name, value in stored._asdict().items() if value != usual.get(name)}
    guided = artifact.read(spec_vectors.FOLDER / "guided_top.float32.tflite")
    assert maps == json.loads(map_choice.to_json(guided.arrays.maps))


def test_the_page_links_to_the_schemas():
    page = (SPEC / "artifact.md").read_text("utf-8")

    assert len(NAMES) == 4
    assert all(f"[{name}]({name})" in page for name in NAMES)
