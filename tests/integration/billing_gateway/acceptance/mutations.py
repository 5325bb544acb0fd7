"""What becomes of a real event in bad hands that can sign: never an amount that may be another."""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# None of them is an amount, a currency or a claim that may be believed.
WEIRD: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    1.5,
    10**300,
    2**63,
    float("nan"),
    float("inf"),
    "",
    " ",
    "\0",
    "\ud800",
    "x" * 300,
    "25.001",
    "1e3",
    "NaN",
    "-25.00",
    "ZZZ",
    "2026-13-45T00:00:00Z",
    "org-of-another",
    [],
    {},
    [[]],
    {"id": None},
)
WORD = re.compile(r"[A-Za-z_.-]+")
NOT_OF_A_NUMBER = b'\x00\xff\xc3{}[],:"\\- eE'

Place = tuple[Any, Any]
TreeChange = Callable[[random.Random, Place, Sequence[str]], None]
ByteChange = Callable[[random.Random, bytes], bytes]


def words_of(bodies: Sequence[bytes]) -> list[str]:
    """Return what events call their types, states and kinds."""
    leaves = {get(place) for body in bodies for place in _places(json.loads(body))}
    return sorted(each for each in leaves if isinstance(each, str) and WORD.fullmatch(each))


def mutate(rng: random.Random, body: bytes, event_id: str, words: Sequence[str]) -> bytes:
    """Return an event of its own that was made of a real one."""
    told = {**json.loads(body), "id": event_id}
    for _ in range(rng.randint(1, 3)):
        rng.choice(TREE_CHANGES)(rng, rng.choice(list(_places(told))), words)
    return rng.choice(BYTE_CHANGES)(rng, json.dumps(told).encode())


def get(place: Place) -> Any:
    """Return what is at a place; of a container nothing."""
    container, key = place
    value = container[key]
    return None if isinstance(value, (dict, list)) else value


def _places(value: Any) -> Iterator[Place]:
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def _make_weird(rng: random.Random, place: Place, _: Sequence[str]) -> None:
    container, key = place
    container[key] = rng.choice(WEIRD)


def _say_another_word(rng: random.Random, place: Place, words: Sequence[str]) -> None:
    container, key = place
    if isinstance(get(place), str) and WORD.fullmatch(container[key]):
        container[key] = rng.choice(words)


def _name_another(_rng: random.Random, place: Place, _words: Sequence[str]) -> None:
    container, key = place
    if isinstance(get(place), str):
        container[key] += "x"


def _leave_out(_rng: random.Random, place: Place, _words: Sequence[str]) -> None:
    container, key = place
    del container[key]


def _bury(_rng: random.Random, place: Place, _words: Sequence[str]) -> None:
    container, key = place
    for _ in range(60):
        container[key] = [container[key]]


def _repeat(_rng: random.Random, place: Place, _words: Sequence[str]) -> None:
    container, key = place
    if isinstance(container, list):
        container.append(container[key])


TREE_CHANGES: tuple[TreeChange, ...] = (
    _make_weird,
    _make_weird,
    _say_another_word,
    _say_another_word,
    _name_another,
    _leave_out,
    _bury,
    _repeat,
)


def _leave(_: random.Random, body: bytes) -> bytes:
    return body


def _cut_off(rng: random.Random, body: bytes) -> bytes:
    return body[: rng.randrange(len(body))]


def _insert(rng: random.Random, body: bytes) -> bytes:
    position = rng.randrange(len(body))
    return body[:position] + bytes([rng.choice(NOT_OF_A_NUMBER)]) + body[position:]


def _double_keys(_: random.Random, body: bytes) -> bytes:
    return body[:-1] + b"," + body[1:]


def _go_deep(_: random.Random, body: bytes) -> bytes:
    return body[:-1] + b', "deep": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"


# Most are left readable, or nothing would ever be translated.
BYTE_CHANGES: tuple[ByteChange, ...] = (*[_leave] * 12, _cut_off, _insert, _double_keys, _go_deep)
