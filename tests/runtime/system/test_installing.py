"""What an error says about installing an extra is a line that works where it is printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import tomllib

from camlite.system import installing
from camlite.system.installing import how_to_install
from support.fresh_process import one_line, run_camlite

BROKEN = "libGL.so.1: cannot open shared object file: No such file or directory"
ROOT = Path(__file__).parents[3]


def installed_from(monkeypatch, written):
    class Distribution:
        @staticmethod
        def read_text(name):
            assert name == "direct_url.json"
            return written and json.dumps(written)

    monkeypatch.setattr(metadata, "distribution", lambda _: Distribution)


def test_a_clone_that_was_installed_is_installed_again(monkeypatch, tmp_path):
    clone = tmp_path / "my clone"
    clone.mkdir()
    for editable, option in ((True, "--editable "), (False, "")):
        installed_from(monkeypatch, {"url": clone.as_uri(), "dir_info": {"editable": editable}})

        assert how_to_install("litert", "image") == f"pip install {option}'{clone}[litert,image]'"


def test_a_wheel_is_named_and_its_folder_only_while_it_is_there(monkeypatch, tmp_path):
    wheel = tmp_path / "camlite-1.0-py3-none-any.whl"
    wheel.touch()
    installed_from(monkeypatch, {"url": wheel.as_uri(), "archive_info": {}})
    assert how_to_install("audit") == f"pip install '{wheel}[audit]'"

    wheel.unlink()
    assert how_to_install("audit") == f"pip install '{wheel.name}[audit]' in the folder where that file is"


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (None, "pip install 'camlite[sign]'"),
        ({"url": "https://host/c.whl", "archive_info": {}}, "pip install 'camlite[sign] @ https://host/c.whl'"),
        ({"url": "https://host/c", "vcs_info": {"vcs": "git"}}, "pip install 'camlite[sign] @ git+https://host/c'"),
    ],
    ids=["index", "address", "repository"],
)
def test_what_came_from_elsewhere_comes_from_there_again(monkeypatch, written, line):
    installed_from(monkeypatch, written)

    assert how_to_install("sign") == line


def test_a_clone_that_is_run_without_being_installed_is_installed(monkeypatch):
    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", nothing)

    assert how_to_install("serve") == f"pip install --editable '{ROOT}[serve]'"
    monkeypatch.setattr(installing, "_CLONE", Path("/nowhere"))
    assert how_to_install("serve") == "pip install 'camlite[serve]'"


def test_every_extra_that_the_code_names_is_one():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    sources = [path.read_text() for folder in ("runtime", "export") for path in (ROOT / folder).rglob("*.py")]
    call = re.compile(r"""(?:how_to_install\(|remedy\(error, ['"]\w+['"], )['"]([a-z]+)['"]""")
    named = {extra for source in sources for extra in call.findall(source)}

    assert len(named) >= 4
    assert named <= set(extras)
    assert not any("pip install 'camlite[" in source for source in sources), "how_to_install knows where from"


@pytest.mark.parametrize(
    ("extra", "version", "needs"),
    [
        ("export", (3, 10, 13), ", on Python 3.11 or newer"),
        ("export", (3, 11, 0), ""),
        ("tflite", (3, 11, 9), ""),
        ("tflite", (3, 12, 1), ", on Python 3.11 or older"),
        ("litert", (3, 13, 0), ""),
    ],
)
def test_an_extra_that_this_python_cannot_have_names_the_one_that_can(extra, version, needs, monkeypatch):
    monkeypatch.setattr(sys, "version_info", version)

    assert how_to_install(extra).endswith(f"[{extra}]'{needs}")


def test_it_costs_nothing_until_it_is_asked():
    source = "import sys, camlite.system.installing; print({'importlib.metadata', 'shlex', 'json'} & set(sys.modules))"

    without_site_packages = [sys.executable, "-S", "-c", source]
    finished = subprocess.run(
        without_site_packages, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "runtime")}
    )
    assert finished.stdout == "set()\n", finished.stderr


@pytest.mark.parametrize("missing", ["cv2", "cv2.gapi"])
def test_a_package_that_is_not_there_is_installed(missing):
    error = ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    assert installing.remedy(error, "cv2", "camera") == how_to_install("camera")


@pytest.mark.parametrize(
    "error", [ImportError(BROKEN), ModuleNotFoundError("No module named 'numpy.x'", name="numpy.x")]
)
def test_a_package_that_is_there_and_does_not_work_is_not_called_missing(error):
    expected = f"it is installed, but cannot be imported ({error}); run `camlite doctor`"

    assert installing.remedy(error, "cv2", "camera") == expected


@pytest.mark.parametrize("package", ["cv2", "tornado"])
def test_a_command_says_what_is_broken(package, tmp_path):
    (tmp_path / f"{package}.py").write_text(f"raise ImportError({BROKEN!r})")
    front = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    artifact = ROOT / "runtime" / "spec" / "vectors" / "stripes.int8.tflite"

    said = one_line(run_camlite("serve", artifact, "--camera", "0", env={"PYTHONPATH": front}))

    assert f"cannot be imported ({BROKEN}); run `camlite doctor`" in said
