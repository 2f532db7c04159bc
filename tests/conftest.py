"""Artifacts for all tests, exported once a run in one process of its own; and what several workers need to know."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from support import reference_classifier
from support.made_once import made_once
from support.room import Room

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
    parser.addoption("--quick", action="store_true", help="leave out the files that take longest")


# Those that take longest, which several workers begin with: no worker is left alone with one at the end.
LONGEST = (
    "export/cli/test_export.py",
    "parity/test_reference_classifier.py",
    "export/cli/test_last_net.py",
    "examples/tanks/test_main.py",
    "export/rightness/test_pixel_decision.py",
    "parity/test_command.py",
    "export/test_exporting.py",
    "examples/test_marked_fashion.py",
    "export/test_bad_verdicts.py",
    "export/rightness/test_pixel_matrix.py",
    "export/cutting/test_forward.py",
    "export/cutting/test_kinds.py",
)


# What `make test` leaves to `make test-all`: the files that take longest. Most open, convert or train many classifiers,
# some wait for servers, cameras and hostile clients. Of what they look at, others try one or two.
SLOW = (
    "devices/test_devices.py",
    "examples/tanks/test_main.py",
    "examples/test_in_python.py",
    "examples/test_marked_fashion.py",
    "export/agreement/test_expected.py",
    "export/agreement/test_fine_maps.py",
    "export/audit/test_audit_report.py",
    "export/audit/test_ray_audit.py",
    "export/cli/test_command_lines.py",
    "export/cli/test_last_net.py",
    "export/cli/test_pixels_and_labels.py",
    "export/cutting/test_active_bias.py",
    "export/cutting/test_forward.py",
    "export/cutting/test_guide.py",
    "export/cutting/test_kinds.py",
    "export/cutting/test_measured_places.py",
    "export/cutting/test_two_output.py",
    "export/faithfulness/test_faithful_report.py",
    "export/rightness/test_pixel_contradictions.py",
    "export/rightness/test_pixel_decision.py",
    "export/rightness/test_pixel_matrix.py",
    "export/sharpening/test_choosing.py",
    "export/sources/onnx/test_converted_networks.py",
    "export/sources/onnx/test_kinds.py",
    "export/sources/onnx/test_plain_maps.py",
    "export/sources/test_every_layer.py",
    "export/sources/test_keras2.py",
    "export/sources/test_keras_files.py",
    "export/sources/test_known_families.py",
    "export/sources/test_last_activation.py",
    "export/sources/test_opening_by_content.py",
    "export/sources/test_remedies.py",
    "export/sources/tflite/test_converted_networks.py",
    "export/sources/tflite/test_files_that_ship.py",
    "export/sources/tflite/test_kinds.py",
    "export/sources/tflite/test_refusals.py",
    "export/sources/untrusted/test_canaries.py",
    "export/sources/untrusted/test_model_file.py",
    "export/test_bad_items.py",
    "export/test_bad_verdicts.py",
    "export/test_exporting.py",
    "export/test_front_door.py",
    "export/test_moving_blobs.py",
    "export/test_onnx_that_ship.py",
    "parity/test_command.py",
    "parity/test_report.py",
    "parity/test_suite.py",
    "runtime/bench/test_benchmark.py",
    "runtime/cli/test_faithful.py",
    "runtime/cli/test_streams.py",
    "runtime/serve/test_budgets.py",
    "runtime/serve/test_live.py",
    "runtime/serve/test_malformed_requests.py",
    "runtime/serve/test_page_in_browser.py",
    "runtime/serve/test_serve.py",
    "runtime/test_endurance.py",
    "runtime/test_hostile.py",
    "runtime/watch/test_hostile_pictures.py",
    "runtime/watch/test_watch.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        slow = {(TESTS / name).resolve(strict=True) for name in SLOW}
        config.hook.pytest_deselected(items=[item for item in items if item.path in slow])
        items[:] = [item for item in items if item.path not in slow]
    if hasattr(config, "workerinput"):
        places = {TESTS / name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path, len(places)))


ROOM = pytest.StashKey[Room]()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        name = f"camlite-tests-{config.workerinput['testrunuid']}"
        config.stash[ROOM] = Room(Path(tempfile.gettempdir(), name))


def pytest_unconfigure(config: pytest.Config) -> None:
    if ROOM in config.stash:
        config.stash[ROOM].close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if ROOM not in item.config.stash:
        return (yield)
    with item.config.stash[ROOM].entered(alone=item.get_closest_marker("quiet") is not None):
        return (yield)


@pytest.fixture(scope="session")
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the artifacts ``NAME/NAME.PRECISION.FORMAT`` of the classifiers in tiny_classifiers.py."""
    ready: Path | None = request.config.getoption("--artifacts")
    if ready is not None:
        return ready.resolve()
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs TensorFlow, or --artifacts FOLDER")
    return made_once(tmp_path_factory, "tiny", _make_tiny)


def _make_tiny(folder: Path) -> None:
    script = TESTS / "support" / "tiny_classifiers.py"
    finished = subprocess.run(
        [sys.executable, script, folder],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert finished.returncode == 0, finished.stderr


@pytest.fixture(scope="session")
def reference_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the eight artifacts of the committed reference classifier, as `make export` makes them."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs TensorFlow")
    return made_once(tmp_path_factory, "reference", _make_reference)


def _make_reference(folder: Path) -> None:
    finished = reference_classifier.export(folder)
    assert finished.returncode == 0, finished.stderr
