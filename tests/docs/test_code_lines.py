"""Every line that a reader would type, from README, the docs and the tutorials, is run.

Each page has a folder of its own with the files that it speaks of, and its lines are run there in their order. Lines
that take longer than seconds run with the marker `endurance`; until then a stand-in has the place of what they make.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from camlite import cli
from camlite.images import picture_files
from docs import page_models
from docs.page_runner import BACKGROUND, NOT_RUN, SLOW, Runner, matching
from docs.page_world import fill
from support.code_blocks import DOCS, SHOWN, TYPED, Block, blocks_of, pages, unfenced
from support.made_once import made_once

PAGES = pages()
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
TYPED_BLOCKS = [block for block in BLOCKS if block.language in TYPED]
COMMANDS = [(block.page, command) for block in BLOCKS if block.language == "sh" for command in block.commands]
FIRST = DOCS / "tutorials" / "keras.md"
RUN_PAGES = [page for page in PAGES if any(block.language in TYPED for block in blocks_of(page))]


def name(page: Path) -> str:
    return page.stem


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_says_what_it_is(page):
    assert unfenced(page) == [], "use ```sh, ```python or ```text"
    assert {block.language for block in blocks_of(page)} <= {*TYPED, *SHOWN}


@pytest.mark.parametrize("command", sorted({line for _, line in COMMANDS if re.match(r"(\S+/)?camlite ", line)}))
def test_a_command_of_camlite_is_understood(command):
    _, *arguments = shlex.split(command.partition(" > ")[0])

    if arguments != ["--version"]:
        assert cli._parse(arguments).run


@pytest.mark.parametrize("target", sorted({line for _, line in COMMANDS if line.startswith("make ")}))
def test_a_target_of_make_is_there(target):
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()

    assert re.search(rf"^{target.split()[1]}:", makefile, re.MULTILINE)


def test_a_table_names_every_command():
    page = next(page for page in PAGES if page.name == "commands.md").read_text()

    assert set(re.findall(r"^\| `camlite ([a-z-]+)", page, re.MULTILINE)) == set(cli.all_commands())


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tutorial about Keras makes of nothing, all of its lines run: other tutorials begin with it."""
    return made_once(tmp_path_factory, "shapes", _follow_the_first_tutorial)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of Teachable Machine and of PyTorch."""
    return made_once(tmp_path_factory, "models", page_models.make)


def _follow_the_first_tutorial(folder: Path) -> None:
    picture_files.write(folder / "photo.jpg", np.full((40, 60, 3), 90, np.uint8))
    with Runner(folder) as runner:
        for block in blocks_of(FIRST):
            runner.run(block, slow=True)


@pytest.mark.endurance
def test_the_first_tutorial_begins_with_nothing(shapes):
    assert (shapes / "maps/02.overlay.png").exists()
    assert len(list(shapes.glob("shapes/shapes.*"))) == 8


@pytest.mark.parametrize("page", [page for page in RUN_PAGES if page != FIRST], ids=name)
def test_the_lines_of_a_page_run(page, tmp_path, tiny, reference_artifacts):
    fill(tmp_path, tiny, reference_artifacts)

    with Runner(tmp_path) as runner:
        for block in blocks_of(page):
            runner.run(block, slow=False)


@pytest.mark.endurance
@pytest.mark.parametrize("page", [page for page in RUN_PAGES if page != FIRST], ids=name)
def test_all_lines_of_a_page_run(page, tmp_path, tiny, reference_artifacts, shapes, models):
    own = page.parent.name == "tutorials" or page.name == "README.md"  # what the page's own model and photos are
    fill(tmp_path, tiny, reference_artifacts, shapes if own else None)
    page_models.bring(page, models, tmp_path)

    with Runner(tmp_path) as runner:
        for block in blocks_of(page):
            runner.run(block, slow=True)


@pytest.mark.parametrize("pattern", [*NOT_RUN, *SLOW, *BACKGROUND])
def test_the_lists_of_lines_that_are_treated_otherwise_are_up_to_date(pattern):
    everything = [
        line for block in TYPED_BLOCKS for line in (block.commands if block.language == "sh" else [block.text])
    ]

    assert any(re.search(pattern, line) for line in everything), "no line is like this any more: take it from the list"


def test_few_lines_are_not_run():
    """Each pattern of `NOT_RUN` has its reason beside it."""
    total, left_out = count(TYPED_BLOCKS)

    assert all(len(reason) > 10 for reason in NOT_RUN.values())
    assert total > 100
    assert left_out / total < 0.3, f"{left_out} of {total} lines are not run"


def count(blocks: list[Block]) -> tuple[int, int]:
    """How many lines there are, and how many of these are not run."""
    total = left_out = 0
    for block in blocks:
        for line in block.lines:
            total += 1
            left_out += matching(NOT_RUN, line if block.language == "sh" else block.text) is not None
    return total, left_out


def test_a_line_that_fails_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    for text in ("```sh\ntrue\nfalse\n```\n", "```python\nraise SystemExit(1)\n```\n"):
        page.write_text(text)
        (block,) = blocks_of(page, tmp_path)
        with Runner(tmp_path) as runner, pytest.raises(AssertionError, match=r"page\.md"):
            runner.run(block, slow=False)
