"""What is released: the same bytes for the same source, whole, typed, from versions that are pinned in one way."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import camlite
from support import npm_packages

ROOT = Path(__file__).parents[1]
SOURCES = ("runtime", "export", "tests", "tools", "docs", "pyproject.toml", "README.md", "LICENSE", "Makefile",
           "constraints.txt", "CHANGELOG.md", "CONTRIBUTING.md", "mkdocs.yml", "uv.lock")  # fmt: skip


def build(folder: Path, umask: int) -> dict[str, Path]:
    """Wheel and sdist of a copy of the sources, whose files have other dates and modes than those here."""
    copy = folder / "sources"
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source,
                copy / name,
                symlinks=True,
                ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
                copy_function=shutil.copy,
            )
        elif source.exists():
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy / name)
    os.utime(copy / "pyproject.toml", (umask, umask))
    finished = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", copy],
        capture_output=True,
        text=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "PYTHONHASHSEED": str(umask)},
        umask=umask,
    )
    assert finished.returncode == 0, finished.stderr
    return {path.suffix: path for path in (folder / "dist").iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Path]]:
    """Built twice, on machines that are as different as one machine can be."""
    pytest.importorskip("build")
    return [build(tmp_path_factory.mktemp("build"), umask) for umask in (0o022, 0o077)]


@pytest.mark.parametrize("suffix", [".whl", ".gz"])
def test_wheel_and_sdist_have_the_same_bytes_whenever_and_wherever_they_are_built(suffix, built):
    one, other = (hashlib.sha256(files[suffix].read_bytes()).hexdigest() for files in built)

    assert one == other


def test_the_wheel_holds_both_packages_typed_and_nothing_else(built):
    names = zipfile.ZipFile(built[0][".whl"]).namelist()

    assert {"camlite/py.typed", "camlite_export/py.typed"} <= set(names)
    assert {name.partition("/")[0] for name in names} == {
        "camlite",
        "camlite_export",
        f"camlite-{camlite.__version__}.dist-info",
    }
    for package, source in (("camlite", "runtime"), ("camlite_export", "export")):
        written = {path.relative_to(ROOT / source).as_posix() for path in (ROOT / source / package).rglob("*.py")}
        assert written == {name for name in names if name.startswith(f"{package}/") and name.endswith(".py")}


def linked() -> list[tuple[str, Path]]:
    """What is a link in the sources, or lies behind one: its name from the sources' root, and the file."""
    links = [path for name in ("runtime", "export", "docs") for path in (ROOT / name).rglob("*") if path.is_symlink()]
    found = []
    for link in links:
        name = link.relative_to(ROOT)
        behind = [Path()] if link.is_file() else [one.relative_to(link.resolve()) for one in link.resolve().rglob("*")]
        found += [((name / one).as_posix(), link / one) for one in sorted(behind) if (link / one).is_file()]
    return found


def test_what_is_a_link_in_the_sources_is_there_under_both_names(built):
    """hatchling takes along only one of a folder's two names, and a link is no file on Windows."""
    found = linked()
    assert {"export/camlite_export/to_c/runtime/camlite.c", "runtime/camlite/serve/explanation.schema.json"} <= {
        name for name, _ in found
    }
    wheel = zipfile.ZipFile(built[0][".whl"])
    with tarfile.open(built[0][".gz"]) as sources:
        root = f"camlite-{camlite.__version__}"
        for name, file in found:
            assert sources.extractfile(f"{root}/{name}").read() == file.read_bytes(), name
            assert sources.extractfile(f"{root}/{file.resolve().relative_to(ROOT).as_posix()}"), name
            folder, _, inside = name.partition("/")
            if folder != "docs":
                assert wheel.read(inside) == file.read_bytes(), name


def test_the_wheel_writes_web_sites(built, tmp_path):
    """What browsers run lies beside the package in the sources, and in it in the wheel."""
    zipfile.ZipFile(built[0][".whl"]).extractall(tmp_path / "installed")
    packages = npm_packages.node_modules(tmp_path / "node_modules")
    artifact = ROOT / "runtime" / "spec" / "vectors" / "stripes.float32.onnx"

    options = ["--output", tmp_path / "site", "--runtime", packages["onnxruntime-web"]]
    finished = subprocess.run(
        [sys.executable, "-m", "camlite", "to-web", artifact, *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
    )

    assert finished.returncode == 0, finished.stderr
    web = ROOT / "runtime" / "web"
    for name in ("camlite/camlite.js", "camlite/zip.js", "index.html", "app.js", "style.css"):
        source = web / name.removeprefix("camlite/") if name.startswith("camlite/") else web / "page" / name
        assert (tmp_path / "site" / name).read_bytes() == source.read_bytes()


def test_the_version_stands_in_one_place(built):
    archive = zipfile.ZipFile(built[0][".whl"])
    metadata = archive.read(f"camlite-{camlite.__version__}.dist-info/METADATA").decode()

    assert f"\nVersion: {camlite.__version__}\n" in metadata
    with tarfile.open(built[0][".gz"]) as sources:
        holders = [
            member.name
            for member in sources.getmembers()
            if member.name.endswith((".py", ".toml")) and "/tests/" not in member.name
            for line in sources.extractfile(member).read().decode().splitlines()
            if f'"{camlite.__version__}"' in line
        ]
    assert [Path(name).name for name in holders] == ["__init__.py"]


def versions(text: str) -> dict[str, str]:
    """Names as PyPI normalizes them, and versions."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\s]+)", text, re.M)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


@pytest.mark.endurance  # what a release must pass; between releases constraints.txt may be ahead
def test_what_uv_and_pip_install_for_development_is_the_same():
    tomllib = pytest.importorskip("tomllib")
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    locked = {one["name"]: one["version"] for one in packages if one["name"] != "camlite"}
    pinned = versions((ROOT / "constraints.txt").read_text())

    # pip keeps itself and what virtual environments begin with; the documentation has an extra of its own.
    assert {name: version for name, version in pinned.items() if locked.get(name, version) != version} == {}
    assert pinned.keys() - locked.keys() <= {"setuptools", "wheel", "backports-strenum", "tzdata", "namex"}


@pytest.mark.endurance
def test_the_bill_of_materials_names_this_version_and_all_that_is_pinned():
    finished = subprocess.run(["make", "sbom"], cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    bill = json.loads((ROOT / "dist" / "camlite.cdx.json").read_text())

    itself = bill["metadata"]["component"]
    assert (itself["name"], itself["version"], itself["type"]) == ("camlite", camlite.__version__, "library")
    named = {re.sub(r"[-_.]+", "-", part["name"]).lower(): part["version"] for part in bill["components"]}
    tomllib = pytest.importorskip("tomllib")
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["export"]
    pinned = versions((ROOT / "constraints.txt").read_text())
    for name in (re.match(r"[\w-]+", one)[0].replace("_", "-").lower() for one in wanted):
        assert named[name] == pinned[name]


def test_every_public_name_has_its_place_in_the_reference():
    reference = (ROOT / "docs" / "api.md").read_text()

    missing = [
        name for name in camlite.__all__ if f"::: camlite.{name}\n" not in reference and not name.endswith("Error")
    ]
    assert missing == []
    assert "::: camlite.errors\n" in reference


def test_every_public_function_and_class_has_a_docstring():
    """Those of one line as those of ten: the reference is made of nothing else."""
    for file in sorted([*(ROOT / "runtime").rglob("*.py"), *(ROOT / "export").rglob("*.py")]):
        tree = ast.parse(file.read_text())
        assert ast.get_docstring(tree), file
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{file}: {node.name}"


def test_every_file_that_tells_the_version_tells_this_one():
    """Where no tool takes it from the package: npm writes a candidate with a hyphen."""
    version = camlite.__version__
    npm = re.sub(r"(\d)(rc)(\d)", r"\1-\2.\3", version)

    assert json.loads((ROOT / "runtime" / "web" / "package.json").read_text())["version"] == npm
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text()
    assert f"\n## {version}\n" in (ROOT / "docs" / "release-notes.md").read_text()
