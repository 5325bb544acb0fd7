"""Those who ask whether they may send share queries, and each hears what it would hear alone."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from pydantic import SecretStr

from libs.database import Database, DatabaseUnavailableError
from services.telephony.domain.values import Blocker
from services.telephony.operations.sending import SendingOperations
from tests.integration.telephony.conftest import Parts
from tests.integration.telephony.levels import make_good, wallet_level
from tests.integration.telephony.steps import many_sids
from tests.support.databases import ServiceDatabase
from tests.support.searching import FEW_EXAMPLES
from tests.support.services import free_address

BRANDS = ("", "one", "two")
CHANGES = {
    "lapsed": """
        UPDATE organizations SET subscription_good_until = now(), reevaluate_time = now()
        WHERE organization_id LIKE 'lapsed-%'
    """,
    "frozen": """
        UPDATE organizations SET wallet_frozen = true WHERE organization_id LIKE 'frozen-%'
    """,
    "depleted": """
        UPDATE organizations SET wallet_depleted = true WHERE organization_id LIKE 'depleted-%'
    """,
    "owing": """
        UPDATE organizations SET wallet_owing_micros = 1 WHERE organization_id LIKE 'owing-%'
    """,
}
OBSERVED = ((), ("ACTIVE", "SUSPENDED"), ("CLOSED", "ACTIVE"), ("UNKNOWN", "CLOSED"))
OBSERVE = """
UPDATE subaccounts
SET observed = $2, told = $2,
    next_attempt_time = CASE WHEN $2 <> 'CLOSED' THEN next_attempt_time END,
    drift_time = CASE WHEN $2 NOT IN (wanted, 'CLOSED') THEN now() END
WHERE account_sid = $1
"""


class LateDatabase(Database):
    """Tells what it has read when it is told to."""

    def __init__(self, *pools: Any) -> None:
        super().__init__(*pools)
        self.has_read = asyncio.Event()
        self.may_tell = asyncio.Event()

    async def run(self, work: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        read = await super().run(work, *args, **kwargs)
        self.has_read.set()
        await self.may_tell.wait()
        return read


@asynccontextmanager
async def asking(
    url: str, database_type: type[Database] = Database
) -> AsyncIterator[tuple[SendingOperations, Database]]:
    database = await database_type.connect(SecretStr(url), 4, "test")
    try:
        yield SendingOperations(database), database
    finally:
        await database.close()


async def ask_all(
    sending: SendingOperations, senders: list[tuple[str, str]]
) -> list[tuple[Blocker, ...]]:
    return await asyncio.gather(*(sending.find_blockers(*sender) for sender in senders))


async def execute(database: ServiceDatabase, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


async def make_organizations(database: ServiceDatabase, parts: Parts) -> list[str]:
    """Of every kind, with subaccounts that stand in every way."""
    sids = iter(many_sids(100))
    names = []
    for kind, observed in itertools.product(("unknown", "good", *CHANGES), OBSERVED):
        names.append(f"{kind}-{'-'.join(observed)}")
        if kind != "unknown":
            await make_good(parts.organizations, names[-1])
        for brand_id, state in zip(BRANDS[1:], observed, strict=False):
            await parts.subaccounts.register(names[-1], brand_id, sid := next(sids))
            await execute(database, OBSERVE, sid, state)
    for change in CHANGES.values():
        await execute(database, change)
    return names


async def test_what_is_asked_together_is_answered_as_if_each_had_asked_alone(
    database: ServiceDatabase, parts: Parts
) -> None:
    senders = list(itertools.product(await make_organizations(database, parts), BRANDS))
    async with asking(database.url) as (sending, _):
        alone = {sender: await sending.find_blockers(*sender) for sender in senders}
        assert alone["good-ACTIVE-SUSPENDED", "one"] == ()
        assert alone["good-ACTIVE-SUSPENDED", "two"] == (Blocker.SUBACCOUNT_NOT_ACTIVE,)
        assert alone["good-ACTIVE-SUSPENDED", ""] == (Blocker.SUBACCOUNT_NOT_ACTIVE,)
        assert alone["good-CLOSED-ACTIVE", ""] == ()
        assert len(set(alone.values())) > len(CHANGES)
        for _ in range(FEW_EXAMPLES):
            crowd = random.choices(senders, k=random.randrange(1, 300))
            answers = await ask_all(sending, crowd)
            assert answers == [alone[sender] for sender in crowd]


async def test_an_answer_is_never_older_than_the_question(
    database: ServiceDatabase, parts: Parts
) -> None:
    """A level that was acknowledged before the question is seen, whatever is under way."""
    await make_good(parts.organizations, "org-1")
    async with asking(database.url, LateDatabase) as (sending, late):
        assert isinstance(late, LateDatabase)
        before = asyncio.create_task(sending.find_blockers("org-1", ""))
        await late.has_read.wait()
        await parts.organizations.observe_wallet("org-1", wallet_level(revision=2, frozen=True))
        after = asyncio.create_task(sending.find_blockers("org-1", ""))
        await asyncio.sleep(0)
        late.may_tell.set()
        assert Blocker.WALLET_FROZEN not in await before
        assert Blocker.WALLET_FROZEN in await after


async def test_who_cannot_be_judged_keeps_nobody_else_from_an_answer(
    database: ServiceDatabase, parts: Parts
) -> None:
    names = [f"org-{number}" for number in range(9)]
    for name in names:
        await make_good(parts.organizations, name)
    await execute(
        database,
        "UPDATE organizations SET subscription_state = 'NOT KNOWN' WHERE organization_id = 'org-4'",
    )
    async with asking(database.url) as (sending, _):
        answers = await asyncio.gather(
            *(sending.find_blockers(name, "") for name in names), return_exceptions=True
        )
    assert isinstance(answers.pop(4), ValueError)
    assert answers == [(Blocker.SUBACCOUNT_MISSING,)] * 8


async def test_nobody_is_told_yes_while_the_database_is_away() -> None:
    async with asking(f"postgresql://nobody@{free_address()}/nothing") as (sending, _):
        answers = await asyncio.gather(
            *(sending.find_blockers(f"org-{number}", "") for number in range(50)),
            return_exceptions=True,
        )
    assert {type(answer) for answer in answers} == {DatabaseUnavailableError}
