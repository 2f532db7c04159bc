"""Commands that are killed: what they leave is whole, and of one run; a rerun completes, and clears it away."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from camlite import artifact
from camlite.audit import image_figures
from support import kills, tiny_classifiers
from support.striped_patches import write_folder

EXPORT = ["--maps", "cam", "--preprocess", "unit", "--formats", "tflite", "onnx", "--precisions", "float32"]
# What each command imports besides numpy, so that most kills do not come before it has begun.
IMPORTS = {
    "export": ("tensorflow", "keras", "tf2onnx", "camlite_export.contact_sheet", "camlite_export.exporting"),
    "parity": ("tensorflow", "keras", "camlite_export.agreement.compare", "camlite_export.agreement.report", "jinja2"),
    "audit": ("jinja2", "sklearn.cluster", "camlite_export.audit.audit_report"),
}
FILES = ["stripes.float32.onnx", "stripes.float32.tflite"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same classifier with other weights, under the same name in two folders."""
    return tiny_classifiers.save_two(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images for three batches of an audit."""
    return write_folder(tmp_path_factory.mktemp("patches"), 96, beside=False)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def left_in(temporary: Path) -> list[str]:
    """Temporary files, but for those that others make in camlite's process: onnxruntime's record of its sessions, and
    sources that TensorFlow generates and only removes where its process ends well."""
    return [name for name in names(temporary) if name != ".ses" and not name.startswith("__autograph_generated_file")]


def whole_artifacts(folder: Path) -> int:
    """Of how many classifiers the artifacts in a folder are, each read and verified."""
    found = [artifact.read(path) for path in folder.glob("*.*") if path.suffix in (".tflite", ".onnx")]
    return len({one.card.classifier_sha256 for one in found})


def whole_report(folder: Path, kind: str) -> None:
    """Page and record are there to their ends, and tell of the same artifact; or neither is there."""
    if not folder.exists():
        return
    assert names(folder) == sorted(["index.html", f"{kind}.json"])
    page, record = (folder / "index.html").read_text(), (folder / f"{kind}.json").read_text()
    assert page.rstrip().endswith("</html>")
    assert record.endswith("}\n")
    said = json.loads(record)
    path = Path(said["artifact"] if kind == "audit" else said["artifacts"][0]["artifact"])
    other = {".tflite": ".onnx", ".onnx": ".tflite"}[path.suffix]
    assert path.suffix in page
    assert f"stripes.float32{other}" not in page


Starting = Callable[..., kills.Process]


@contextlib.contextmanager
def starting(kind: str, whole: bool, folder: Path) -> Iterator[Starting]:
    """How a command is started: as a whole; or as a fork that has imported what it needs."""
    if whole:
        yield kills.start
        return
    with kills.warm_process(*IMPORTS[kind]) as warm:
        yield lambda *arguments, **environment: kills.Forked(warm, folder / "log", *arguments, **environment)


MOMENTS = pytest.mark.parametrize(
    ("whole", "times"), [(True, 10), (False, 190)], ids=["from its start", "after its imports"]
)


@pytest.mark.endurance
@MOMENTS
def test_an_export_killed_at_a_random_moment_leaves_whole_files_of_one_export(
    whole: bool, times: int, models: list[Path], tmp_path: Path, temporary: Path
) -> None:
    folder = tmp_path / "out"

    def check() -> None:
        assert whole_artifacts(folder) <= 1

    def check_complete() -> None:
        assert names(folder) == FILES
        assert whole_artifacts(folder) == 1
        assert left_in(temporary) == []

    with starting("export", whole, tmp_path) as start:
        exports = [partial(start, "export", model, "--output", folder, *EXPORT, TMPDIR=temporary) for model in models]
        kills.at_random_moments(exports, times, check, check_complete)


@pytest.mark.endurance
@MOMENTS
@pytest.mark.parametrize("kind", ["parity", "audit"])
def test_a_report_killed_at_a_random_moment_is_whole_or_not_there(
    kind: str, whole: bool, times: int, tiny: Path, data: Path, tmp_path: Path, temporary: Path
) -> None:
    report = tmp_path / "report"

    def check_complete() -> None:
        whole_report(report, kind)
        assert {path.name for path in tmp_path.iterdir()} - {"log"} == {"report", "temporary"}
        assert left_in(temporary) == []

    with starting(kind, whole, tmp_path) as start:
        reports = []
        for suffix in ("tflite", "onnx"):
            one = tiny / "stripes" / f"stripes.float32.{suffix}"
            asked = [tiny / "stripes.keras", one] if kind == "parity" else [one, data]
            reports.append(partial(start, kind, *asked, "--report", report, TMPDIR=temporary))
        kills.at_random_moments(reports, times, lambda: whole_report(report, kind), check_complete)


@pytest.mark.endurance
@pytest.mark.parametrize("times", [200])
def test_an_audit_killed_at_a_random_moment_goes_on_from_whole_batches(
    times: int, tiny: Path, data: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    command = ("audit", tiny / "stripes" / "stripes.float32.tflite", data, "--json", "--resume", kept)
    expected, _ = kills.start(*command[:-2]).communicate()

    def check() -> None:
        for path in kept.glob("*.npz"):
            image_figures.unpack(path.read_bytes())

    def check_complete() -> None:
        said, errors = kills.start(*command).communicate()
        assert (said, errors) == (expected, "")
        assert names(kept) == ["000000000.npz", "000000032.npz", "000000064.npz", "audit.json"]
        for path in kept.iterdir():  # the next one has all to do again
            path.unlink()

    kills.at_random_moments([lambda: kills.start(*command)], times, check, check_complete)


def test_an_audit_killed_before_any_step_goes_on_from_whole_batches(tiny: Path, data: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    command = ["audit", str(tiny / "stripes" / "stripes.float32.tflite"), str(data), "--resume", str(kept)]

    def check() -> None:
        for path in kept.glob("*.npz"):
            image_figures.unpack(path.read_bytes())

    steps = kills.at_each_step("camlite.cli", "main", [command], kept, check)

    assert steps >= 1 + 4 * 2  # the folder; three batches and the note, each written and renamed
    assert names(kept) == ["000000000.npz", "000000032.npz", "000000064.npz", "audit.json"]


@pytest.mark.parametrize("older", [False, True])
def test_an_export_killed_before_any_step_of_writing_leaves_files_of_one_export(older: bool, tmp_path: Path) -> None:
    folder, chosen = tmp_path / "out", "abc"

    def check() -> None:
        found = [path.read_bytes() for path in folder.glob("[abc]")]
        assert set(found) in ({b"old"}, {b"new"}, set())

    def write(content: bytes) -> int:
        arguments = [folder, dict.fromkeys(chosen, content)]
        return kills.at_each_step("camlite_export.output_folder", "write_all", arguments, folder, check)

    if older:
        write(b"old")
    assert write(b"new") >= 1 + 3 * len(chosen)
    assert {name: (folder / name).read_bytes() for name in names(folder)} == dict.fromkeys(chosen, b"new")


@pytest.mark.endurance
@pytest.mark.parametrize("kind", ["parity", "audit", "export"])
def test_a_command_killed_before_any_step_that_changes_a_file_leaves_what_is_whole(
    kind: str, models: list[Path], tiny: Path, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    one = str(tiny / "stripes" / "stripes.float32.tflite")
    asked = {
        "parity": [str(tiny / "stripes.keras"), one, "--report", str(folder)],
        "audit": [one, str(data), "--report", str(folder)],
        "export": [str(models[0]), "--output", str(folder), *EXPORT],
    }[kind]

    def check() -> None:
        if kind == "export":
            assert whole_artifacts(folder) <= 1
        else:
            whole_report(folder, kind)

    steps = kills.at_each_step("camlite.cli", "main", [[kind, *asked]], tmp_path, check, IMPORTS[kind])

    print(f"{kind}: {steps} steps")
    assert names(tmp_path) == ["out"]
    assert len(names(folder)) == 2


_WRITE_FOR_EVER = """
import sys
from pathlib import Path
from camlite_export import output_folder
print("ready", flush=True)
number = int(sys.argv[2])
while True:
    output_folder.write_all(Path(sys.argv[1]), {name: bytes([number % 256]) * 100_000 for name in "abcdefgh"})
    number += 1
"""


@pytest.mark.parametrize("times", [8, pytest.param(200, marks=pytest.mark.endurance)])
def test_a_kill_in_the_middle_of_writing_never_mixes_two_exports(times: int, tmp_path: Path) -> None:
    """A process that does nothing but write, so that most kills hit it there."""
    chance = random.Random(1)
    mixed = 0
    for number in range(times):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITE_FOR_EVER, str(tmp_path), str(number * 7)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.1))
            writer.kill()
        contents = [path.read_bytes() for path in tmp_path.iterdir() if not path.name.startswith(".")]
        assert all(len(content) == 100_000 for content in contents)
        assert len({content[0] for content in contents} | {content[-1] for content in contents}) <= 1
        mixed += len(contents) != 8
    print(f"{times} kills, {mixed} of them between the first and the last rename")
