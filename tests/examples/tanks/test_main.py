"""``make tanks`` on a quarter of its pictures: every step, whatever the classifiers have learned from so few."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from camlite import artifact
from camlite.images import picture_files
from camlite_export import workarounds
from tanks import __main__ as tanks
from tanks import legend, side_by_side
from tanks.scenes import LABELS


@pytest.mark.endurance
def test_the_legend_is_rebuilt_audited_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module, name, fewer in [
        (legend, "TRAINING", 250),
        (legend, "VALIDATION", 60),
        (legend, "FIELD", 240),
        (side_by_side, "FIELD", 240),
    ]:
        monkeypatch.setattr(module, name, fewer)
    # It is for a command's own process: what it sets would be inherited by all processes that are started from here on.
    monkeypatch.setattr(workarounds, "quieten_tensorflow", lambda: None)
    monkeypatch.setattr(sys, "argv", ["tanks", "--output", str(tmp_path), "--picture", str(tmp_path / "tanks.png")])

    status = tanks.main()

    records = json.loads((tmp_path / "tanks.json").read_text())
    assert [(one["name"], one["precision"]) for one in records] == [
        (name, precision) for name in legend.NAMES for precision in legend.PRECISIONS
    ]
    for one in records:
        assert artifact.read(Path(one["artifact"])).card.labels == LABELS
        assert {verdict["label"] for verdict in one["verdicts"]} == set(LABELS)
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 1 + len(records)
    assert status == (0 if all(line.endswith("ok") for line in table[1:]) else 1)
    assert picture_files.read_image(tmp_path / "tanks.png").shape[1] == 1000
