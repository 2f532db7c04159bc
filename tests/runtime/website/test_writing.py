"""A web site is written whole or not at all."""

from __future__ import annotations

import pytest

from camlite.errors import CamliteError
from camlite.website import writing
from support.small_disk import fill, small_disk


def test_a_full_disk_is_left_as_it_was(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        with pytest.raises(CamliteError, match=r"new/site: No space left on device; choose another"):
            writing.write(disk / "new" / "site", {"page.json": b"{}", "a/b.js": bytes(1_000_000)})
        assert [path.name for path in disk.iterdir()] == ["filler"]


def test_a_site_that_cannot_be_replaced_stays(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        writing.write(disk / "site", {"page.json": b'{"artifacts": []}'})
        fill(disk)
        with pytest.raises(CamliteError, match="No space left"):
            writing.write(disk / "site", {"page.json": b'{"artifacts": []}', "b.js": bytes(1_000_000)})
        assert sorted(path.name for path in disk.rglob("*")) == ["filler", "page.json", "site"]
