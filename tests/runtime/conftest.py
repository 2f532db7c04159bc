"""What several of the runtime's tests need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from camlite import ArtifactError, artifact, backends
from support import fresh_process
from support.fresh_process import BACKENDS
from support.million_explanations import PRECISIONS, Run, Subject


@pytest.fixture(scope="module")
def refusal(tmp_path_factory) -> Callable[..., str]:
    """Give the line that a file of this content is refused with."""
    path = tmp_path_factory.mktemp("damaged") / "artifact"

    def refuse(content: bytes, trusted: Sequence[Path] | None = None) -> str:
        path.unlink(
            missing_ok=True
        )  # ext4 flushes a file that is truncated and written again, which takes 100 times as long
        path.write_bytes(content)
        with pytest.raises(ArtifactError) as raised:
            artifact.read(path, trusted)
        message = str(raised.value)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        return message

    return refuse


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each installed backend in turn."""
    if request.param not in backends.installed(BACKENDS[request.param]):
        pytest.skip(f"{request.param} is not installed")
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def run() -> Iterator[Run]:
    """Call a function of `fresh_process` in the process of a backend, which is started where it is first needed."""
    with ExitStack() as stack:
        processes = {}

        def call(backend: str, function: Callable, *arguments: Any, **options: Any) -> Any:
            if backend not in processes:
                processes[backend] = stack.enter_context(fresh_process.fresh_process())
            return processes[backend].submit(function, *arguments, **options).result()

        yield call


def subjects(name: str, only: tuple[str, ...] | None = None) -> Any:
    """A fixture: a classifier's artifacts on the backends that run them."""
    kinds = [
        (backend, precision) for backend, container in BACKENDS.items() for precision in only or PRECISIONS[container]
    ]

    @pytest.fixture(name=name, params=kinds, ids="-".join)
    def fixture(request: pytest.FixtureRequest, tiny: Path, run: Run) -> Subject:
        backend, precision = request.param
        if backend not in backends.installed(BACKENDS[backend]):
            pytest.skip(f"{backend} is not installed")
        return Subject(tiny / name / f"{name}.{precision}.{BACKENDS[backend]}", backend, precision, run)

    return fixture


stripes = subjects("stripes")
colours = subjects("colours", ("float32", "int8"))
graph = subjects("graph", ("float32", "int8"))
hidden = subjects("hidden", ("float32",))
