"""Text of others, made fit to be kept."""

from hypothesis import given
from hypothesis import strategies as st

from libs.text import storable_text

ANY_CHARACTER = st.characters(exclude_categories=())


@given(st.text(ANY_CHARACTER, max_size=60))
def test_any_text_becomes_storable(text: str) -> None:
    stored = storable_text(text, 50)
    assert stored.encode().decode() == stored
    assert "\0" not in stored
    assert len(stored) <= 50


def test_good_text_stays_as_it_is() -> None:
    assert storable_text("Grüße", 50) == "Grüße"
