"""Ray Data, for audits and comparisons of more images than one machine answers.

Batches go out as pairs of numbers and come back as bytes: a worker opens artifact and images by their paths, which
every node must be able to read. What a batch gives depends on nothing but the batch, and results are put in order by
their first image: so the figures are those of one machine, to the bit.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import CamliteError
from camlite_export import workarounds

# Of the local cluster that is started where none is named: figures are small.
_OBJECT_STORE_BYTES = 128 << 20

Work = Callable[[int, int], bytes]


class _Worker:
    """Lives on a node as long as there are batches, and has its interpreter open."""

    def __init__(self, open_work: Callable[[], Work]) -> None:
        self._work = open_work()

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        answers = list(map(self._answer, batch["start"].tolist(), batch["stop"].tolist()))
        contents, errors = zip(*answers, strict=True)
        return {"content": np.array(contents, object), "error": np.array(errors, object)}

    def _answer(self, start: int, stop: int) -> tuple[bytes, str]:
        """Content, or an error; not raised here: Ray would take it for an accident, try again, and tell at length."""
        try:
            return self._work(start, stop), ""
        except CamliteError as error:
            return b"", str(error)


def spread(open_work: Callable[[], Work], batches: list[range]) -> Iterator[bytes]:
    """Work on batches, each on some node; results come as they are finished.

    Args:
        open_work: gives, on the node, a function from first and last index (not included) to bytes; can be pickled.
        batches: the ranges of indices.

    Raises:
        CamliteError: what a worker raises; or a worker has died.
    """
    if not batches:
        return
    _start()
    import ray

    rows = ray.data.from_items(
        [{"start": batch.start, "stop": batch.stop} for batch in batches], override_num_blocks=len(batches)
    )
    workers = max(1, min(len(batches), int(ray.cluster_resources().get("CPU", 1))))
    found = rows.map_batches(
        _Worker,
        fn_constructor_args=(open_work,),
        batch_size=1,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers),
    )
    try:
        for row in found.iter_rows():
            if row["error"]:
                raise CamliteError(row["error"])
            yield row["content"]
    except ray.exceptions.RayError as error:
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise CamliteError(f"ray: {last[:300]}; --engine local does without it") from None


def _start() -> None:
    """Join the cluster of ``RAY_ADDRESS``, or start one on this machine; nothing is reported to Ray's makers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with workarounds.silent_native_code():  # it announces that level
        _join()


def _join() -> None:
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    for handler in (*logging.getLogger("ray").handlers, *logging.getLogger("ray.data").handlers):
        handler.setLevel(logging.ERROR)
    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if "RAY_ADDRESS" in os.environ:
        ray.init(**quiet)
    else:
        ray.init(include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, **quiet)
