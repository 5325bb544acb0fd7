"""The reference tells all that the protos say, and each link in it leads somewhere."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it.token import Token

from dev.reference.markdown import prose
from dev.reference.page import page
from dev.reference.protos import Proto, read_protos
from tests.support.markdown import MARKDOWN, anchors_in

WRITING = st.text("aZ1 _-+.)=*<>[]|#&~\\!;:(éB", min_size=1, max_size=30)
LINKS = {"Z": "Somewhere.Else"}


@pytest.fixture(scope="module")
def protos() -> list[Proto]:
    """All that the protos say."""
    return read_protos()


@pytest.fixture(scope="module")
def tokens(protos: list[Proto]) -> list[Token]:
    """The page as it is shown."""
    return MARKDOWN.parse(page(protos))


def shown(tokens: list[Token]) -> str:
    """Return the text that a reader sees."""
    inline = (child for token in tokens for child in token.children or [token])
    return "".join(token.content for token in inline)


def words(text: str) -> str:
    """Return a text as Markdown shows it, whatever the spaces."""
    return "".join(re.sub(r"`|^ ?Example: ", "", text, flags=re.MULTILINE).split())


def comments(protos: list[Proto]) -> Iterator[str]:
    """Return all but those of requests and responses, which say that they are that."""
    for proto in protos:
        yield from (service.comment for service in proto.services)
        yield from (enum.comment for enum in proto.enums)
        named = {message.name: message.comment for message in proto.messages}
        yield from (it for name, it in named.items() if not name.endswith(("Request", "Response")))
        yield from (it.comment for service in proto.services for it in service.methods)
        yield from (it.comment for message in proto.messages for it in message.fields)
        yield from (it.comment for enum in proto.enums for it in enum.values)


def test_no_two_headings_have_one_anchor(tokens: list[Token]) -> None:
    counts = Counter(anchors_in(tokens))
    assert not [anchor for anchor, count in counts.items() if count > 1]


def test_all_that_the_protos_say_is_shown_as_they_say_it(
    protos: list[Proto], tokens: list[Token]
) -> None:
    page_words = words(shown(tokens))
    missing = [comment for comment in comments(protos) if words(comment) not in page_words]
    assert not missing


def test_every_rpc_names_its_callers_its_request_and_its_response(
    protos: list[Proto], tokens: list[Token]
) -> None:
    methods = [method for proto in protos for it in proto.services for method in it.methods]
    assert words(shown(tokens)).count("Callers:") == len(methods)
    headings = page(protos).splitlines()
    for method in methods:
        for name in (method.proto.input_type, method.proto.output_type):
            assert f"#### {name.removeprefix('.tollgate.')}" in headings


@given(WRITING.filter(lambda text: text.strip() == text and "  " not in text))
def test_whatever_a_comment_says_is_shown_as_text(text: str) -> None:
    tokens = MARKDOWN.parse(prose(text, LINKS))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert shown(tokens) == text
