"""What a device must do: answer as the workstation does, with nothing installed but what camlite asks for."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from camlite import artifact as artifacts
from camlite.artifact.precisions import Precision
from camlite.images import picture_files
from devices.environments import Device, here
from devices.machine import PROJECT, DeviceError, succeed

RUNS = {"tflite-runtime": "tflite", "ai-edge-litert": "tflite", "onnxruntime": "onnx"}
_REFERENCE = PROJECT / "artifacts/fashion_mnist"
_PICTURES = 6

THREE_LINES = """
import json, sys
import numpy
image = numpy.load(sys.argv[2])

import camlite
explainer = camlite.load(sys.argv[1])
explanation = explainer.explain(image)

assert explanation.overlay().shape == (*image.shape[:2], 3)
scores = dict(zip(explainer.labels, explanation.scores.tolist()))
print(json.dumps({"label": explanation.label, "scores": scores, "evidence": explanation.evidence.tolist()}))
"""

Answer = Mapping[str, Any]


class Tolerance(NamedTuple):
    """How far a device may be from the workstation; see `Finding`."""

    score_difference: float
    evidence_difference: float


# What other kernels, and other processors, may round otherwise. The largest that was seen is in docs/devices.md.
TOLERANCES: Mapping[Precision, Tolerance] = {
    # Sums in another order: the rounding of n terms grows like the root of n, 2e-6 for the longest sum of 1152.
    "float32": Tolerance(1e-5, 1e-5),
    # A device that computes in float16 rounds by 2**-11 a layer where others do not.
    "float16": Tolerance(2e-3, 2e-3),
    # Activations are rounded to 8 bits as they come: a sum in another order may tip one by a step of 1/255.
    "dynamic": Tolerance(1e-2, 1e-2),
    # A logit that is rounded the other way moves by one step, 0.22 in the reference classifier, and a score by at most
    # a quarter of that; two logits that move apart, by twice as much. Evidence: a step of a feature, 1/255 of the
    # largest, in several of 128 channels.
    "int8": Tolerance(0.11, 0.05),
    # The same with steps 256 times finer.
    "int16x8": Tolerance(5e-4, 5e-4),
}


@dataclass(frozen=True)
class Case:
    """An artifact, images, and what the workstation says of them.

    Attributes:
        pictures: PNG files.
        pixels: an ``.npy`` of the same pixels as the first picture.
        expected: one answer a picture.
    """

    artifact: Path
    precision: Precision
    pictures: tuple[Path, ...]
    pixels: Path
    expected: Sequence[Answer]


@dataclass(frozen=True)
class Finding:
    """One artifact on one device.

    Attributes:
        explained, checked: what is wrong with ``camlite explain`` and ``camlite check``; empty where nothing is.
        score_difference: the largest of a score from the workstation's, over all pictures.
        evidence_difference: the same of evidence, over the workstation's largest.
    """

    artifact: str
    precision: Precision
    explained: str
    checked: str
    score_difference: float
    evidence_difference: float

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.explained or self.checked)


def workstation() -> Device:
    """The environment that this runs in, with whichever backend it prefers."""
    return Device(here(), "", "", "", Path(sys.prefix, "bin"))


def tiny_cases(tiny: Path, work: Path) -> list[Case]:
    """Those of tiny_classifiers.py: both methods of evidence, both fits, grey and colour."""
    names = ("stripes", "hidden", "colours")
    return [case for name in names for case in cases(tiny / name, tiny / f"{name}.npz", work)]


def reference_cases(work: Path) -> list[Case]:
    """Those of the reference classifier."""
    return cases(_REFERENCE, _REFERENCE.with_name(f"{_REFERENCE.name}.calibration.npz"), work)


def cases(folder: Path, images: Path, work: Path) -> list[Case]:
    """Every artifact of a folder, with images of an ``.npz``, and the workstation's answers for them.

    Args:
        folder: it and its artifacts bear the classifier's name.
        images: has ``images``, uint8 (N, H, W) or (N, H, W, channels), and ``classes``; a few of them are taken,
            of different classes.
        work: where the images are written to.
    """
    with np.load(images) as arrays:
        _, first = np.unique(arrays["classes"], return_index=True)
        chosen = arrays["images"][np.sort(first)[:_PICTURES]]
    pictures = tuple(work / f"{folder.name}-{number}.png" for number in range(len(chosen)))
    for path, pixels in zip(pictures, chosen, strict=True):
        picture_files.write(path, pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    array = work / f"{folder.name}.npy"
    np.save(array, chosen[0])
    found = sorted(path for container in get_args(artifacts.Container) for path in folder.glob(f"*.{container}"))
    if not found:
        raise DeviceError(f"{folder}: no artifacts there; `make export` makes those of the reference classifier")
    device = workstation()
    return [
        Case(path, artifacts.read(path).card.precision, pictures, array, explain(device, path, pictures))
        for path in found
    ]


def explain(device: Device, artifact: Path, pictures: Sequence[Path]) -> list[Answer]:
    """The answers of ``camlite explain --json``, one a picture.

    Raises:
        DeviceError: it fails, or an overlay is not what it should be.
    """
    with device.machine.copied(artifact, *pictures) as folder:
        names = [folder / file.name for file in pictures]
        said = succeed(device.run("camlite", "explain", folder / artifact.name, *names, "--output", folder, "--json"))
        lines = map(json.loads, said.splitlines())
        answers: list[Answer] = [{**line, "evidence": line["explained"][0]["evidence"]} for line in lines]
        for name, answer in zip(names, answers, strict=True):
            overlay = picture_files.read_image(device.machine.outside(folder / f"{name.stem}.overlay.png"))
            if answer["image"] != str(name) or overlay.ndim != 3:
                raise DeviceError(f"{name}: explained as {answer['image']}, its overlay is {overlay.shape}")
    return answers


def check(device: Device, artifacts: Sequence[Path]) -> dict[str, str]:
    """What ``camlite check --json`` has against each artifact; nothing where it passes."""
    with device.machine.copied(*artifacts) as folder:
        result = device.run("camlite", "check", *(folder / artifact.name for artifact in artifacts), "--json")
    said = {Path(record["artifact"]).name: record for record in map(json.loads, result.stdout.splitlines())}
    problems = {}
    for name in (artifact.name for artifact in artifacts):
        if name not in said:
            problems[name] = f"not checked: exit {result.returncode}: {result.stderr.strip()}"
        elif not said[name]["passed"]:
            problems[name] = "; ".join(said[name]["failures"])
    return problems


def three_lines(device: Device, artifact: Path, pixels: Path) -> Answer:
    """The answer of the three lines of Python, for an ``.npy``.

    Raises:
        DeviceError: they fail.
    """
    with device.machine.copied(artifact, pixels) as folder:
        printed = succeed(device.run("python", "-c", THREE_LINES, folder / artifact.name, folder / pixels.name))
    answer: Answer = json.loads(printed)
    return answer


def examine(device: Device, cases: Sequence[Case]) -> list[Finding]:
    """Examine each artifact that the device's backend runs."""
    own = [case for case in cases if case.artifact.suffix == f".{RUNS[device.backend]}"]
    checked = check(device, [case.artifact for case in own])
    return [_examine(device, case, checked.get(case.artifact.name, "")) for case in own]


def _examine(device: Device, case: Case, checked: str) -> Finding:
    try:
        explained, differences = judge(case, explain(device, case.artifact, case.pictures))
    except DeviceError as error:
        explained, differences = str(error), Tolerance(math.nan, math.nan)
    return Finding(case.artifact.name, case.precision, explained, checked, *differences)


def judge(case: Case, answers: Sequence[Answer]) -> tuple[str, Tolerance]:
    """What is wrong with a device's answers, and how far they are from the workstation's."""
    if _form(answers) != _form(case.expected):
        return f"answers are {_form(answers)}, expected {_form(case.expected)}", Tolerance(math.nan, math.nan)
    tolerance = TOLERANCES[case.precision]
    scores, evidence, wrong = [0.0], [0.0], []
    largest = max(_distance(answer["evidence"], 0) for answer in case.expected)
    for received, expected in zip(answers, case.expected, strict=True):
        scores.append(_distance(list(received["scores"].values()), list(expected["scores"].values())))
        label, expected_label = received["label"], expected["label"]
        if label == expected_label:
            evidence.append(_distance(received["evidence"], expected["evidence"]) / largest)
        # Where two scores are nearer to each other than both may move, either label will do.
        elif expected["scores"][expected_label] - expected["scores"][label] > 2 * tolerance.score_difference:
            wrong.append(f"label {label!r}, expected {expected_label!r}")
    differences = Tolerance(float(np.max(scores)), float(np.max(evidence)))
    for name, value, most in zip(Tolerance._fields, differences, tolerance, strict=True):
        if not value <= most:  # NaN is wrong, too
            wrong.append(f"{name.replace('_', ' ')} is {value:.2g}, at most {most:g}")
    return "; ".join(wrong), differences


def _form(answers: Sequence[Answer]) -> list[tuple[list[str], tuple[int, ...]]]:
    """The classes, and the shape of the evidence, of each answer."""
    return [(list(answer["scores"]), np.shape(answer["evidence"])) for answer in answers]


def _distance(numbers: Any, others: Any) -> float:
    return float(np.abs(np.asarray(numbers, np.float64) - others).max())
