"""Small model files, whole and damaged.

``python -m support.damaged_keras FIRST COUNT SECONDS FOLDER`` reads so many damaged ones, each in a fork with limits on
time and memory, and prints how each ended: JSON, a list of seeds for each end. Those that were read are kept in
the folder.
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import signal
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

_LAYERS = [
    {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 3], "name": "image"}},
    {"module": "keras.layers", "class_name": "Conv2D", "config": {"name": "conv", "filters": 2, "kernel_size": [3, 3]}},
    {"module": "keras.layers", "class_name": "GlobalAveragePooling2D", "config": {"name": "pool"}},
    {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": "dense", "units": 3, "activation": "softmax", "kernel_regularizer": None},
    },
]
STRUCTURE = {"module": "keras", "class_name": "Sequential", "config": {"name": "model", "layers": _LAYERS}}
_WEIGHTS = {"conv": [(3, 3, 3, 2), (2,)], "dense": [(2, 3), (3,)]}


def write_h5(path: Path, structure: Any = STRUCTURE, version: str = "3.15.1") -> Path:
    """As Keras lays an ``.h5`` out."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(structure), version
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in _WEIGHTS]
        for name, shapes in _WEIGHTS.items():
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}/{index}".encode() for index in range(len(shapes))]
            for index, shape in enumerate(shapes):
                layer[f"{name}/{index}"] = np.full(shape, 0.1, np.float32)
    return path


def write_keras(
    path: Path, weights: bytes | None = None, method: int = zipfile.ZIP_STORED, structure: Any = STRUCTURE
) -> Path:
    """As Keras lays a ``.keras`` out."""
    if weights is None:
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            for name, kind in (("conv", "conv2d"), ("dense", "dense")):
                for index, shape in enumerate(_WEIGHTS[name]):
                    file[f"layers/{kind}/vars/{index}"] = np.full(shape, 0.1, np.float32)
        weights = content.getvalue()
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(structure))
        archive.writestr("model.weights.h5", weights)
    return path


def damage(content: bytes, seed: int) -> bytes:
    """Flipped, replaced, lost or doubled bytes, most of them near the beginning, where the structure is."""
    draw = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(draw.choice([1, 3, 10, 40])):
        at = draw.randrange(min(len(damaged), draw.choice([2000, len(damaged)])))
        kind = draw.randrange(5)
        if kind == 0:
            damaged[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            damaged[at] = draw.choice([0, 255, 127, 128, 1])
        elif kind == 2:
            damaged[at : at + 8] = draw.choice([b"\xff" * 8, bytes(8), draw.randbytes(8)])
        elif kind == 3:
            start = draw.randrange(len(damaged))
            damaged[at : at + 16] = damaged[start : start + 16]
        else:
            del damaged[at : at + draw.choice([1, 8, 300])]
    return bytes(damaged)


ODD = [None, True, -1, 0, 3.5, 1 << 40, float("nan"), "", "x", "relu", "../../x", "\x1b[2J", [], {}, [[[]]], 10**400]


def damage_structure(structure: Any, seed: int) -> Any:
    """One to four of its values replaced by odd ones, or their names."""
    draw = random.Random(seed)
    changed = json.loads(json.dumps(structure))
    for _ in range(draw.choice([1, 1, 2, 4])):
        places = list(_places(changed))
        holder, key = draw.choice(places)
        if isinstance(holder, dict) and draw.random() < 0.2:
            holder[draw.choice(["x", "function", "layers", "units", "activation", "mean"])] = holder.pop(key)
        else:
            holder[key] = draw.choice([*ODD, draw.choice(places)[0]])
            changed = json.loads(json.dumps(changed)) if holder is not changed else changed
    return changed


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)


def main(first: int, count: int, seconds: int, folder: Path) -> None:
    """See the module."""
    from camlite.errors import CamliteError
    from camlite_export.sources.untrusted import rehearsal

    whole = {suffix: write(folder / f"whole{suffix}").read_bytes() for suffix, write in
             ((".h5", write_h5), (".keras", write_keras))}  # fmt: skip
    ends: dict[str, list[int]] = {}
    for seed in range(first, first + count):
        suffix = (".h5", ".keras")[seed % 2]
        path = folder / f"{seed}{suffix}"
        path.write_bytes(damage(whole[suffix], seed))
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            signal.signal(signal.SIGXCPU, signal.SIG_DFL)
            try:
                rehearsal.read_all(path)
            except CamliteError as error:
                os._exit(4 if "\n" in str(error) else 3)
            except BaseException:
                os._exit(5)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        end = {0: "read", 3: "refused", 4: "several lines", 5: "another exception"}.get(code, f"killed by {-code}")
        ends.setdefault(end, []).append(seed)
        if code:
            path.unlink()
    print(json.dumps(ends))


if __name__ == "__main__":
    began = time.monotonic()
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
