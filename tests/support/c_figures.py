"""The tables of docs/microcontrollers.md: ``python -m support.c_figures ARTIFACT`` (see `make figures-c`)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from camlite import artifact as artifacts
from camlite import backends
from support import c_cases, c_network, c_programs, fresh_process

LEVEL = "-Os"
_BESIDE_THE_NETWORK = "m4f"  # CMSIS-NN has its fast kernels for it
NAMES = {"m3": "Cortex-M3", "m4f": "Cortex-M4F", "m7": "Cortex-M7"}
CALLS = ("top", "evidence", "completeness", "heatmap")
BESIDE = ("camlite_check", "camlite_contrast")  # what the first column of code does without


def table(path: Path, folder: Path) -> list[str]:
    """Measure an artifact's code and its first golden sample on every board; lines of Markdown."""
    backend = backends.installed("tflite")[0]
    with fresh_process.fresh_process() as process:
        cases = process.submit(c_cases.golden, path, backend).result()
    defined = c_cases.write(folder, artifacts.read(path), cases)
    lines = [f"| board | code | and check, contrast | stack | and check | {' | '.join(CALLS)} |", "|---|" + "--:|" * 8]
    for board, name in NAMES.items():
        code = c_programs.code(folder / "camlite.c", board, LEVEL)
        sources = c_cases.sources(folder, defined, "cost.c")
        program = c_programs.for_board(folder / "cost", sources, board, LEVEL, *c_cases.options(defined))
        costs = c_programs.costs(program, board)
        numbers = [
            sum(size for function, size in code.items() if function not in BESIDE),
            sum(code.values()),
            max(costs[call].stack for call in CALLS),
            costs["check"].stack,
            *(costs[call].instructions for call in CALLS),
        ]
        lines.append(f"| {name} | {' | '.join(f'{number:,}' for number in numbers)} |")
        if board == _BESIDE_THE_NETWORK:
            explaining = {call: costs[call].instructions for call in CALLS}
    return [*lines, "", _beside_the_network(path, folder, explaining)]


def _beside_the_network(path: Path, folder: Path, explaining: dict[str, int]) -> str:
    try:
        network = c_network.instructions(artifacts.read(path), folder, _BESIDE_THE_NETWORK)
    except ImportError as error:
        return f"Beside the network: not measured ({error}): `make figures-c` installs it"
    return f"Beside the network on CMSIS-NN, {NAMES[_BESIDE_THE_NETWORK]}: {c_network.share(explaining, network)}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        print("\n".join(table(Path(sys.argv[1]), Path(scratch))))
