"""camlite on the workstation: from a trained classifier to artifacts that explain themselves.

    import camlite_export

    exported = camlite_export.export("flowers.keras", labels="labels.txt", calibration="photos")
    exported  # in a notebook: a table, and a picture of heatmaps

The functions do what the commands ``camlite export``, ``inspect`` and ``parity`` do, with the same options. They import
TensorFlow when it is needed, so that importing this module is fast.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import takes longer than this module's
if TYPE_CHECKING:
    from camlite_export.front_door import export, inspect, parity

__all__ = ["export", "inspect", "parity"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("camlite_export.front_door"), name)
