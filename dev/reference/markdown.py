"""Comments of protos as Markdown that says the same."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

CODE = re.compile(r"(`[^`]*`)")
# A name of ours, with its path; a word; or a character that Markdown has a use for.
TOKEN = re.compile(r"(?:\w+[./])*\w*_\w+(?:[./]\w+)*|\w+|[\\*<>\[\]|#&~!`]")
# What begins a list where it begins a line.
MARKER = re.compile(r"(\d*)([-+.)=])")
LABEL = re.compile(r"(Errors|Example): ")
# Of a line after the first one of what is labelled.
INDENT = "          "


class Block(NamedTuple):
    """A paragraph of a comment; what it is is `text`, `Errors`, `Example` or `command`."""

    kind: str
    lines: list[str]

    @property
    def text(self) -> str:
        return " ".join(line.strip() for line in self.lines)


def blocks(comment: str) -> Iterator[Block]:
    """Return a comment's paragraphs; what is labelled begins one of its own."""
    block = Block("text", [])
    for line in comment.splitlines():
        text = line.removeprefix(" ")
        label = LABEL.match(text)
        starts_command = text.startswith("grpcurl ")
        if label or starts_command or not text:
            if block.lines:
                yield block
            block = Block(label[1] if label else "command" if starts_command else "text", [])
        if text:
            block.lines.append(text[label.end() :] if label else text.removeprefix(INDENT))
    if block.lines:
        yield block


def prose(text: str, links: Mapping[str, str]) -> str:
    """Return text in which names are code, some of them links, and nothing else is Markdown."""
    # What is code already stands at every second place.
    parts = CODE.split(text)
    parts[::2] = [TOKEN.sub(lambda it: _written(it[0], links), part) for part in parts[::2]]
    return MARKER.sub(r"\1\\\2", "".join(parts), count=1) if MARKER.match(text) else "".join(parts)


def _written(token: str, links: Mapping[str, str]) -> str:
    if token in links:
        return link(f"`{token}`", links[token])
    if "_" in token:  # which no English word has
        return f"`{token}`"
    return token if token.isalnum() else f"\\{token}"


def anchor(heading: str) -> str:
    """Return what a heading is linked to by, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def link(text: str, heading: str) -> str:
    return f"[{text}](#{anchor(heading)})"
