"""`camlite.artifact.card`: the contract between exporter and device."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camlite import ArtifactError
from camlite.artifact import card as cards
from camlite.artifact.card import Window
from support.small_artifacts import SMALL, card_strategy, changed

WHERE = "folder/file.tflite"


def fields() -> dict:
    return json.loads(cards.to_json(SMALL))


def read(card: cards.Card) -> cards.Card:
    """A card, written and read."""
    return cards.from_json(cards.to_json(card), WHERE, card.head.evidence_traits.has_weights)


def refusal(content: object) -> str:
    """The one line that a card of this content is refused with."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(ArtifactError) as raised:
        cards.from_json(text, WHERE, True)
    message = str(raised.value)
    assert message.startswith(WHERE)
    assert "\n" not in message
    return message


@given(card_strategy())
def test_a_card_comes_back_as_it_was_written(card):
    assert read(card) == card


@pytest.mark.parametrize("part", [SMALL, SMALL.preprocessing, SMALL.head], ids=lambda part: type(part))
def test_a_card_stays_as_it_was_made(part):
    for name in part._fields:
        with pytest.raises(AttributeError):
            setattr(part, name, None)


@given(card_strategy())
def test_the_same_card_gives_the_same_text(card):
    assert cards.to_json(card) == cards.to_json(read(card))


def test_labels_stand_in_the_text_as_people_write_them():
    assert "袖" in cards.to_json(SMALL)


@pytest.mark.parametrize("version", [0, -1, 3, "2", 2.0, True, None, [2]])
def test_another_format_version_is_refused_with_what_to_do(version):
    message = refusal({**fields(), "format": version})

    assert f"format version {str(version)!r}, this camlite reads 1 to 2" in message
    assert "update camlite, or export the artifact again" in message


def test_a_card_of_a_later_version_is_refused_by_its_version_whatever_its_fields_are():
    assert "update camlite" in refusal({**fields(), "format": 3, "colour": 1})


def test_a_card_without_format_version_is_refused():
    content = fields()
    del content["format"]

    assert "format version 'None'" in refusal(content)


@pytest.mark.parametrize("text", ["", "{", "\0", "[" * 100_000, '{"format": 2e', "9" * 5000])
def test_text_that_is_no_json_is_refused(text):
    assert "the card is no JSON" in refusal(text)


@pytest.mark.parametrize(("text", "kind"), [("[]", "list"), ("3", "int"), ('"card"', "str"), ("null", "NoneType")])
def test_json_that_is_no_object_is_refused(text, kind):
    assert f"the card is a JSON {kind}, expected an object" in refusal(text)


LAYOUTS = ("image_layout", "features_layout")
PLACES = {"": SMALL, "preprocessing": SMALL.preprocessing, "head": SMALL.head}
FIELDS = [(place, name) for place, part in PLACES.items() for name in part._fields]  # of the card and of its two parts


@pytest.mark.parametrize(("place", "name"), [(place, name) for place, name in FIELDS if name not in LAYOUTS])
def test_a_missing_field_is_named(place, name):
    content = fields()
    del (content[place] if place else content)[name]

    assert f"fields missing or unknown: {name}" in refusal(content)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_written_only_where_channels_come_first(name):
    assert name not in fields()
    assert json.loads(cards.to_json(SMALL._replace(**{name: "chw"})))[name] == "chw"
    assert cards.from_json(json.dumps({**fields(), name: "hwc"}), WHERE, True) == SMALL


@pytest.mark.parametrize("place", PLACES)
def test_an_unknown_field_is_named(place):
    content = fields()
    (content[place] if place else content)["colour"] = 1

    assert "fields missing or unknown: colour" in refusal(content)


@pytest.mark.parametrize(("place", "name"), FIELDS)
@pytest.mark.parametrize("value", [None, True, {"a": 1}, [[]], [None]], ids=repr)
def test_a_field_of_another_type_is_named(place, name, value):
    content = fields()
    (content[place] if place else content)[name] = value

    assert name in refusal(content)


@pytest.mark.parametrize(("place", "value"), [("name", 3), ("precision", "int4"), ("labels", "abc"), ("labels", [1])])
def test_a_field_of_the_right_kind_but_the_wrong_content_is_named(place, value):
    assert place in refusal({**fields(), place: value})


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("preprocessing.height", 0, "height is 0, expected 1 to 16384"),
        ("preprocessing.width", 10**9, "width is 1000000000, expected 1 to 16384"),
        ("head.height", -1, "features height is -1, expected 1 to 16384"),
        ("head.width", 0, "features width is 0, expected 1 to 16384"),
        ("head.channels", 16_385, "features channels is 16385, expected 1 to 16384"),
        ("preprocessing.channels", 2, "2 channels, expected 1 or 3"),
        ("preprocessing.channels", 3, "expected 3 finite numbers"),
        ("preprocessing.scale", (math.nan,), "scale (nan,), expected 1 finite numbers"),
        ("preprocessing.offset", (math.inf,), "offset (inf,), expected 1 finite numbers"),
        ("preprocessing.scale", (), "scale (), expected 1 finite numbers"),
        ("labels", (), "0 labels, expected 1 to 1,000,000"),
        ("head.window", Window(top=1.0), "expected top < bottom and left < right"),
        ("head.window", Window(right=0.0), "that meet the image, 0 to 1"),
        ("head.window", Window(left=math.nan), "window (0.0, nan, 1.0, 1.0)"),
        ("head.window", Window(bottom=math.inf), "from -100 to 100"),
        ("head.window", Window(0.5, 0.0, 0.50001, 1.0), "expected top < bottom"),
    ],
)
def test_a_field_out_of_range_is_named(place, value, said):
    assert said in refusal(cards.to_json(changed(SMALL, place, value)))


@pytest.mark.parametrize(
    "place", ["preprocessing.height", "preprocessing.width", "head.height", "head.width", "head.channels"]
)
@pytest.mark.parametrize("side", [1, 16_384])
def test_the_smallest_and_the_largest_side_pass(place, side):
    card = changed(SMALL, place, side)

    assert read(card) == card


@pytest.mark.parametrize("count", [1, 1_000_000])
def test_the_fewest_and_the_most_labels_pass(count):
    card = cards.from_json(json.dumps({**fields(), "labels": ["a"] * count}), WHERE, True)

    assert card.labels == ("a",) * count


def test_more_than_a_million_labels_are_refused():
    message = refusal({**fields(), "labels": ["a"] * 1_000_001})

    assert message.endswith("1,000,001 labels, expected 1 to 1,000,000")


@pytest.mark.parametrize(
    ("content", "quoted"),
    [
        ({**fields(), "format": "v" * 300}, "version '" + "v" * 40 + "', this"),
        ({**fields(), "f" * 300: 1}, "unknown: " + "f" * 200),
        ({**fields(), "precision": "p" * 300}, "precision: '" + "p" * 40 + "', expected"),
        ({**fields(), "name": "\0" + "n" * 300}, r"name: '\x00" + "n" * 39 + "' has control"),
        (
            json.loads(cards.to_json(changed(SMALL, "preprocessing.scale", (0.5,) * 300))),
            f"{(0.5,) * 300}"[:60] + ", exp",
        ),
    ],
    ids=["version", "unknown field", "choice", "control character", "numbers"],
)
def test_a_refusal_quotes_only_the_beginning_of_what_is_long(content, quoted):
    message = refusal(content)

    assert quoted in message
    assert "f" * 201 not in message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(FIELDS), json_values)
def test_any_json_in_any_field_gives_a_card_or_a_refusal(field, value):
    place, name = field
    content = fields()
    (content[place] if place else content)[name] = value

    with contextlib.suppress(ArtifactError):
        assert isinstance(cards.from_json(json.dumps(content), WHERE, True), cards.Card)


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2069", "\ufeff", "\x1b", "\u2028", "\ufe0f"])
@pytest.mark.parametrize("place", ["name", "labels", "head.layer", "made_with", "pixels", "unfit"])
def test_texts_that_are_not_what_they_look_like_are_refused(place, hidden):
    text = f"a{hidden}b"
    value = {"labels": ("x", text, "y"), "made_with": {text: "1"}}.get(place, text)

    message = refusal(json.loads(cards.to_json(changed(SMALL, place, value))))

    assert message.isprintable()
    assert f"has control or invisible characters (U+{ord(hidden):04X}); export without them" in message
