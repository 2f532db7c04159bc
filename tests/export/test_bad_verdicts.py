"""Artifacts that go wrong while they are made: export says so, their cards keep it, check and parity never forget it.

Each fault is put between the classifier and what is sealed. All are found by their figures: without the card's word
parity finds them as well.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

import camlite_export
from camlite import artifact, cli
from camlite.artifact.arrays import Arrays
from camlite.images.labelled_images import of_arrays
from camlite_export import exporting, shipping
from camlite_export.agreement.gates import FEWEST_IMAGES
from camlite_export.cutting import two_output
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.sources.pixel_conventions import preprocessing
from camlite_export.targets import TARGETS
from support.fresh_process import run_camlite
from support.tiny_classifiers import STRIPES, striped_images, stripes

_MANY, _THEIRS = striped_images(2 * FEWEST_IMAGES)
# All different: of the plain ones, which are copies, the first.
_KEPT = np.flatnonzero((_THEIRS < 2) | (np.arange(2 * FEWEST_IMAGES) == 2))[:FEWEST_IMAGES]
IMAGES, CLASSES = _MANY[_KEPT], _THEIRS[_KEPT]
ops = keras.ops


class Fault(NamedTuple):
    """Where something goes wrong.

    Attributes:
        kind: of the artifact.
        cut: what the converter is given instead of the classifier.
        images: what it is calibrated with instead of the user's images.
        arrays: what is sealed beside the model instead of what is right.
    """

    kind: str
    cut: Callable[[TwoOutputModel], TwoOutputModel] = lambda cut: cut
    images: Callable[[np.ndarray], np.ndarray] = lambda images: images
    arrays: Callable[[Arrays], Arrays] = lambda arrays: arrays


def outputs(change: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[[TwoOutputModel], TwoOutputModel]:
    """The converter's model with features and scores changed at the end."""

    def changed(cut: TwoOutputModel) -> TwoOutputModel:
        features, scores = change(cut.model.output["features"], cut.model.output["scores"])
        return dataclasses.replace(cut, model=keras.Model(cut.model.inputs, {"features": features, "scores": scores}))

    return changed


def weights(change: Callable[[list[np.ndarray]], object]) -> Callable[[TwoOutputModel], TwoOutputModel]:
    """The converter's model with other weights: kernel and bias of two convolutions, then of the head."""

    def changed(_: TwoOutputModel) -> TwoOutputModel:
        model = stripes()
        numbers = model.get_weights()
        change(numbers)
        model.set_weights(numbers)
        return two_output.cut(model)

    return changed


def scale(index: int, by: float) -> Callable[[list[np.ndarray]], None]:
    def change(numbers: list[np.ndarray]) -> None:
        numbers[index][..., 0] *= by

    return change


def clip_biases(numbers: list[np.ndarray]) -> None:
    numbers[3][:] = -0.02


def swap_classes(numbers: list[np.ndarray]) -> None:
    for index in (4, 5):
        numbers[index][:] = numbers[index][..., [1, 0, 2]]


def shift_the_map(numbers: list[np.ndarray]) -> None:
    numbers[2][:] = 0
    numbers[2][1, 0] = np.eye(4)


FAULTS = {
    "class weights 5 % off": Fault("float32.tflite", arrays=lambda a: a._replace(weights=a.weights * 1.05)),
    "class weights in another order": Fault("int8.onnx", arrays=lambda a: a._replace(weights=a.weights[:, ::-1])),
    "the map shifted by a cell": Fault("float32.onnx", weights(shift_the_map)),
    "the map of another size in logits": Fault("float16.tflite", outputs(lambda f, s: (f * 1.2, s))),
    "classes swapped": Fault("dynamic.tflite", weights(swap_classes)),
    "NaN in the features": Fault("float32.tflite", outputs(lambda f, s: (ops.log(f - 1e9), s))),
    "an overflow in float16": Fault("float16.onnx", outputs(lambda f, s: (ops.relu(f * 1e5) / 1e5, s))),
    "a kernel at the wrong scale": Fault("int8.tflite", weights(scale(2, 0.5))),
    "biases clipped": Fault("int16x8.tflite", weights(clip_biases)),
    "another classifier": Fault("float32.onnx", weights(scale(4, -1.0))),
    "calibrated in the dark": Fault("int8.tflite", images=lambda images: images * 0.02),
    "calibrated in the dark, ONNX": Fault("int8.onnx", images=lambda images: images * 0.02),
}


class Spoilt:
    """A target that is given something else than it should be."""

    def __init__(self, container: str, fault: Fault) -> None:
        self._right, self._fault = TARGETS[container], fault

    def convert(self, cut: TwoOutputModel, precision: Any, images: np.ndarray | None) -> bytes:
        return self._right.convert(
            self._fault.cut(cut), precision, None if images is None else self._fault.images(images)
        )


def spoil(patch: pytest.MonkeyPatch, fault: Fault) -> None:
    right = exporting._as_the_model_has_them
    patch.setattr(exporting, "TARGETS", {container: Spoilt(container, fault) for container in TARGETS})
    patch.setattr(exporting, "_as_the_model_has_them", lambda arrays, *rest: right(fault.arrays(arrays), *rest))


def made(folder: Path, name: str, fault: Fault, images: int = FEWEST_IMAGES) -> exporting.Exported:
    precision, container = fault.kind.split(".")
    cut = two_output.cut(stripes())
    with pytest.MonkeyPatch.context() as patch:
        spoil(patch, fault)
        (one,), refused, *_ = exporting.export(
            cut,
            name=name,
            labels=STRIPES,
            target=preprocessing(cut.image_shape, "unit"),
            calibration=of_arrays(IMAGES[:images], CLASSES[:images], 3),
            wanted=[(container, precision)],
            folder=folder,
        )
    assert refused == {}
    return one


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, exporting.Exported]:
    folder = tmp_path_factory.mktemp("bad")
    return {name: made(folder, f"bad{number}", fault) for number, (name, fault) in enumerate(FAULTS.items())}


@pytest.fixture(scope="module")
def without_the_cards_word(bad: Mapping[str, exporting.Exported]) -> Mapping[str, Path]:
    """The same with nothing against them on their cards."""

    def silent(one: exporting.Exported) -> Path:
        read = artifact.read(one.path)
        path = one.path.with_name(f"silent-{one.path.name}")
        path.write_bytes(artifact.pack(read.container, read.model, read.card._replace(unfit=""), read.arrays))
        return path

    return {name: silent(one) for name, one in bad.items()}


@pytest.fixture(scope="module")
def compared(bad: Mapping[str, exporting.Exported], without_the_cards_word: Mapping[str, Path]) -> Any:
    """Parity on the pictures of the export."""
    paths = [*(one.path for one in bad.values()), *without_the_cards_word.values()]
    found = camlite_export.parity(stripes(), paths, of_arrays(IMAGES, CLASSES, 3))
    return {result.artifact.path: result for result in found.results}


@pytest.mark.parametrize("name", FAULTS)
def test_export_calls_it_unfit_and_its_card_says_why(bad: Mapping[str, exporting.Exported], name: str) -> None:
    assert bad[name].verdict == "UNFIT"
    assert bad[name].failures
    assert artifact.read(bad[name].path).card.unfit


@pytest.mark.parametrize("name", FAULTS)
def test_parity_on_the_same_pictures_says_the_same(
    bad: Mapping[str, exporting.Exported], compared: Any, without_the_cards_word: Mapping[str, Path], name: str
) -> None:
    result, silent = compared[bad[name].path], compared[without_the_cards_word[name]]
    assert result.failures[0].check == "fitness"
    assert [one.check for one in silent.failures] == [one.check for one in bad[name].failures]


def test_check_says_it_ever_after_with_the_cards_reason(bad: Mapping[str, exporting.Exported]) -> None:
    finished = run_camlite("check", *(one.path for one in bad.values()))
    assert finished.returncode == 1, finished.stderr
    assert " ok\n" not in finished.stdout
    for one in bad.values():
        assert f"{one.path}: not fit for use, as measured at its export: {artifact.read(one.path).card.unfit}" in (
            finished.stdout
        )


def test_check_finds_what_is_far_off_whatever_was_recorded_at_the_export(
    without_the_cards_word: Mapping[str, Path],
) -> None:
    """Errors that the artifact had there are no excuse for more than is fit for use."""
    names = ("class weights in another order", "classes swapped", "another classifier", "calibrated in the dark")
    far = [without_the_cards_word[name] for name in names]
    for path in far:
        errors = artifact.read(path).arrays.golden_errors
        assert errors is not None
        assert errors.max() > 0.3
    finished = run_camlite("check", *far)
    assert finished.returncode == 1
    assert finished.stdout.count("  FAILED\n") == len(far)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[exporting.Exported]:
    """Without a fault."""
    folder = tmp_path_factory.mktemp("good")
    return [made(folder, "right", Fault(kind)) for kind in ("float32.onnx", "float16.onnx", "int8.tflite")]


def test_what_is_right_is_called_fit(good: list[exporting.Exported]) -> None:
    for one in good:
        assert (one.verdict, one.failures) == ("fit", ())
        assert artifact.read(one.path).card.unfit == ""
        assert shipping.choose([one]) is one


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, exporting.Exported]:
    """Without a fault, judged on few images: by their number."""
    folder = tmp_path_factory.mktemp("few")
    return {n: made(folder, f"few{n}", Fault("int8.onnx"), n) for n in (1, FEWEST_IMAGES - 1)}


def test_what_passes_on_few_images_is_only_called_checked(few: Mapping[int, exporting.Exported]) -> None:
    for number, one in few.items():
        assert (one.verdict, one.images, one.failures) == ("checked", number, ())
        assert artifact.read(one.path).card.unfit == ""


def test_what_is_wrong_on_few_images_is_called_so(tmp_path: Path) -> None:
    one = made(tmp_path, "wrong", FAULTS["class weights in another order"], 1)
    assert one.verdict == "UNFIT"
    assert "5th percentile" not in artifact.read(one.path).card.unfit


def test_parity_on_few_images_calls_it_checked_too(few: Mapping[int, exporting.Exported]) -> None:
    for number, one in few.items():
        (result,) = (found := camlite_export.parity(stripes(), one.path, IMAGES[:number])).results
        assert (result.passed, result.verdict) == (True, "checked")
        assert found.to_dict()["artifacts"][0]["verdict"] == "checked"
        assert f"fewer than {FEWEST_IMAGES} different images do not tell whether it is fit" in found._repr_html_()
    (result,) = camlite_export.parity(stripes(), few[1].path, IMAGES).results
    assert result.verdict in ("ok", "FAILED")


def test_copies_of_an_image_vouch_for_no_more_than_that_image(few: Mapping[int, exporting.Exported]) -> None:
    copies = np.repeat(IMAGES[:2], FEWEST_IMAGES, axis=0)
    (result,) = camlite_export.parity(stripes(), few[1].path, copies).results
    assert (len(result.measurement), result.measurement.different) == (2 * FEWEST_IMAGES, 2)
    assert (result.passed, result.verdict) == (True, "checked")
    told = dataclasses.replace(few[1], measurement=result.measurement)
    assert told.verdict == "checked"
    assert f" of {2 * FEWEST_IMAGES} pictures (2 different) of the calibration" in next(shipping.lines([told]))


def test_no_percentile_is_told_of_one_image(few: Mapping[int, exporting.Exported]) -> None:
    assert shipping.record(few[1])["figures"]["correlation_p5"] is None
    assert shipping.text("correlation_p5", few[1]) == ""
    assert shipping.record(few[FEWEST_IMAGES - 1])["figures"]["correlation_p5"] > 0.9


def test_the_line_on_what_to_ship_says_on_how_few_images_it_was_checked(few: Mapping[int, exporting.Exported]) -> None:
    one, many = few[1], few[FEWEST_IMAGES - 1]
    first, second, third = shipping.lines([one], Path("my flowers.keras"))
    assert (
        "the original's class on 1 of 1 picture of the calibration, on which it was calibrated, too, 1 classified"
        in first
    )
    assert re.search(r", evidence correlation at least 0\.\d{6}$", first)
    needed = f"but a verdict needs {FEWEST_IMAGES} different ones: "
    assert second.startswith(f"checked on 1 picture of the calibration only, {needed}")
    assert second.endswith(f"measure it with `camlite parity 'my flowers.keras' {one.path} --data FOLDER`")
    assert f"measure it with camlite_export.parity(model, {str(one.path)!r}, data)" in list(shipping.lines([one]))[1]
    assert third.startswith(
        "(of the files that are checked, this one has the smallest product of size and time on this machine; "
    )
    assert f"checked on {FEWEST_IMAGES - 1} pictures of the calibration only" in list(shipping.lines([many]))[1]
    some = dataclasses.replace(many, calibrated=20)
    assert " pictures of the calibration, on 20 of which it was calibrated, too, " in next(shipping.lines([some]))
    golden = dataclasses.replace(one, pictures=None)
    first, second, _ = shipping.lines([golden])
    assert "the original's class on 1 of 1 golden sample, 1 classified correctly" in first
    assert second.startswith("checked on 1 golden sample only, ")


def test_what_is_fit_is_shipped_before_what_was_checked_and_its_line_counts_pictures(
    good: list[exporting.Exported], few: Mapping[int, exporting.Exported]
) -> None:
    assert shipping.choose([few[1], good[0]]) is good[0]
    said, rule = shipping.lines([dataclasses.replace(good[0], pictures="photos/")])
    assert f"the original's class on {FEWEST_IMAGES} of {FEWEST_IMAGES} pictures of photos/, " in said
    assert "calibrated" not in said  # float32 is not
    assert said.endswith("evidence correlation at least 0.999999 on 95 %")  # not 1: it is a bound
    assert "%" not in said.removesuffix("on 95 %")
    assert rule.startswith(
        "(of the files that are fit for use, this one has the smallest product of size and time on this machine; "
    )
    assert "compare on your device with `camlite bench`" in rule


def test_the_card_names_no_picture_of_the_user(bad: Mapping[str, exporting.Exported]) -> None:
    for one in bad.values():
        unfit = artifact.read(one.path).card.unfit
        assert "images[" not in unfit
        assert str(one.path.parent) not in unfit


def test_a_bad_one_is_never_the_one_to_ship_and_none_is_where_all_are_bad(
    bad: Mapping[str, exporting.Exported], good: list[exporting.Exported]
) -> None:
    assert shipping.choose([*bad.values(), good[0]]) is good[0]
    assert shipping.choose(list(bad.values())) is None
    assert list(shipping.lines(list(bad.values()))) == ["ship none: none of them is fit for use"]


def test_the_command_writes_them_says_so_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, images = tmp_path / "stripes.keras", tmp_path / "images.npz"
    stripes().save(classifier)
    np.savez(images, images=IMAGES, classes=CLASSES)
    spoil(monkeypatch, FAULTS["the map shifted by a cell"])
    options = ["--formats", "onnx", "--precisions", "float32", "--preprocess", "unit", "--calibration", str(images)]
    assert cli.main(["export", str(classifier), *options]) == 1
    said = capsys.readouterr()
    path = tmp_path / "stripes" / "stripes.float32.onnx"
    assert path.exists()
    assert next(line for line in said.out.splitlines() if line.startswith(str(path))).endswith("  UNFIT")
    assert any(line.startswith("FAILED: float32.onnx: evidence_error_max: ") for line in said.out.splitlines())
    assert said.out.splitlines()[-1] == "ship none: none of them is fit for use"
    assert said.err == ""


@pytest.fixture(autouse=True)
def _free_memory() -> Iterator[None]:
    yield
    keras.utils.clear_session()
