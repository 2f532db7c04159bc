"""Stored outputs of a model as a C header, for tests/c/answers.c; and what that program says, read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import camlite
from camlite.artifact import Artifact
from camlite.images import preprocessing
from camlite.maps import evidence
from camlite_export.to_c import c_text, converting
from support import c_programs


class Case(NamedTuple):
    """What an interpreter was given and left, as stored, and the evidence that Python makes of it, (K, h, w)."""

    input: np.ndarray
    features: np.ndarray
    scores: np.ndarray
    evidence: np.ndarray
    completeness: float


class Answer(NamedTuple):
    """What answers.c says of a case."""

    top: int
    score: float
    evidence: np.ndarray
    contrast: np.ndarray
    completeness: float
    sums: np.ndarray
    heat: dict[tuple[int, int], np.ndarray]


def golden(path: Path, backend: str) -> list[Case]:
    """An artifact's golden samples, run by a backend; in its process."""
    explainer = camlite.load(path, backend)
    return [_case(explainer, image) for image in explainer.artifact.arrays.golden_images]


def _case(explainer: Any, image: np.ndarray) -> Case:
    explanation = explainer.explain(image)
    interpreter, arrays = explainer._interpreter, explainer.artifact.arrays
    results = {one: np.array(memory) for one, memory in interpreter.results.items()}
    maps = evidence.reading(arrays.weights, False, interpreter.outputs, results).many(range(len(explainer.labels)))
    given = np.array(interpreter.image)
    return Case(given, results["features"], results["scores"], maps, explanation.completeness)


def write(folder: Path, artifact: Artifact, cases: Sequence[Case], first_golden: int = 0) -> dict[str, str]:
    """Write an artifact as C and `cases` beside it; what answers.c is to be compiled with: name -> definition."""
    made = converting.convert(artifact)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    lines = [f"#define CASES_COUNT {len(cases)}\n#define CASES_FIRST_GOLDEN {first_golden}\n"]
    for name in ("features", "scores", "input"):
        blocks = [getattr(case, name).tobytes() for case in cases]
        lines += [f"static const uint8_t {name.rstrip('s') + 's'}[{len(blocks)}][{len(blocks[0])}] = {{\n"]
        for block in blocks:
            lines += ["{\n", *c_text.numbers(block), "},\n"]
        lines += ["};\n"]
    (folder / "cases.h").write_text("".join(lines))
    upper = made.name.upper()
    words = ("PLACES", "CLASSES", "HEIGHT", "WIDTH", "OUTPUTS")
    defined = {one: f"{upper}_{one}" for one in words}
    return {"NAME": made.name, "HEADER": f'"{made.name}.h"', "CASES": '"cases.h"', **defined}


def options(defined: dict[str, str]) -> list[str]:
    """`write`'s definitions as options of a compiler."""
    return [f"-D{name}={value}" for name, value in defined.items()]


def sources(folder: Path, defined: dict[str, str], program: str = "answers.c") -> list[Path]:
    """The files of a program."""
    return [c_programs.PROGRAMS / program, folder / f"{defined['NAME']}.c", folder / "camlite.c"]


def read(said: str, shape: tuple[int, int]) -> tuple[list[Answer], str, list[int]]:
    """What answers.c has printed: an answer a case, the line of the self-check, and all statuses."""
    answers: list[Answer] = []
    statuses, check, found = [], "", dict[str, Any]()

    def close() -> None:
        if found:
            for one in ("evidence", "contrast"):
                found[one] = np.stack(found[one]).reshape(-1, *shape)
            answers.append(Answer(**found))

    for line in said.splitlines():
        word, *rest = line.split()
        if word == "case":
            close()
            found = {"evidence": [], "contrast": [], "heat": {}}
        elif word == "status":
            statuses.append(int(rest[0]))
            if len(rest) == 3:
                found["top"] = int(rest[2])
        elif word in ("evidence", "contrast"):
            found[word].append(_floats(rest))
        elif word in ("score", "completeness"):
            found[word] = float(_floats(rest)[0])
        elif word == "sums":
            found["sums"] = _floats(rest)
        elif word == "heat":
            size = int(rest[0]), int(rest[1])
            found["heat"][size] = np.frombuffer(bytes.fromhex(rest[2]), np.uint8).reshape(size)
        elif word == "check":
            check = line
    close()
    return answers, check, statuses


def _floats(words: Sequence[str]) -> np.ndarray:
    return np.array([int(word, 16) for word in words], np.uint32).view(np.float32)


def prepared(image: np.ndarray, artifact: Artifact) -> np.ndarray:
    """A picture as real numbers of the input."""
    return preprocessing.prepare(preprocessing.check(image), artifact.card.preprocessing)
