"""``camlite to-web``: what it writes, and what it refuses, in one line each, with nothing written.

The interpreters' packages stand for those of npm: to-web reads their versions and copies their files. The site with
the real ones is tried in tests/runtime/web.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from camlite import cli
from support import npm_packages
from support.spec_vectors import FOLDER

ONNX, TFLITE, INT8_TFLITE = (FOLDER / f"stripes.{kind}" for kind in ("float32.onnx", "float32.tflite", "int8.tflite"))


@pytest.fixture
def packages(tmp_path: Path) -> dict[str, Path]:
    return npm_packages.node_modules(tmp_path / "node_modules")


@pytest.fixture
def ort(packages: dict[str, Path]) -> Path:
    return packages["onnxruntime-web"]


@pytest.fixture
def litert(packages: dict[str, Path]) -> Path:
    return packages["@litertjs/core"]


def to_web(*arguments: str | Path) -> int:
    return cli.main(["to-web", *map(str, arguments)])


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_site_holds_the_artifacts_as_they_are_and_names_each_file_with_its_digest(tmp_path, ort, litert, capsys):
    site = tmp_path / "deep" / "site"

    assert to_web(ONNX, TFLITE, "--output", site, "--runtime", ort, "--runtime", litert) == 0

    written = files(site)
    assert f"{site}: {len(written)} files" in capsys.readouterr().out
    assert written[f"artifacts/{ONNX.name}"] == ONNX.read_bytes()
    facts = json.loads(written["page.json"])
    assert [one["file"] for one in facts["artifacts"]] == [f"artifacts/{ONNX.name}", f"artifacts/{TFLITE.name}"]
    listed = json.loads(re.search(r"^const SITE = (.*?);$", written.pop("service_worker.js").decode(), re.M)[1])[
        "files"
    ]
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in written.items()}
    assert listed == {"./": digests.pop("index.html"), **digests}
    assert written["runtime/litert.js"] == b'import { a } from "./litert-wasm-utils.js";\n'  # no map, no bare name


def test_only_the_interpreter_that_is_needed_is_copied(tmp_path, ort, litert):
    assert to_web(ONNX, "--output", tmp_path / "site", "--runtime", ort, "--runtime", litert) == 0

    assert not [name for name in files(tmp_path / "site") if "litert" in name]


def test_an_older_site_is_replaced_whole(tmp_path, ort):
    site = tmp_path / "site"
    assert to_web(ONNX, "--output", site, "--runtime", ort) == 0
    first = files(site)
    (site / "stale.txt").write_text("of an older version")

    assert to_web(ONNX, "--output", site, "--runtime", ort) == 0

    assert files(site) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node_modules", "site"]


def wrong_name(ort: Path) -> str:
    (ort / "package.json").write_text('{"name": "onnxruntime-node", "version": "1.30.0"}')
    return "the package 'onnxruntime-node', expected onnxruntime-web or @litertjs/core"


def too_old(ort: Path) -> str:
    (ort / "package.json").write_text('{"name": "onnxruntime-web", "version": "1.21.0"}')
    return "onnxruntime-web 1.21.0, expected 1.22 or newer; npm install onnxruntime-web"


def no_version(ort: Path) -> str:
    (ort / "package.json").write_text('{"name": "onnxruntime-web"}')
    return "no package.json of npm"


def no_json(ort: Path) -> str:
    (ort / "package.json").write_bytes(b"\xff{")
    return "no package.json of npm"


def a_list(ort: Path) -> str:
    (ort / "package.json").write_text("[]")
    return "no package.json of npm"


def no_package(ort: Path) -> str:
    (ort / "package.json").unlink()
    return "No such file or directory; expected the folder of onnxruntime-web or @litertjs/core"


def half_a_package(ort: Path) -> str:
    (ort / "dist" / "ort.wasm.min.mjs").unlink()
    return "dist/ort.wasm.min.mjs is missing; npm install onnxruntime-web"


@pytest.mark.parametrize("spoil", [wrong_name, too_old, no_version, no_json, a_list, no_package, half_a_package])
def test_a_folder_that_is_no_interpreter_is_refused(spoil, tmp_path, ort, capsys):
    expected = spoil(ort)

    refuses(capsys, expected, ONNX, "--output", tmp_path / "site", "--runtime", ort)

    assert not (tmp_path / "site").exists()


def refuses(capsys: pytest.CaptureFixture[str], expected: str, *arguments: str | Path) -> None:
    assert to_web(*arguments) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"[^\n]{20,400}\n", told.err)
    assert expected in told.err


def test_eight_bits_of_tflite_name_the_file_to_take_instead(tmp_path, litert, capsys):
    expected = "@litertjs/core does not run it in a browser: it has no int8 tensors; take the int8.onnx artifact"
    refuses(capsys, f"{INT8_TFLITE}: {expected}", INT8_TFLITE, "--output", tmp_path / "site", "--runtime", litert)


def test_the_interpreter_that_is_missing_is_named(tmp_path, ort, capsys):
    expected = (
        f"{TFLITE}: tflite artifacts run on @litertjs/core in a browser; add --runtime node_modules/@litertjs/core"
    )
    refuses(capsys, expected, TFLITE, ONNX, "--output", tmp_path / "site", "--runtime", ort)


def test_a_name_that_no_address_can_hold_is_refused(tmp_path, ort, capsys):
    odd = tmp_path / "a\udcff.float32.onnx"
    odd.write_bytes(ONNX.read_bytes())

    refuses(capsys, "a\\udcff.float32.onnx: its name is not", odd, "--output", tmp_path / "site", "--runtime", ort)


def test_what_is_no_artifact_is_refused(tmp_path, ort, capsys):
    (tmp_path / "notes.txt").write_text("no artifact at all")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(ONNX.read_bytes()[:-1])
    for path, expected in (
        (tmp_path / "notes.txt", "notes.txt"),
        (tmp_path / "missing.onnx", "missing.onnx"),
        (damaged, "damaged.onnx"),
    ):
        refuses(capsys, expected, ONNX, path, "--output", tmp_path / "site", "--runtime", ort)
        assert not (tmp_path / "site").exists()


def test_of_a_folder_those_go_into_the_site_that_run_there(tmp_path, ort, capsys):
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (ONNX, INT8_TFLITE):
        shutil.copy(path, folder)

    assert to_web(folder, "--output", tmp_path / "site", "--runtime", ort) == 2

    assert [path.name for path in (tmp_path / "site" / "artifacts").iterdir()] == [ONNX.name]
    assert f"{folder / INT8_TFLITE.name}: @litertjs/core does not run it" in capsys.readouterr().err


def test_nothing_is_given_twice(tmp_path, ort, capsys):
    out = ("--output", tmp_path / "site")
    refuses(capsys, f"artifacts: {ONNX.name} is there 2 times", ONNX, ONNX, *out, "--runtime", ort)
    refuses(capsys, "--runtime: onnxruntime-web is there 2 times", ONNX, *out, "--runtime", ort, "--runtime", ort)


def a_file(site: Path) -> None:
    site.write_text("mine")


def other_files(site: Path) -> None:
    site.mkdir()
    (site / "thesis.txt").write_text("mine")


def another_page(site: Path) -> None:
    site.mkdir()
    (site / "page.json").write_text('["mine"]')


def a_link(site: Path) -> None:
    (site.parent / "elsewhere").mkdir()
    site.symlink_to(site.parent / "elsewhere")


@pytest.mark.parametrize("put", [a_file, other_files, another_page, a_link])
def test_what_is_in_the_way_stays(put, tmp_path, ort, capsys):
    site = tmp_path / "site"
    put(site)
    before = files(tmp_path)

    refuses(capsys, f"--output {site}: something else than a site of camlite", ONNX, "--output", site, "--runtime", ort)

    assert files(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, ort, capsys):
    (tmp_path / "file").write_text("mine")
    refuses(capsys, "a file is in the way", ONNX, "--output", tmp_path / "file" / "site", "--runtime", ort)


def test_an_unsigned_artifact_is_refused_where_a_key_is_trusted(tmp_path, ort, capsys):
    pytest.importorskip("cryptography")
    assert cli.main(["keygen", str(tmp_path / "maker")]) == 0
    capsys.readouterr()

    out = ("--output", tmp_path / "site", "--trusted", tmp_path / "maker.pub")
    refuses(capsys, f"{ONNX}: not signed", ONNX, *out, "--runtime", ort)
