"""Every layer class of Keras 3 and tf_keras: built, given odd state, saved, opened, and compared with itself.

What is opened must say what was saved, and what camlite converts must say what was opened. The first fails where a
file is read wrongly; the second where a copy in float32, or one in Keras 3, leaves something out. A layer that is new
in Keras, or an argument, fails here until it stands in `support.every_layer`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from camlite.errors import ClassifierError
from camlite_export.sources import keras2, same_answers
from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.opening import open_source
from camlite_export.sources.untrusted import allowed, configuration
from support import every_layer
from support.every_layer import Case

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")

FRAMEWORKS = ("keras", "tf_keras")
TOGETHER = 40  # branches of one model: of more, building it takes longer by the square

# Of an image's largest number in its branch. All were within 1e-5 between both Keras.
ROUNDING = 2e-5
# Of 16 bits, by the mean over a branch: a step, as of rounding to pixels, moves single numbers by more. A Normalization
# without its statistics differs by 1 and more. 1.4e-2 was the most with 11 bits: Keras 2's GroupNormalization, of
# images of one colour. With 8 bits, eight times as much may be.
ROUNDING_16_BITS = {"mixed_float16": 2e-2, "mixed_bfloat16": 1.6e-1}


def framework(name: str) -> Any:
    import tf_keras

    return {"keras": keras, "tf_keras": tf_keras}[name]


def differing(k: Any, cases: list[Case], policy: str, suffix: str, folder: Path) -> list[str]:
    """What of the cases is not the same once it was saved and opened; as an object where the suffix is empty."""
    found: list[str] = []
    for start in range(0, len(cases), TOGETHER):
        found += _differing(k, cases[start : start + TOGETHER], policy, folder / f"model{suffix}", suffix)
    return found


def _differing(k: Any, cases: list[Case], policy: str, path: Path, suffix: str) -> Iterator[str]:
    model, parts = every_layer.branches(k, cases, policy)
    images = every_layer.probes()
    saved = np.asarray(model(images, training=False), np.float32)
    if suffix:
        model.save(path)
    source = open_source(path if suffix else model)
    assert isinstance(source, Keras3Source)
    original = np.asarray(source._run(images), np.float32)
    converted = np.asarray(source.converted(images, training=False), np.float32)
    for case, part in zip(cases, parts, strict=True):
        if not _same(original[:, part], saved[:, part], "float32"):
            yield f"{case.name}, opened"
        if not _same(converted[:, part], original[:, part], policy):
            yield f"{case.name}, converted"


def _same(received: Any, expected: Any, policy: str) -> bool:
    difference = np.abs(received - expected)
    if policy == "float32":
        return bool(difference.max() <= ROUNDING * max(1, np.abs(expected).max()))
    return bool(difference.mean() <= ROUNDING_16_BITS[policy] * max(1e-3, np.abs(expected).mean()))


@pytest.mark.parametrize(
    ("name", "policy", "suffix"), [("tf_keras", "float32", ".h5"), ("keras", "mixed_float16", ".keras")]
)
def test_a_layer_of_each_class_is_the_same(name: str, policy: str, suffix: str, tmp_path: Path) -> None:
    k = framework(name)
    cases = every_layer.sample_of(every_layer.cases_of(k, policy, suffix))
    assert len({case.kind for case in cases}) >= 75
    assert differing(k, cases, policy, suffix, tmp_path) == []


@pytest.mark.endurance
@pytest.mark.parametrize("suffix", [".keras", ".h5", ""])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_argument_of_every_layer_is_the_same(
    name: str, policy: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    k = framework(name)
    cases = every_layer.cases_of(k, policy, suffix)
    found = differing(k, cases, policy, suffix, tmp_path)
    with capsys.disabled():
        kinds = len({case.kind for case in cases})
        print(f"\n{name} {policy} {suffix or 'object'}: {kinds} classes, {len(cases)} layers, {len(found)} differ")
    assert found == []


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_class_is_built_here_or_refused_by_its_name(name: str) -> None:
    k = framework(name)
    kinds = every_layer.layer_classes(k).keys() - every_layer.NO_LAYERS
    built = {case.kind for case in every_layer.cases_of(k)}
    refused = every_layer.refused(k is not keras).keys() & kinds
    assert built | refused == kinds
    assert not built & refused
    for kind in sorted(refused):
        layer = {"class_name": kind, "config": {"name": "it"}, "module": "keras.layers", "registered_name": None}
        model = {"class_name": "Sequential", "config": {"name": "all", "layers": [layer]}}
        with pytest.raises(ClassifierError) as raised:
            configuration.read(model, "model", keras2=k is not keras)
        assert kind in str(raised.value) or "a Lambda layer" in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_argument_is_changed_by_a_case(name: str) -> None:
    k = framework(name)
    changed: dict[str, set[str]] = {}
    for case in every_layer.cases_of(k):
        changed.setdefault(case.kind, set()).update(case.options)
    kinds = every_layer.layer_classes(k)
    missing = {
        kind: names
        for kind in changed
        if (names := every_layer.parameters_of(kinds[kind]) - changed[kind] - every_layer.without_effect(kind))
    }
    assert missing == {}


@pytest.mark.parametrize(
    ("name", "listed"), [("keras", allowed.LAYERS_OF_KERAS_3), ("tf_keras", allowed.LAYERS_OF_KERAS_2)]
)
def test_what_a_file_may_hold_is_built_here(name: str, listed: frozenset[str]) -> None:
    """Under each of its names."""
    k = framework(name)
    built = {every_layer.layer_classes(k)[case.kind] for case in every_layer.cases_of(k)}
    not_exported = {"InputLayer", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization"}
    functions = {"TFOpLambda", "SlicingOpLambda"}  # `test_keras2` has these
    aliases = {alias for alias in listed if getattr(k.layers, alias, None) not in built}
    assert aliases <= not_exported | functions


def test_a_layer_that_loses_its_state_would_be_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This test can fail, and so can the proof behind it: here a Normalization keeps what it was built with."""
    case = next(case for case in every_layer.CASES if case.kind == "Normalization")
    finalize = keras.layers.Normalization.finalize_state
    monkeypatch.setattr(
        keras.layers.Normalization, "finalize_state", lambda one: finalize(one) if one.mean is None else None
    )
    k = framework("tf_keras")
    with pytest.raises(ClassifierError, match="its scores differ by"):
        keras2.rebuild(every_layer.branches(k, [case])[0], "model")
    monkeypatch.setattr(same_answers, "worst_difference", lambda *_: None)
    assert differing(k, [case], "float32", ".h5", tmp_path) == [f"{case.name}, converted"]


def test_what_has_time_first_is_refused() -> None:
    tf_keras = framework("tf_keras")
    image = tf_keras.Input((8, 8, 3))
    rows = tf_keras.layers.Reshape((64, 3))(image)
    scores = tf_keras.layers.Flatten()(tf_keras.layers.GRU(3, time_major=True, return_sequences=True)(rows))
    with pytest.raises(ClassifierError, match=r"layer 'gru.*time_major"):
        keras2.rebuild(tf_keras.Model(image, scores), "model")
