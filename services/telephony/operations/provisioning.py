"""ProvisionSubaccount: the intent is written, and whoever asked waits a while for its account."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from libs.database import Connection, Database
from libs.errors import DomainError, ErrorReason, invalid_field
from libs.paging import Page, decode_page_token, encode_page_token, page_limit, page_of
from services.telephony.domain.commands import Reevaluate
from services.telephony.domain.decision import blockers
from services.telephony.domain.provisioning import (
    TAG_LENGTH,
    Provision,
    ProvisionFilter,
    Wish,
    ask_again,
    differing_fields,
    intend,
    problem_with_name,
)
from services.telephony.domain.standing import standing_at
from services.telephony.domain.trouble import TwilioState, standing_with, trouble_blockers
from services.telephony.domain.values import Standing, SuspensionPolicy
from services.telephony.operations.polling import look_until
from services.telephony.operations.settling import Settlement, settle
from services.telephony.storage import provisions, subaccounts, trouble


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A subaccount that was made for a reference, and what Twilio made for it as well."""

    standing: Standing
    double_account_sids: tuple[str, ...]


class ProvisionOperations:
    """What callers ask to have made. Workers make it, whether or not anybody still waits."""

    def __init__(
        self,
        database: Database,
        policy: SuspensionPolicy,
        wake_workers: Callable[[], None],
        wait_seconds: float,
    ) -> None:
        self._database = database
        self._policy = policy
        self._wake_workers = wake_workers
        self._wait_seconds = wait_seconds

    async def provision(self, wish: Wish) -> Provisioned:
        """Have a subaccount made, once for each reference."""
        problem = problem_with_name(wish.friendly_name)
        if problem:
            raise invalid_field("friendly_name", problem)
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await self._have_made(wish)
        except TimeoutError:
            raise DomainError(
                ErrorReason.PROVIDER_UNAVAILABLE, "Twilio has not answered yet; try again"
            ) from None

    async def list_page(
        self, which: ProvisionFilter, page_size: int, page_token: str
    ) -> Page[Provision]:
        """Return a page of intents by organization and reference."""
        organization_id, reference_id = decode_page_token(page_token, str, str) or ("", "")
        after = (str(organization_id), str(reference_id))
        limit = page_limit(page_size)
        found = await self._database.run(provisions.list_provisions, which, after, limit + 1)
        return page_of(
            found, limit, lambda last: encode_page_token(last.organization_id, last.reference_id)
        )

    async def _have_made(self, wish: Wish) -> Provisioned:
        while True:
            written = await self._database.transact(_write, wish, self._policy)
            if isinstance(written, Provisioned):
                return written
            self._wake_workers()
            attempted = await self._await_attempt(written)
            # What was withdrawn is asked for again, and hears why it may not be made.
            if attempted is not None and attempted.account_sid is None:
                raise _not_made(attempted)

    async def _await_attempt(self, written: Provision) -> Provision | None:
        """Return the intent once something has come of an attempt; None if it was withdrawn."""
        under_way = written.lease_end_time is not None
        claim_number = written.claim_number + (0 if under_way else 1)

        def is_over(seen: Provision | None) -> bool:
            if seen is None or seen.account_sid is not None:
                return True
            return seen.claim_number >= claim_number and seen.lease_end_time is None

        return await look_until(
            is_over, lambda: self._database.run(provisions.find_by_tag, written.tag)
        )


async def _write(
    connection: Connection, wish: Wish, policy: SuspensionPolicy
) -> Provision | Provisioned:
    """Write an intent, or return what its reference stands for already."""
    settlement, _ = await settle(connection, wish.organization_id, Reevaluate(), policy)
    known = await provisions.find(connection, wish.organization_id, wish.reference_id)
    if known is not None:
        _require_same(known, wish)
        if known.account_sid is not None:
            return await _provisioned(connection, settlement, known, known.account_sid)
    _require_eligible(settlement, await trouble.read_state(connection))
    if known is not None:
        again = ask_again(known, settlement.now)
        await provisions.save(connection, again)
        return again
    intent = intend(wish, secrets.token_hex(TAG_LENGTH // 2), settlement.now)
    await provisions.insert(connection, intent)
    return intent


async def _provisioned(
    connection: Connection, settlement: Settlement, known: Provision, account_sid: str
) -> Provisioned:
    subaccount = (await subaccounts.find(connection, [account_sid]))[account_sid]
    standing = standing_at(subaccount, settlement.organization, settlement.now)
    twilio_state = await trouble.read_state(connection)
    return Provisioned(standing_with(twilio_state, standing), known.double_account_sids)


def _require_same(known: Provision, wish: Wish) -> None:
    differing = differing_fields(known, wish)
    if differing:
        raise DomainError(
            ErrorReason.REFERENCE_CONFLICT,
            "the reference was used for another subaccount",
            referenceId=wish.reference_id,
            differingFields=",".join(differing),
        )


def _require_eligible(settlement: Settlement, twilio_state: TwilioState) -> None:
    found = (
        *blockers(settlement.organization, settlement.now),
        *trouble_blockers(twilio_state),
    )
    if found:
        raise DomainError(
            ErrorReason.NOT_ELIGIBLE,
            "the organization may not send now",
            blockers=",".join(found),
        )


def _not_made(provision: Provision) -> DomainError:
    message = f"not made yet, and tried again: {provision.last_error or 'it may be under way'}"
    if provision.refusal_code is None:
        return DomainError(ErrorReason.PROVIDER_UNAVAILABLE, message)
    return DomainError(ErrorReason.INVALID_STATE, message, twilioCode=provision.refusal_code)
