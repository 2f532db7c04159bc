"""``camlite serve`` with an artifact that has a guide: what is answered, and what it may cost."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace

import numpy as np
import pytest

from camlite import ImageError, artifact
from camlite.class_choice import Choice
from camlite.images import picture_files
from camlite.serve import explain_request
from camlite.serve.limits import Limits
from camlite.show.drawing import Drawing
from support.guided_artifacts import ALL, STRIPED, TOP
from support.http_load import served

pytest.importorskip("PIL.Image")


@pytest.mark.parametrize(("side", "most"), [(8, 96), (40, 1600)])
def test_the_rows_of_a_map_count_as_drawn_where_it_is_larger_than_its_heatmap(side, most):
    """The input has 8 x 12 pixels."""
    read = artifact.read(ALL)
    guide = read.arrays.guide._replace(height=side, width=side)
    maps = read.arrays.maps._replace(guide=guide)
    explainer = SimpleNamespace(labels=read.card.labels, artifact=read._replace(arrays=read.arrays._replace(maps=maps)))
    asked = explain_request.Asked(Choice(("0", "1")), Drawing(), picture=False)
    size = picture_files.Size(8, 12, 1000)

    for drawn, fits in ((2 * most, True), (2 * most - 1, False)):
        with contextlib.nullcontext() if fits else pytest.raises(ImageError, match=f"2 maps of {most} pixels"):
            explain_request._memory(explainer, asked, size, Limits(drawn=drawn))


def test_what_is_answered_is_of_the_finest_map(tmp_path):
    """The page draws these rows over this grid."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tornado")
    content = picture_files.encode(STRIPED)

    with served(TOP, tmp_path / "log") as server:
        bodies = [
            server.request(f"/explain{query}", content, Content_Type="image/png") for query in ("", "?class=plain")
        ]

    answers = [json.loads(body) for _, _, body in bodies]
    assert [one["map"] for one in answers] == ["fine", "plain"]
    assert [np.shape(one["explained"][0]["evidence"]) for one in answers] == [(8, 12), (2, 4)]
    assert answers[0]["grid"] != answers[1]["grid"]
