"""What stands in a page."""

from __future__ import annotations

import html.parser
import re


class Tags(html.parser.HTMLParser):
    """Every start tag of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def fetched(page: str) -> list[str]:
    """What a browser would fetch to show the page: tags, addresses, and styles that do."""
    found = [tag for tag, _ in Tags(page).found if tag in ("link", "script", "iframe", "object", "embed")]
    for _, attributes in Tags(page).found:
        values = [attributes.get(name) for name in ("src", "href", "srcset")]
        found += [value[:80] for value in values if value is not None and not value.startswith("data:image/")]
    styles = " ".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    return found + [word for word in ("url(", "@import") if word in styles]


def pictures(page: str) -> list[dict[str, str | None]]:
    """Attributes of every picture."""
    return [attributes for tag, attributes in Tags(page).found if tag == "img"]
