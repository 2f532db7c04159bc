"""Rebuild the legend: two classifiers, their artifacts, and an audit of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camlite.audit import engine
from camlite.audit.verdict import JUDGED, ClassVerdict, judge
from camlite.images import picture_files
from camlite.images.masked_source import Source
from camlite_export.agreement.interpreter_process import interpreter_process
from tanks.scenes import LABELS, Scenes, scenes

# What each has learned, by whether the weather gave the class away.
NAMES = {"weather": True, "tank": False}
PRECISIONS = ("float32", "int8")

TRAINING, VALIDATION, FIELD = 1000, 300, 300
_CALIBRATION = 100


@dataclass(frozen=True)
class Audited:
    """One artifact, and what is found out about it.

    Attributes:
        seed, name, artifact, precision: which.
        validation, field: share of the pictures that it names rightly, among those that came with the training
            pictures, and where the weather is no sign.
        verdicts: of the audit, from the validation set alone, one of `LABELS` each.
    """

    seed: int
    name: str
    artifact: Path
    precision: str
    validation: float
    field: float
    verdicts: tuple[ClassVerdict, ...]

    @property
    def expected(self) -> bool:
        """Whether the verdicts are the truth: the sky, or the tank."""
        told = {(one.verdict, one.region if one.shortcut else None) for one in self.verdicts}
        return told == {("context", "sky") if NAMES[self.name] else ("object", None)}


def rebuild(folder: Path, seed: int, begins: Callable[[str], None]) -> Iterator[Audited]:
    """Draw, train, export and audit both classifiers; everything lands in the folder.

    Args:
        begins: called with each step, in a few words, when it begins.

    Raises:
        CamliteError: the folder cannot be written to.
    """
    begins("drawing the pictures of the field")
    field = write(folder / "field", scenes(FIELD, field_seed(seed), confounded=False))
    for number, (name, confounded) in enumerate(NAMES.items(), 1):
        begins(f"drawing the validation pictures of {name}")
        validation = write(folder / name / "validation", scenes(VALIDATION, _seed(seed, number), confounded=confounded))
        begins(f"training and exporting {name}")
        for precision, artifact in _train(folder / name, name, _seed(seed, 10 * number), confounded).items():
            begins(f"auditing {artifact.name}")
            with interpreter_process() as process:
                right, verdicts = process.submit(_audit, artifact, validation).result()
                right_in_field, _ = process.submit(_audit, artifact, field).result()
            yield Audited(seed, name, artifact, precision, right, right_in_field, tuple(verdicts))


def write(folder: Path, drawn: Scenes) -> Path:
    """Write pictures as ``images/LABEL/N.png`` and the tanks' masks as ``masks/LABEL/N.png``."""
    for index, k in enumerate(drawn.classes):
        files = {"images": drawn.images[index]}
        if drawn.masks[index].any():
            files["masks"] = drawn.masks[index].astype(np.uint8) * 255
        for kind, pixels in files.items():
            path = folder / kind / LABELS[k] / f"{index:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture_files.write(path, pixels)
    return folder


def field_seed(seed: int) -> int:
    """The seed that the pictures of the field are drawn from."""
    return _seed(seed, 0)


def _seed(seed: int, number: int) -> int:
    return 1000 * seed + number


def _train(folder: Path, name: str, seed: int, confounded: bool) -> dict[str, Path]:
    """Train a classifier and export it: the artifact of each precision."""
    import keras

    import camlite_export
    from tanks import training

    keras.backend.clear_session()
    drawn = scenes(TRAINING, seed, confounded=confounded)
    model = training.train(name, drawn, seed)
    exported = camlite_export.export(
        model,
        folder,
        name=name,
        labels=LABELS,
        calibration=drawn.images[:_CALIBRATION],
        formats="tflite",
        precisions=PRECISIONS,
        preprocess="unit",
    )
    model.save(folder / f"{name}.keras")
    return dict(zip(PRECISIONS, exported.paths.values(), strict=True))


def _audit(artifact: Path, data: Path) -> tuple[float, list[ClassVerdict]]:
    """Share of images named rightly, and the verdicts; for a process of the interpreter's own."""
    task = engine.Task(artifact, Source(data))
    measure, images = task.open()
    figures = engine.run(task, measure, len(images))
    return float(figures.right.mean()), judge(figures, measure.labels, masked=True)


def row(one: Audited) -> list[str]:
    """Its row in the table."""
    tank = one.verdicts[LABELS.index("tank")]
    return [
        str(one.seed),
        one.name,
        one.precision,
        f"{one.validation:.1%}",
        f"{one.field:.1%}",
        *(verdict.text for verdict in one.verdicts),
        f"{tank.concentration.mean:.2f} ({tank.concentration.low:.2f} to {tank.concentration.high:.2f})",
        f"{tank.follows[JUDGED].mean:+.2f}",
        "ok" if one.expected else "WRONG",
    ]
