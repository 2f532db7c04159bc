"""No message says "1 pictures": a number and its noun are made by `camlite.texts.counted`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import camlite
import camlite_export
from camlite.texts import counted

PACKAGES = (Path(camlite.__file__).parent, Path(camlite_export.__file__).parent)
NOUNS = "artifacts|files|folders|images|labels|maps|others|pictures|samples|times"
PLURAL = re.compile(rf" (?:different |golden |other )?(?:{NOUNS})\b")
# What is in front of the noun in these is no number, or one above 1 that stands in the source text or is refused.
NO_NUMBERS = {"container", "artifact.container", "EWEST_IMAGES", "FEWEST_IMAGES", "' or '.join(_ARTIFACTS)"}
REFUSED_FOR_BEING_MORE_THAN_ONE = {"result.shape[0]", "sides[0]", "shape[0]"}
MOST_LOOKED_AT = {"len(every)"}  # of which only some were looked at, so they are many


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "picture", "0 pictures"),
        (1, "golden sample", "1 golden sample"),
        (1200, "image", "1,200 images"),
        (2, "class", "2 classes"),
        (1, "class", "1 class"),
        (2, "batch", "2 batches"),
    ],
)
def test_a_number_and_its_noun(number, noun, text):
    assert counted(number, noun) == text


def written_by_hand(source: str) -> Iterator[str]:
    """What stands in f-strings right in front of a plural."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for value, after in zip(node.values, node.values[1:], strict=False):
                plural = isinstance(after, ast.Constant) and PLURAL.match(str(after.value))
                if plural and isinstance(value, ast.FormattedValue):
                    yield ast.unparse(value.value)


def test_no_message_puts_a_number_in_front_of_a_plural_by_hand():
    allowed = NO_NUMBERS | REFUSED_FOR_BEING_MORE_THAN_ONE | MOST_LOOKED_AT
    for file in (file for package in PACKAGES for file in sorted(package.rglob("*.py"))):
        assert not [text for text in written_by_hand(file.read_text()) if text not in allowed], file


def test_no_page_does_either():
    templates = list(PACKAGES[1].rglob("templates/*.html"))
    assert templates
    for file in templates:
        found = re.findall(rf"(\w+) }}}} (?:different )?(?:{NOUNS})\b", file.read_text())
        assert not set(found) - {"least_images", "fewest"}, file  # constants


def test_the_search_finds_one():
    assert list(written_by_hand('f"{len(bad)} images" f"{a} of {b:,} golden samples"')) == ["len(bad)", "b"]
