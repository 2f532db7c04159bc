"""Counters and a histogram, in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

import contextlib
import os
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts requests; several threads may call it."""

    def __init__(self, **constants: str) -> None:
        self._constants = constants
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._classes: Counter[str] = Counter()
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._viewers = self._seen_live = 0

    def request(self, path: str, status: int) -> None:
        """Count an answer."""
        with self._lock:
            self._requests[path, str(status)] += 1

    def explained(self, label: str, seconds: float) -> None:
        """Count an image, its class, and how long decoding and explaining took."""
        with self._lock:
            self._classes[label] += 1
            self._buckets[bisect_left(BUCKETS, seconds)] += 1
            self._seconds += seconds

    def viewers(self, count: int) -> None:
        """How many look at the camera now."""
        with self._lock:
            self._viewers = count

    def seen_live(self) -> None:
        """Count a picture of the camera that was explained."""
        with self._lock:
            self._seen_live += 1

    def text(self) -> str:
        """The page for Prometheus."""
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("camlite_info", "gauge", "The artifact that is served.")
        yield f"camlite_info{_labels(self._constants)} 1"
        yield from _head("camlite_requests_total", "counter", "Answers by path and status.")
        for (path, status), count in sorted(self._requests.items()):
            yield f"camlite_requests_total{_labels({'path': path, 'status': status})} {count}"
        yield from _head("camlite_images_total", "counter", "Explained images by their class.")
        for label, count in sorted(self._classes.items()):
            yield f"camlite_images_total{_labels({'label': label})} {count}"
        yield from _head("camlite_live_viewers", "gauge", "Who looks at the camera.")
        yield f"camlite_live_viewers {self._viewers}"
        yield from _head("camlite_live_pictures_total", "counter", "Pictures of the camera that were explained.")
        yield f"camlite_live_pictures_total {self._seen_live}"
        yield from _head("camlite_explain_seconds", "histogram", "Decoding and explaining one image.")
        total = 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self._buckets, strict=True):
            total += count
            yield f"camlite_explain_seconds_bucket{_labels({'le': bound})} {total}"
        yield f"camlite_explain_seconds_sum {self._seconds:.6f}"
        yield f"camlite_explain_seconds_count {total}"
        with contextlib.suppress(OSError):  # not Linux
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            yield from _head("process_resident_memory_bytes", "gauge", "Resident memory.")
            yield f"process_resident_memory_bytes {pages * os.sysconf('SC_PAGE_SIZE')}"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
