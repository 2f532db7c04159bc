"""A small card, its arrays and its artifacts; strategies for others; and a sealer of whatever bytes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import get_args

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as array_strategies

from camlite import artifact
from camlite.artifact import card as cards
from camlite.artifact import map_choice
from camlite.artifact.arrays import Arrays
from camlite.artifact.card import Card, Head, Preprocessing, Window
from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.artifact.map_choice import Guide, GuideClasses, GuideMethod, MapChoice, MeasuredMap
from camlite.texts import hidden_character

SMALL = Card(
    name="stripes",
    precision="int8",
    labels=("Ärmel", "袖", "none"),
    preprocessing=Preprocessing(4, 6, 1, (1 / 255,), (0.0,), "stretch"),
    head=Head("conv", 2, 3, 5, "softmax", "device"),
    classifier_sha256="c" * 64,
    model_sha256="0" * 64,
    made_with={"camlite": "0.1.0"},
)

SMALL_MAPS = MapChoice(
    Guide(4, 6, "top", ("early", "später"), "layercam", True, 3.0, 0.05, Window(0.0, 0.25, 1.0, 0.75)),
    (MeasuredMap("cam", 0.5, 0.25), MeasuredMap("layercam early", 0.75, 0.125)),
    12,
    "the best of 2",
)
"""What `SMALL` could say of maps."""

# The least that begins as a model: what is behind, only an interpreter would look at.
MODELS: Mapping[artifact.Container, bytes] = {
    "tflite": b"\x1c\0\0\0TFL3" + bytes(range(64)),
    "onnx": b"\x08\x08\x12\x07camlite\x3a\x00",  # ir_version 8, producer_name, an empty graph
}

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp"]), max_size=8).filter(
    lambda text: hidden_character(text) is None
)
sides = st.integers(1, 4)
layouts = st.sampled_from(get_args(cards.Layout))
windows = st.builds(Window, *[st.floats(-2, 0.5)] * 2, *[st.floats(0.6, 3)] * 2)


@st.composite
def preprocessings(draw: st.DrawFn) -> Preprocessing:
    channels = draw(st.sampled_from([1, 3]))
    per_channel = st.tuples(*[numbers] * channels)
    fit, order = (draw(st.sampled_from(get_args(choices))) for choices in (cards.Fit, cards.ChannelOrder))
    return Preprocessing(draw(sides), draw(sides), channels, draw(per_channel), draw(per_channel), fit, order)


@st.composite
def card_strategy(draw: st.DrawFn) -> Card:
    activation, evidence = (draw(st.sampled_from(get_args(one))) for one in (cards.Activation, EvidenceMethod))
    return Card(
        name=draw(text),
        precision=draw(st.sampled_from(get_args(cards.Precision))),
        labels=tuple(draw(st.lists(text, min_size=1, max_size=4))),
        preprocessing=draw(preprocessings()),
        head=Head(draw(text), draw(sides), draw(sides), draw(sides), activation, evidence, draw(windows)),
        classifier_sha256=draw(text),
        model_sha256=draw(text),
        made_with=draw(st.dictionaries(text, text, max_size=3)),
        pixels=draw(text),
        unfit=draw(text),
        image_layout=draw(layouts),
        features_layout=draw(layouts),
    )


def guides() -> st.SearchStrategy[Guide]:
    """Guides of all sizes that tests can afford."""
    layers = st.lists(text, min_size=1, max_size=3).map(tuple)
    classes = st.sampled_from(get_args(GuideClasses))
    how = (st.sampled_from(get_args(GuideMethod)), st.booleans())
    return st.builds(
        Guide,
        sides,
        sides,
        classes,
        layers,
        *how,
        st.floats(0.5, 100),
        st.floats(0, 100),
        windows | st.just(cards.WHOLE),
    )


def map_choices() -> st.SearchStrategy[MapChoice]:
    """Choices with a guide and without."""
    measured = st.lists(st.builds(MeasuredMap, text, numbers, numbers), max_size=3).map(tuple)
    return st.builds(MapChoice, st.none() | guides(), measured, st.integers(0, 1000), text)


@st.composite
def arrays_of(draw: st.DrawFn, card: Card) -> Arrays:
    """Arrays as the card implies them."""
    head, classes, samples = card.head, len(card.labels), draw(st.integers(0, 3))
    place = (head.height, head.width)
    per_place = place if draw(st.booleans()) else ()
    image_shape = (samples, draw(sides), draw(sides), card.preprocessing.channels)

    def floats(*shape: int) -> np.ndarray:
        return draw(array_strategies.arrays(np.float32, shape, elements=numbers))

    traits, maps = head.evidence_traits, draw(st.none() | map_choices())
    guide = maps and maps.guide
    return Arrays(
        weights=floats(*per_place, head.channels, classes) if traits.has_weights else None,
        bias=floats(classes) if traits.adds_up else None,
        golden_images=draw(array_strategies.arrays(np.uint8, image_shape)),
        golden_scores=floats(samples, classes),
        golden_evidence=floats(samples, *place),
        golden_errors=floats(samples, 3) if draw(st.booleans()) else None,
        golden_fine=floats(samples, guide.height, guide.width) if guide else None,
        maps=maps,
    )


def guided_arrays() -> Arrays:
    """`small_arrays` with `SMALL_MAPS`."""
    guide = SMALL_MAPS.guide
    fine = np.random.default_rng(1).normal(size=(2, guide.height, guide.width)).astype(np.float32)
    return small_arrays()._replace(golden_fine=fine, maps=SMALL_MAPS)


def small_arrays() -> Arrays:
    """Those of `SMALL`, with two golden samples of another size than the classifier's input."""
    random = np.random.default_rng(0)

    def floats(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    images = random.integers(0, 256, (2, 3, 4, 1)).astype(np.uint8)
    return Arrays(floats(5, 3), floats(3), images, floats(2, 3), floats(2, 2, 3), floats(2, 3))


def changed(card: Card, place: str, value: object) -> Card:
    """The card with one field replaced: ``changed(card, "head.channels", 0)``."""
    part, _, rest = place.partition(".")
    new = changed(getattr(card, part), rest, value) if rest else value
    return card._replace(**{part: new})


def small_artifact(container: artifact.Container, guided: bool = False) -> bytes:
    """`SMALL` and its arrays, packed; guided: with `SMALL_MAPS`."""
    model = MODELS[container]
    card = SMALL._replace(model_sha256=hashlib.sha256(model).hexdigest())
    return artifact.pack(container, model, card, guided_arrays() if guided else small_arrays())


def small_entries(container: artifact.Container, guided: bool = False) -> dict[str, bytes]:
    """What the payload of `small_artifact` holds: ``card.json``, the arrays as ``NAME.npy`` and ``maps.json``."""
    entries = {}
    for name, array in (guided_arrays() if guided else small_arrays())._asdict().items():
        if name == "maps":
            if array is not None:
                entries["maps.json"] = json.dumps(map_choice.as_dict(array)).encode()
        elif array is not None and name != "label_file":
            buffer = io.BytesIO()
            np.save(buffer, array)
            entries[f"{name}.npy"] = buffer.getvalue()
    card = SMALL._replace(model_sha256=hashlib.sha256(MODELS[container]).hexdigest())
    content = {"format": cards.FORMAT_VERSION, **cards.as_dict(card)}
    return {"card.json": json.dumps(content).encode(), **entries}


def seal_tflite(entries: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An artifact by the description of the format alone: any entries, sealed as `camlite.artifact` seals them."""
    buffer = io.BytesIO(MODELS["tflite"])
    with zipfile.ZipFile(buffer, "a", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        archive.comment = bytes(84)
    return reseal_tflite(buffer.getvalue())


def reseal_tflite(content: bytes) -> bytes:
    """Make the seal fit again, after bytes of the payload were changed by hand."""
    payload = content[len(MODELS["tflite"]) : -84]
    return content[:-84] + seal(payload)


def seal(payload: bytes) -> bytes:
    """What stands at the end of a payload."""
    return b"camlite seal sha256:" + hashlib.sha256(payload).hexdigest().encode()
