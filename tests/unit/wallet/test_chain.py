"""The chain of a wallet's entries: whatever is changed in one is seen."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.wallet.domain.chain import CHAIN_BYTES, CHAIN_START, ChainKeys
from services.wallet.domain.values import Entry, EntryType, FreezeReason
from tests.unit.wallet.ledger import KEYS, START, Ledger, capture, credit, debit, opened, place
from tests.unit.wallet.stories import Story, briefly, play, stories

# Everything is set, and no two fields alike.
ENTRY = Entry(
    organization_id="org-1",
    sequence=11,
    amount_micros=-12,
    balance_after_micros=13,
    held_after_micros=14,
    owed_after_micros=15,
    create_time=START,
    type=EntryType.FREEZE,
    currency_code="USD",
    reference_id="reference",
    reference_part=16,
    payment_id="payment",
    hold_reference_id="hold",
    freeze_reason=FreezeReason.DISPUTE,
    freeze_reference_id="freeze",
    actor="anna",
    description="a note",
    metadata={"campaign": "spring", "brand": "b-1"},
)
# What each field may be instead.
OTHERS: dict[str, list[Any]] = {
    "organization_id": ["org-2", "org-", "org-11"],
    "sequence": [12, 1, 111],
    "amount_micros": [12, -1, -121],
    "balance_after_micros": [14, 1, 131],
    "held_after_micros": [13, 1, 141],
    "owed_after_micros": [16, 1, 151],
    "create_time": [START + timedelta(microseconds=1), START + timedelta(days=1)],
    "type": [EntryType.UNFREEZE, EntryType.DEBIT],
    "currency_code": ["EUR", "US", "USDT"],
    "reference_id": ["other", "", None],
    "reference_part": [0, 1, None],
    "payment_id": ["other", "", None],
    "hold_reference_id": ["other", "", None],
    "freeze_reason": [FreezeReason.OPERATOR, None],
    "freeze_reference_id": ["other", "", None],
    "actor": ["bob", ""],
    "description": ["another", ""],
    "metadata": [
        {"campaign": "summer", "brand": "b-1"},
        {"campaign": "spring"},
        {"campaign": "spring", "brand": "b-1", "more": ""},
        {},
        None,
    ],
}
# Nothing is set that need not be.
BARE = Entry(*ENTRY[:9])
EMPTY: dict[str, Any] = {
    "reference_part": 0,
    "payment_id": "",
    "hold_reference_id": "",
    "freeze_reference_id": "",
    "metadata": {},
}
FEW = st.text("a0 ", max_size=2)
OPTIONAL = st.none() | FEW
REFERENCED = st.one_of(
    st.just({"reference_id": None, "reference_part": None}),
    st.fixed_dictionaries({"reference_id": FEW, "reference_part": st.integers(0, 1)}),
)
ENTRIES = st.builds(
    lambda reference, **fields: ENTRY._replace(**reference, **fields),
    REFERENCED,
    organization_id=FEW,
    sequence=st.integers(0, 2),
    balance_after_micros=st.integers(0, 2),
    payment_id=OPTIONAL,
    hold_reference_id=OPTIONAL,
    freeze_reason=st.none() | st.just(FreezeReason.DISPUTE),
    freeze_reference_id=OPTIONAL,
    actor=FEW,
    description=FEW,
    metadata=st.none() | st.dictionaries(FEW, FEW, max_size=2),
)
TEXTS = [
    "organization_id",
    "currency_code",
    "reference_id",
    "payment_id",
    "hold_reference_id",
    "freeze_reference_id",
    "actor",
    "description",
]


def sealed() -> Ledger:
    """Return a wallet with some entries."""
    ledger = opened(100)
    ledger.execute(place(10))
    ledger.execute_together([capture(4, "c-1"), debit(1, "message"), capture(4, "c-2", final=True)])
    ledger.execute(credit(7, "in"))
    return ledger


def broken(entries: list[Entry], keys: ChainKeys = KEYS) -> list[int]:
    """Return the places of entries that do not carry the chain that they should."""
    heads = [CHAIN_START, *(entry.chain or b"" for entry in entries)]
    return [
        position
        for position, (entry, head) in enumerate(zip(entries, heads[:-1], strict=True))
        if entry.chain not in chains_of(entry, head, keys)
    ]


def chains_of(entry: Entry, head: bytes, keys: ChainKeys = KEYS) -> list[bytes]:
    """Return the chains that an entry may carry after the given one: one for each key."""
    return [keys.chain_under(number, entry, head) for number in range(keys.count)]


def chain_of(entry: Entry, head: bytes = CHAIN_START, keys: ChainKeys = KEYS) -> bytes:
    """Return the chain with which an entry is sealed."""
    (sealed,) = keys.seal([entry], head)
    assert sealed.chain
    assert sealed.chain == chains_of(entry, head, keys)[0]
    return sealed.chain


@briefly
@given(stories())
def test_every_entry_is_sealed_over_the_one_before_it(story: Story) -> None:
    ledger = play(story)
    assert broken(ledger.entries) == []
    assert ledger.wallet.chain == ledger.entries[-1].chain


def test_every_field_is_tried() -> None:
    assert [*OTHERS, "chain"] == list(Entry._fields)


@pytest.mark.parametrize(
    ("field", "other"), [(field, other) for field, others in OTHERS.items() for other in others]
)
def test_what_is_changed_in_an_entry_changes_its_chain(field: str, other: Any) -> None:
    changed = ENTRY._replace(**{field: other})
    assert chain_of(changed) != chain_of(ENTRY)


@pytest.mark.parametrize(("field", "empty"), EMPTY.items())
def test_what_is_empty_is_not_what_is_absent(field: str, empty: Any) -> None:
    changed = BARE._replace(**{field: empty})
    assert chain_of(changed) != chain_of(BARE)


@given(ENTRIES, ENTRIES)
def test_entries_that_differ_differ_in_their_chains(one: Entry, other: Entry) -> None:
    assert (chain_of(one) == chain_of(other)) is (one == other)


@given(
    st.fixed_dictionaries(dict.fromkeys(TEXTS, FEW)),
    st.permutations(TEXTS).map(lambda fields: fields[:2]),
)
def test_nothing_can_be_moved_from_one_field_to_another(
    texts: dict[str, Any], fields: list[str]
) -> None:
    source, target = (texts[field] for field in fields)
    moved = dict(zip(fields, (source[:-1], source[-1:] + target), strict=True))
    entries = ENTRY._replace(**texts), ENTRY._replace(**{**texts, **moved})
    one, other = (chain_of(entry) for entry in entries)
    assert (one == other) is (not source)


def test_the_order_of_metadata_does_not_matter() -> None:
    turned = ENTRY._replace(metadata={"brand": "b-1", "campaign": "spring"})
    assert chain_of(turned) == chain_of(ENTRY)


def test_a_chain_depends_on_the_entry_the_one_before_and_the_key() -> None:
    chain = chain_of(ENTRY)
    assert len(chain) == CHAIN_BYTES
    assert chain == chain_of(ENTRY)
    assert chain != chain_of(ENTRY, bytes([1]) * CHAIN_BYTES)
    assert chain != chain_of(ENTRY, keys=ChainKeys([b"another key"]))


@pytest.mark.parametrize("position", range(6))
def test_whatever_is_done_to_an_entry_is_found_in_it_or_in_the_next(position: int) -> None:
    entries = sealed().entries
    assert len(entries) == 6 + 1
    entry = entries[position]
    changed = [*entries]
    changed[position] = entry._replace(amount_micros=entry.amount_micros + 1)
    assert broken(changed) == [position]
    # Who has no key can give it another chain, but none that is right.
    changed[position] = entry._replace(chain=bytes(CHAIN_BYTES))
    assert broken(changed) == [position, position + 1]
    changed[position] = entry._replace(chain=None)
    assert broken(changed) == [position, position + 1]
    assert broken([*entries[:position], *entries[position + 1 :]]) == [position]
    added = [*entries[:position], entry, *entries[position:]]
    assert broken(added) == [position + 1]


def test_keys_are_rotated_the_first_seals_and_all_verify() -> None:
    old, new = ChainKeys([b"old"]), ChainKeys([b"new", b"old"])
    first, second = (sealed().entries[number]._replace(chain=None) for number in (0, 1))
    (first,) = old.seal([first], CHAIN_START)
    (second,) = new.seal([second], first.chain or b"")
    assert broken([first, second], new) == []
    assert broken([first, second], old) == [1]
    assert broken([first, second], ChainKeys([b"new"])) == [0]
    assert broken([first, second], ChainKeys([b"old", b"new"])) == []
    assert second.chain == chain_of(second, first.chain or b"", ChainKeys([b"new"]))
