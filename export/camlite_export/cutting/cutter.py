"""Cut a classifier of any source: which cutter knows which source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camlite_export import stages
from camlite_export.cutting import file_cut, two_output
from camlite_export.sources.file_source import FileSource
from camlite_export.sources.keras3 import Keras3Source

if TYPE_CHECKING:
    from camlite.artifact.evidence_methods import EvidenceMethod
    from camlite_export.cutting.cut import Cut
    from camlite_export.sources.source import Source


def cut(source: Source, layer: int | str | None = None, evidence_method: EvidenceMethod | None = None) -> Cut:
    """Cut a classifier at its last feature map, or behind a layer that is named.

    Args:
        source: any of `camlite_export.sources`.
        layer: index (negative ones count from the end) or name of a layer; by default the last that gives a feature
            map and through which every path to the scores goes.
        evidence_method: how evidence is to be made, where the head allows it; else the default of such heads.

    Raises:
        ClassifierError: the classifier has no feature map, the layer is unknown, or the scores do not follow from
            its output alone.
    """
    stages.begin("looking for the last feature map" if layer is None else f"cutting behind {layer}")
    if isinstance(source, Keras3Source):  # and those of Keras 2, which are rebuilt
        return two_output.cut(source, layer, evidence_method=evidence_method)
    if isinstance(source, FileSource):
        return file_cut.cut(source, layer, evidence_method)
    raise TypeError(f"{source.name}: nobody here cuts a {type(source).__name__}")
