"""What is read of camlite's own metadata, and how versions compare."""

from __future__ import annotations

import importlib.metadata

import pytest

from camlite.doctor import requirements
from camlite.doctor.packages import PACKAGES

LINES = [
    "numpy>=1.24",
    "tornado>=6.5.3; extra == 'serve'",
    'tflite-runtime>=2.14; python_version < "3.12" and extra == "tflite"',
    "camlite[image]; extra == 'serve'",
    "keras<4,>=3.15; extra == 'export'",
    "onnxruntime>=1.16; extra == 'onnx'",
    "onnxruntime>=1.20; extra == 'export'",
    "Pillow (>=9.4) ; extra == 'image'",
    "ray[data]>=2.40; extra == 'ray'",
]


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: LINES)


@pytest.mark.usefixtures("metadata")
def test_names_extras_and_lower_bounds_are_read():
    assert [tuple(one) for one in requirements.of_camlite()] == [
        ("numpy", "", "1.24"),
        ("tornado", "serve", "6.5.3"),
        ("tflite-runtime", "tflite", "2.14"),
        ("keras", "export", "3.15"),
        ("onnxruntime", "onnx", "1.16"),
        ("onnxruntime", "export", "1.20"),
        ("Pillow", "image", "9.4"),
        ("ray", "ray", "2.40"),
    ]


@pytest.mark.usefixtures("metadata")
def test_a_device_needs_no_more_than_its_own_extras_ask_for():
    assert requirements.least_version("onnxruntime") == "1.16"
    assert requirements.least_version("pillow") == "9.4"
    assert requirements.least_version("opencv-python") == ""


def test_where_camlite_is_not_installed_nothing_is_known(monkeypatch: pytest.MonkeyPatch):
    def missing(_: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "requires", missing)

    assert requirements.of_extra("export") == []


@pytest.mark.parametrize(
    ("installed", "least", "older"),
    [
        ("6.4.1", "6.5", True),
        ("6.10", "6.5.3", False),
        ("6.5.0", "6.5", False),
        ("6.5", "6.5.0", False),
        ("2.0.0rc1", "1.24", False),
        ("", "1", True),
    ],
)
def test_versions_compare_by_their_numbers(installed, least, older):
    assert requirements.is_older(installed, least) is older


def test_each_package_has_the_extra_that_the_project_declares():
    declared = {(one.name, one.extra) for one in requirements.of_camlite()}
    if not declared:
        pytest.skip("the package is not installed")

    assert {(package.name, package.extra) for package in PACKAGES} <= declared
