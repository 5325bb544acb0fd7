"""docs/runbook.md, taken apart: sections by their anchors, and the commands in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

RUNBOOK: Final = Path(__file__).parents[3] / "docs" / "runbook.md"
HEADING: Final = re.compile(r"#{2,4} (?P<title>.+)")
ANCHOR: Final = re.compile(r'<a id="(?P<anchor>[a-z0-9-]+)"></a>')
BLOCK: Final = re.compile(r"```sh\n(?P<script>.*?)```", re.DOTALL)
CODE: Final = re.compile(r"`([^`]+)`")
# The paragraph below a block that begins so quotes what is printed.
SEEN: Final = "You see "


@dataclass
class Block:
    """Commands that are pasted together, and what the document says that they print."""

    script: str
    seen: list[str] = field(default_factory=list)


@dataclass
class Section:
    """What stands below one heading, before the next."""

    anchors: tuple[str, ...]
    text: str = ""

    @property
    def blocks(self) -> list[Block]:
        """Return the commands in their order."""
        return list(_blocks(self.text))


def read_sections() -> list[Section]:
    """Return all sections of the runbook, in their order."""
    sections, extra = [Section(("",))], list[str]()
    in_block = False
    for line in RUNBOOK.read_text().splitlines(keepends=True):
        in_block ^= line.startswith("```")
        if anchor := ANCHOR.match(line):
            extra.append(anchor["anchor"])
        elif not in_block and (heading := HEADING.match(line)):
            sections.append(Section((_slug(heading["title"]), *extra)))
            extra.clear()
        else:
            sections[-1].text += line
    return sections


def _slug(title: str) -> str:
    """Return the anchor that a heading gets by itself."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def _blocks(text: str) -> Iterator[Block]:
    for found in BLOCK.finditer(text):
        block = Block(found["script"])
        below = text[found.end() :].lstrip().partition("\n\n")[0]
        if below.startswith(SEEN):
            block.seen = CODE.findall(below.partition(". ")[0])
        yield block
