"""Give mutated models to a real interpreter, each in a forked process that may die of it.

``python tests/interpreters_alive.py BACKEND COUNT SEED PATH...`` prints one JSON object: how often each
[verdict of the structure's verification, end of the process].
"""

from __future__ import annotations

import collections
import functools
import importlib
import json
import os
import random
import signal
import sys
from pathlib import Path

from camlite import backends
from support import model_numbers, mutants

_LONGEST = 2  # seconds of the processor; a mutant may hold a loop without an end
# Where a flatbuffer of these classifiers has its tables: weights, whose bits all are sound, lie in front of them.
_STRUCTURE = 12_000


def end_of(model: bytes, backend: str) -> str:
    """How a process ends that opens and runs a model."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, _LONGEST)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            module = importlib.import_module(f"camlite.backends.{backend.replace('-', '_')}_backend")
            interpreter = module.open_model(model, 1)
            interpreter.invoke()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return "runs" if os.WEXITSTATUS(status) == 0 else "exception"


def mutant(one: mutants.Parent, other: mutants.Parent, chance: random.Random) -> bytes:
    """A model with other numbers in its tables or graph, with harm anywhere, or with flipped bits in its structure."""
    if chance.random() < 0.5:
        if one.container == "onnx":
            from support import onnx_numbers  # here, as it needs onnx, which devices do not have

            return onnx_numbers.changed(one.model, chance)
        return model_numbers.changed(one.model, _numbers(one.model), chance)
    bare, bare_other = (mutants.Parent(each.model, each.container, each.model, {}) for each in (one, other))
    if chance.random() < 0.5:
        start = max(0, len(one.model) - _STRUCTURE)
        return one.model[:start] + mutants.flip(one.model[start:], chance)
    harm = chance.choice([mutants.flipped_bits, mutants.truncated, mutants.zeroed, mutants.shortened, mutants.spliced])
    return harm(bare, bare_other, chance)


_numbers = functools.cache(model_numbers.numbers)


def main(backend: str, count: int, seed: int, paths: list[Path]) -> None:
    """Count what becomes of so many mutants."""
    parents = [mutants.parent(path) for path in paths]
    importlib.import_module(
        {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}.get(
            backend, backend
        )
    )
    ends: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for index in range(count):
        chance = random.Random(seed * 1_000_003 + index)
        one, other = chance.sample(parents, 2)
        model = mutant(one, other, chance)
        try:
            backends.verify(one.container, model)
            verdict = "sound"
        except ValueError:
            verdict = "refused"
        ends[verdict][end_of(model, backend)] += 1
    print(json.dumps(ends))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [Path(argument) for argument in sys.argv[4:]])
