"""Two things at the same moment, many times over: the organization's lock decides between them."""

import asyncio

from libs.errors import DomainError, ErrorReason
from services.telephony.domain.values import SubaccountFilter, WantedState
from tests.integration.telephony.conftest import Parts
from tests.integration.telephony.levels import make_good, wallet_level
from tests.integration.telephony.steps import many_sids
from tests.support.searching import times

ROUNDS = times(200)
SIDS_IN_ROUND = 4


async def wanted_active_count(parts: Parts) -> int:
    which = SubaccountFilter(wanted=WantedState.ACTIVE)
    return len((await parts.subaccounts.list_page(which, 500, "")).items)


async def test_registered_at_the_moment_of_the_bad_news_it_never_misses_it(
    parts: Parts,
) -> None:
    account_sids = iter(many_sids(ROUNDS * SIDS_IN_ROUND))
    for number in range(ROUNDS):
        organization_id = f"org-{number}"
        await make_good(parts.organizations, organization_id)
        registrations = [
            parts.subaccounts.register(organization_id, "", next(account_sids))
            for _ in range(SIDS_IN_ROUND)
        ]
        bad_news = parts.organizations.observe_wallet(
            organization_id, wallet_level(revision=2, frozen=True)
        )
        await asyncio.gather(*registrations[::2], bad_news, *registrations[1::2])
        assert await wanted_active_count(parts) == 0


async def test_of_two_levels_at_the_same_moment_the_newer_one_stays(
    parts: Parts,
) -> None:
    for number, account_sid in enumerate(many_sids(ROUNDS)):
        organization_id = f"org-{number}"
        await make_good(parts.organizations, organization_id)
        await parts.subaccounts.register(organization_id, "", account_sid)
        good_news = parts.organizations.observe_wallet(
            organization_id, wallet_level(revision=2, frozen=False)
        )
        bad_news = parts.organizations.observe_wallet(
            organization_id, wallet_level(revision=3, frozen=True)
        )
        await asyncio.gather(bad_news, good_news)
        assert await wanted_active_count(parts) == 0


async def test_an_account_is_registered_once_however_many_ask(
    parts: Parts,
) -> None:
    for account_sid in many_sids(times(50)):
        answers = await asyncio.gather(
            *(
                parts.subaccounts.register(f"org-{number}", "", account_sid)
                for number in range(SIDS_IN_ROUND)
            ),
            return_exceptions=True,
        )
        refused = [answer for answer in answers if isinstance(answer, DomainError)]
        assert [error.reason for error in refused] == [ErrorReason.ALREADY_LINKED] * 3
