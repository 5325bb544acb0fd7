"""What stands in the documents."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from dev.reference.markdown import anchor

MARKDOWN = MarkdownIt("commonmark").enable("table")
ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^( *)```(?P<language>\w+)\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE)
PROMISE = re.compile(r"^ *print\(.*\)  # (.*)$", re.MULTILINE)


class Block(NamedTuple):
    """What stands between fences, and in which language."""

    language: str
    text: str

    @property
    def promised(self) -> list[str]:
        """Return what its code says that it prints, line by line."""
        return PROMISE.findall(self.text)


def blocks_of(page: str, section: str = "") -> Iterator[Block]:
    """Return a page's blocks, or those of one section, from top to bottom."""
    for heading, text in sections_of(page):
        if section in ("", heading):
            for found in BLOCK.finditer(text):
                yield Block(found["language"], found["text"])


def sections_of(page: str) -> Iterator[tuple[str, str]]:
    """Return each heading of the second order, with what stands below it; first what has none."""
    first, *others = f"\n{(ROOT / page).read_text()}".split("\n## ")
    yield "", first
    for section in others:
        heading, _, text = section.partition("\n")
        yield heading, text


def anchors_in(tokens: Sequence[Token]) -> list[str]:
    """Return what the headings of a page that was parsed are linked to by."""
    return [
        anchor("".join(child.content for child in text.children or ()))
        for opening, text in pairwise(tokens)
        if opening.type == "heading_open"
    ]
