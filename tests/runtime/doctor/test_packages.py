"""A package is missing, works, is too old, or is broken: each tried by a module that really is so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from camlite.doctor import packages, requirements
from camlite.doctor.packages import Package

NUMPYS_ADVICE = '''
raise ImportError("""

IMPORTANT: PLEASE READ THIS FOR ADVICE ON HOW TO SOLVE THIS ISSUE!

Original error was: libopenblas.so.0: cannot open shared object file

""")
'''
BROKEN = {
    "raise ImportError('libGL.so.1: cannot open shared object file')": "ImportError: libGL.so.1: cannot open shared",
    NUMPYS_ADVICE: "libopenblas.so.0: cannot open shared object file",
    "import os, signal; os.kill(os.getpid(), signal.SIGILL)": "its import crashes with SIGILL",
    "raise SystemExit(3)": "it ends without a word",
    "raise RuntimeError('\\x1b[31mred')": r"RuntimeError: \x1b[31mred",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def found(folder: Path, source: str) -> packages.Found:
    name = f"made_up_{abs(hash(source))}"
    (folder / f"{name}.py").write_text(source)
    return packages.find(Package("made-up", name, "tests", "image"))


def test_what_is_not_there_is_missing():
    assert packages.find(Package("made-up", "made_up_missing", "tests", "image")).state == "missing"


def test_what_can_be_imported_works_and_tells_its_version(folder):
    one = found(folder, "__version__ = '4.5'; print('noise of its own')")

    assert (one.state, one.version) == ("ok", "4.5")
    assert not [name for name in sys.modules if name.startswith("made_up")]


@pytest.mark.parametrize("source", BROKEN)
def test_what_cannot_be_imported_is_broken_and_says_why_in_one_line(source, folder):
    one = found(folder, source)

    assert one.state == "broken"
    assert BROKEN[source] in one.reason
    assert one.reason.isprintable()


def test_what_is_older_than_camlite_needs_says_which_it_needs(folder, monkeypatch):
    monkeypatch.setattr(requirements, "least_version", lambda _: "4.6")

    one = found(folder, "__version__ = '4.5.5'")

    assert (one.state, one.reason) == ("too old", "expected 4.6 or newer")
