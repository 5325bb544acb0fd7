"""What a page leads to is there."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from markdown_it.token import Token

from tests.support.markdown import MARKDOWN, ROOT, anchors_in

ANCHOR = re.compile(r'^<a id="([a-z0-9-]+)"></a>$', re.MULTILINE)
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "protos" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_its_heading(page: Path) -> None:
    assert not [link for link in links_of(page) if not leads_somewhere(page, link)]


def links_of(page: Path) -> Iterator[str]:
    """Return where a page leads, but for the web."""
    for token in tokens_of(page):
        for child in token.children or ():
            link = str(child.attrs.get("href", ""))
            if link and "://" not in link:
                yield link


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, heading = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not heading or heading in anchors_of(target))


@cache
def tokens_of(page: Path) -> list[Token]:
    """Return a page as it is shown."""
    return MARKDOWN.parse(page.read_text())


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Return what the headings of a page are linked to by, by themselves or by a mark above."""
    return frozenset((*anchors_in(tokens_of(page)), *ANCHOR.findall(page.read_text())))
