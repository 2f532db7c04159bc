"""The code blocks of README and the docs, and the lines in them that a reader types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# What the reader sees, and what the reader runs.
TYPED = ("python", "sh")
SHOWN = ("c", "html", "ini", "js", "text", "yaml")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the number of its first line, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Of a shell: each line, with those that a backslash continues it in, without its comment."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        return [line for line in (re.sub(r"\s+#.*", "", line).strip() for line in joined.splitlines()) if line]

    @property
    def lines(self) -> list[str]:
        """What counts as a line: a command of a shell, or a line of Python that is no comment."""
        if self.language == "sh":
            return self.commands
        return [line for line in self.text.splitlines() if line.strip() and not line.strip().startswith("#")]

    @property
    def file(self) -> str | None:
        """The file in which the reader is to save it, which its first line names: ``# test_parity.py``."""
        found = re.match(r"# (\S+\.\w+)\n", self.text)
        return found[1] if found else None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README, CONTRIBUTING and every page of the docs that people write."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted(DOCS.glob("*.md")),
        *sorted(DOCS.glob("tutorials/*.md")),
    ]


def blocks_of(path: Path, root: Path = ROOT) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    found, name = [], path.relative_to(root).as_posix()
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text[: match.start()].count("\n") + 2
        found.append(Block(name, line, match[1], match[2]))
    return found


def unfenced(path: Path) -> list[str]:
    """Lines of code that are only indented, which have no language and no button to copy them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"(?<=\n\n) {4}\S.*", text)
