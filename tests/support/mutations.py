"""What becomes of a real event in bad hands that can sign: spoilt, or whole and untrue."""

import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

JsonObject = dict[str, Any]

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
    [],
    {},
    [[]],
    {"id": None},
)
# Some of these are amounts in one currency and none in another.
AMOUNTS = ("0.01", ".5", "1", "0", "24.99", "25.01", "25.010", "7000.00", "0.001", "9999999.99")
UNITS = (1, 0, 999, 2_499, 2_501, 700_000, 999_999_999, 10**18)
STATES = ("unpaid", "paid", "open", "failed", "succeeded", "PENDING", "COMPLETED", "DECLINED")
CURRENCIES = ("USD", "EUR", "JPY", "HUF", "KWD", "ISK", "XXX")

WORD = re.compile(r"[A-Za-z_.-]+")
ID = re.compile(r"[A-Za-z]{0,6}[-_]?(?=[A-Za-z_]*[0-9])[A-Za-z0-9_]{9,}")
NUMBER = re.compile(r"-?[0-9]*\.?[0-9]+")
AMOUNT_KEY = re.compile(r"value|total|amount\w*")
CURRENCY_KEY = re.compile(r"currency(_code)?")
CLAIM_KEY = re.compile(r"custom(_id)?|client_reference_id|organization_id")
STATE_KEY = re.compile(r"status|state|payment_status")
TIME_KEY = re.compile(r"created|start|end|time|\w+_(time|date|start|end|at)")
READ_KEY = re.compile(
    "|".join(each.pattern for each in (AMOUNT_KEY, CURRENCY_KEY, CLAIM_KEY, TIME_KEY))
    + "|id|status|state|mode|payment_intent|subscription|customer|charge|items|lines|links|data"
)

# PayPal's two spellings of the same.
OTHER_SPELLING = {
    "value": "total",
    "currency_code": "currency",
    "custom_id": "custom",
    "status": "state",
}
OTHER_SPELLING |= {there: here for here, there in OTHER_SPELLING.items()}

# Stands before a key that is to be there twice, until it is written.
AGAIN = "\1"
AGAIN_WRITTEN = re.compile(rb'"\\u0001([^"\\]*)"')

Place = tuple[Any, Any]
Fits = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Hands:
    """Whoever changes events: by chance, and knowing more than the event."""

    rng: random.Random
    # What events call their types, states and kinds.
    words: Sequence[str]
    # Organizations that there are.
    names: Sequence[str]

    def mutate(self, told: JsonObject, event_id: str, others: Sequence[JsonObject]) -> bytes:
        """Return an event of its own that was made of a real one, and of parts of others."""
        lie = Lie(self, json.loads(json.dumps(told)) | {"id": event_id}, others)
        changes, ways = self.rng.choice(KINDS)
        if self.rng.random() < 0.5:
            # Of what is known already most lies are only contradictions.
            _tell_of_another(lie)
        for _ in range(self.rng.randint(1, 3)):
            self.rng.choice(changes)(lie)
        return self.rng.choice(ways)(self.rng, write(self.rng, lie.told))


@dataclass(frozen=True)
class Lie:
    """An event that is being changed."""

    hands: Hands
    told: JsonObject
    others: Sequence[JsonObject]

    @property
    def rng(self) -> random.Random:
        """The chance that decides."""
        return self.hands.rng

    def pick(self, fits: Fits) -> Place | None:
        """Return any place with a fitting name and value; None if there is none."""
        fitting = [each for each in places(self.told) if fits(each[1], each[0][each[1]])]
        return self.rng.choice(fitting) if fitting else None

    def put(self, fits: Fits, change: Callable[[Any], Any]) -> None:
        """Change the value at any fitting place."""
        place = self.pick(fits)
        if place is not None:
            container, key = place
            # A copy: what is changed further must be nobody else's.
            container[key] = copy.deepcopy(change(container[key]))


def words_of(events: Sequence[JsonObject]) -> list[str]:
    """Return what events call their types, states and kinds."""
    leaves = {
        container[key]
        for each in events
        for container, key in places(each)
        if _is_word(key, container[key])
    }
    return sorted(leaves)


def places(value: Any) -> Iterator[Place]:
    """Return every place of an event: what contains it, and its name or number there."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def write(rng: random.Random, told: JsonObject) -> bytes:
    """Return an event's text; a key that is there twice may be spelled differently."""

    def spell(found: re.Match[bytes]) -> bytes:
        key = found[1].decode()
        escaped = "".join(f"\\u{ord(each):04x}" for each in key)
        return f'"{rng.choice((key, escaped))}"'.encode()

    return AGAIN_WRITTEN.sub(spell, json.dumps(told).encode())


def _named(pattern: re.Pattern[str]) -> Fits:
    return lambda key, _: isinstance(key, str) and pattern.fullmatch(key) is not None


def _is_anything(_key: Any, _value: Any) -> bool:
    return True


def _is_text(_key: Any, value: Any) -> bool:
    return isinstance(value, str)


def _is_word(_key: Any, value: Any) -> bool:
    return isinstance(value, str) and WORD.fullmatch(value) is not None


def _is_named(key: Any, _value: Any) -> bool:
    return isinstance(key, str)


def _is_number(_key: Any, value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and NUMBER.fullmatch(value) is not None)


def _make_weird(lie: Lie) -> None:
    """Most of an event is read by nobody."""

    def weird(value: Any) -> Any:
        made = lie.rng.choice(WEIRD)
        if isinstance(made, str) and isinstance(value, str) and ID.fullmatch(value):
            # By the same name a stranger's would be taken for somebody's, and rightly.
            return f"{made}{lie.rng.randrange(10**9)}"
        return made

    fits = lie.rng.choice((_is_anything, _named(READ_KEY)))
    lie.put(fits, weird)


def _say_another_word(lie: Lie) -> None:
    lie.put(_is_word, lambda _: lie.rng.choice(lie.hands.words))


def _name_another(lie: Lie) -> None:
    lie.put(_is_text, lambda text: f"{text}x")


def _leave_out(lie: Lie) -> None:
    place = lie.pick(_is_anything)
    if place is not None:
        container, key = place
        del container[key]


def _bury(lie: Lie) -> None:
    def bury(value: Any) -> Any:
        for _ in range(60):
            value = [value]
        return value

    lie.put(_is_anything, bury)


def _repeat(lie: Lie) -> None:
    lie.put(
        lambda _, value: isinstance(value, list) and bool(value), lambda value: [*value, value[0]]
    )


def _tell_another_amount(lie: Lie) -> None:
    def another(value: Any) -> Any:
        return lie.rng.choice(UNITS if isinstance(value, int) else AMOUNTS)

    is_named = _named(AMOUNT_KEY)
    lie.put(lambda key, value: is_named(key, value) and _is_number(key, value), another)


def _turn_the_sign(lie: Lie) -> None:
    def turn(value: Any) -> Any:
        if isinstance(value, int):
            return -value
        return value.removeprefix("-") if value.startswith("-") else f"-{value}"

    lie.put(_is_number, turn)


def _tell_another_currency(lie: Lie) -> None:
    def another(value: Any) -> str:
        code = lie.rng.choice(CURRENCIES)
        return code.lower() if str(value).islower() else code

    lie.put(_named(CURRENCY_KEY), another)


def _move_the_time(lie: Lie) -> None:
    days = lie.rng.choice((-400, -31, -1, 1, 31, 400, 9_000, 10**300))

    def move(value: Any) -> Any:
        if isinstance(value, int):
            return value + days * 86_400
        try:
            return (datetime.fromisoformat(value) + timedelta(days=days)).isoformat()
        except (TypeError, ValueError, OverflowError):
            return "9999-12-31T23:59:59-23:59"

    lie.put(_named(TIME_KEY), move)


def _claim_for_another(lie: Lie) -> None:
    lie.put(_named(CLAIM_KEY), lambda _: lie.rng.choice(lie.hands.names))


def _tell_of_another(lie: Lie) -> None:
    """The same of a payment, a session or a subscription of its own."""
    number = lie.rng.randrange(10**9)
    for container, key in list(places(lie.told)):
        if key in ("id", "payment_intent") and isinstance(container[key], str):
            container[key] += str(number)


def _say_how_it_stands(lie: Lie) -> None:
    lie.put(_named(STATE_KEY), lambda _: lie.rng.choice(STATES))


def _tell_of_strangers(lie: Lie) -> None:
    """Everything is unknown, and is claimed for an organization that there is."""
    name = lie.rng.choice(lie.hands.names)
    for container, key in list(places(lie.told)):
        if isinstance(key, str) and CLAIM_KEY.fullmatch(key):
            container[key] = name
        elif isinstance(container[key], str) and ID.fullmatch(container[key]):
            container[key] += "x"


def _take_from_another(lie: Lie) -> None:
    """Another event's id, amount, state, time, or proof, in the place of its own."""
    other = lie.rng.choice(lie.others)
    theirs: dict[Any, list[Any]] = {}
    for container, key in places(other):
        if isinstance(key, str):
            theirs.setdefault(key, []).append(container[key])
    place = lie.pick(lambda key, _: key in theirs)
    if place is not None:
        container, key = place
        container[key] = copy.deepcopy(lie.rng.choice(theirs[key]))


def _spell_otherwise(lie: Lie) -> None:
    """As v1 is v2 in PayPal's words."""
    for container, key in list(places(lie.told)):
        if key in OTHER_SPELLING and key in container:
            container[OTHER_SPELLING[key]] = container.pop(key)


def _say_twice(lie: Lie) -> None:
    """The same key again, before or after, with the value of another event or a weird one."""
    place = lie.pick(_is_named)
    if place is None:
        return
    container, key = place
    again = copy.deepcopy(
        {f"{AGAIN}{key}": lie.rng.choice((*WEIRD, *AMOUNTS, *UNITS, container[key]))}
    )
    known = dict(container)
    container.clear()
    container.update({**again, **known} if lie.rng.random() < 0.5 else {**known, **again})


Changes = Sequence[Callable[[Lie], None]]
Ways = Sequence[Callable[[random.Random, bytes], bytes]]

SPOIL: Changes = (
    _make_weird,
    _make_weird,
    _say_another_word,
    _leave_out,
    _bury,
    _repeat,
    _turn_the_sign,
    _say_twice,
)
LIE: Changes = (
    _say_another_word,
    _name_another,
    _tell_another_amount,
    _tell_another_amount,
    _turn_the_sign,
    _tell_another_currency,
    _move_the_time,
    _claim_for_another,
    _tell_of_strangers,
    _say_how_it_stands,
    _say_how_it_stands,
    _take_from_another,
    _take_from_another,
    _take_from_another,
    _spell_otherwise,
)


def _leave(_: random.Random, body: bytes) -> bytes:
    return body


def _cut_off(rng: random.Random, body: bytes) -> bytes:
    return body[: rng.randrange(len(body))]


def _insert(rng: random.Random, body: bytes) -> bytes:
    position = rng.randrange(len(body))
    return body[:position] + rng.randbytes(1) + body[position:]


def _overwrite(rng: random.Random, body: bytes) -> bytes:
    position = rng.randrange(len(body))
    return body[:position] + rng.randbytes(1) + body[position + 1 :]


def _say_all_twice(_: random.Random, body: bytes) -> bytes:
    return body[:-1] + b"," + body[1:]


def _go_deep(_: random.Random, body: bytes) -> bytes:
    return body[:-1] + b', "deep": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"


WRITE_ANYHOW: Ways = (_leave, _leave, _cut_off, _insert, _overwrite, _say_all_twice, _go_deep)
WRITE_WELL: Ways = (_leave,)

# Most can be read, or nothing would ever be believed.
KINDS: Sequence[tuple[Changes, Ways]] = (
    (LIE, WRITE_WELL),
    (LIE, WRITE_WELL),
    (LIE, WRITE_WELL),
    (SPOIL, WRITE_WELL),
    ((*SPOIL, *LIE), WRITE_ANYHOW),
)
