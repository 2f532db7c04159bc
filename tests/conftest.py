"""Artifacts for all tests, exported once a session in one process of its own."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from support import reference_classifier

# No deadline: a busy machine is no bug. Derandomized: the same commit gives the same result. More examples, drawn
# at random, with --hypothesis-profile=thorough.
settings.register_profile("camlite", max_examples=30, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=1000, deadline=None)
# For tools/mutants.sh: that a test fails is all it asks, not how small an example can be.
settings.register_profile(
    "mutants", settings.get_profile("camlite"), phases=[phase for phase in Phase if phase is not Phase.shrink]
)
settings.load_profile("camlite")

# Scripts of tests/support run in processes of their own, and import each other.
TESTS = Path(__file__).parent
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(TESTS), str(TESTS.parent / "examples"), os.environ.get("PYTHONPATH")])
)

# A job in the background ignores Ctrl-C, and so would the commands that tests start to interrupt them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--artifacts",
        type=Path,
        metavar="FOLDER",
        help="what `python tests/support/tiny_classifiers.py FOLDER` has made, for a machine without TensorFlow",
    )


@pytest.fixture(scope="session")
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the artifacts ``NAME/NAME.PRECISION.FORMAT`` of the classifiers in tiny_classifiers.py."""
    ready: Path | None = request.config.getoption("--artifacts")
    if ready is not None:
        return ready.resolve()
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs TensorFlow, or --artifacts FOLDER")
    folder = tmp_path_factory.mktemp("tiny")
    script = TESTS / "support" / "tiny_classifiers.py"
    finished = subprocess.run(
        [sys.executable, script, folder],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert finished.returncode == 0, finished.stderr
    return folder


@pytest.fixture(scope="session")
def reference_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the eight artifacts of the committed reference classifier, as `make export` makes them."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs TensorFlow")
    folder = tmp_path_factory.mktemp("reference")
    finished = reference_classifier.export(folder)
    assert finished.returncode == 0, finished.stderr
    return folder
