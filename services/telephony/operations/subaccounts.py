"""Registers and reads subaccounts. None of it waits for Twilio."""

from collections.abc import Callable
from dataclasses import replace

from libs.database import Connection, Database
from libs.errors import invalid_field
from libs.paging import (
    ChangeKey,
    Page,
    decode_change_key,
    decode_page_token,
    encode_page_token,
    page_limit,
    page_of,
    page_of_changes,
)
from services.telephony.domain.changes import (
    ChangeCause,
    ChangeFilter,
    Reason,
    SubaccountChange,
    registration,
)
from services.telephony.domain.commands import Reevaluate
from services.telephony.domain.decision import (
    normal_account_sid,
    register,
    require_same_registration,
    subaccount_not_found,
)
from services.telephony.domain.standing import standing_at
from services.telephony.domain.trouble import standing_with
from services.telephony.domain.values import Standing, SubaccountFilter, SuspensionPolicy
from services.telephony.operations.settling import settle
from services.telephony.storage import changes, subaccounts, trouble


class SubaccountOperations:
    """The subaccounts' registration and reads."""

    def __init__(
        self,
        database: Database,
        policy: SuspensionPolicy,
        parent_account_sid: str,
        wake_reconciler: Callable[[], None],
    ) -> None:
        self._database = database
        self._policy = policy
        self._parent_account_sid = normal_account_sid(parent_account_sid)
        self._wake_reconciler = wake_reconciler

    async def register(
        self, organization_id: str, brand_id: str, account_sid: str, actor: str = ""
    ) -> Standing:
        """Put a subaccount under the organization's rule."""
        account_sid = normal_account_sid(account_sid)
        if account_sid == self._parent_account_sid:
            raise invalid_field("account_sid", "is the platform's own account")
        standing = await self._database.transact(
            self._register, organization_id, brand_id, account_sid, actor
        )
        self._wake_reconciler()
        return standing

    async def _register(
        self,
        connection: Connection,
        organization_id: str,
        brand_id: str,
        account_sid: str,
        actor: str,
    ) -> Standing:
        reason = Reason(ChangeCause.REGISTERED, actor)
        return await register_in(
            connection, organization_id, brand_id, account_sid, policy=self._policy, reason=reason
        )

    async def get(self, account_sid: str) -> Standing:
        """Return a subaccount as it stands now."""
        account_sid = normal_account_sid(account_sid)
        standing = await self._database.run(subaccounts.read, account_sid)
        if standing is None:
            raise subaccount_not_found(account_sid)
        return standing

    async def list_page(
        self, which: SubaccountFilter, page_size: int, page_token: str
    ) -> Page[Standing]:
        """Return a page of subaccounts by their SID."""
        key = decode_page_token(page_token, str)
        limit = page_limit(page_size)
        after = str(key[0]) if key else ""
        found = await self._database.run(subaccounts.list_standings, which, after, limit + 1)
        return page_of(found, limit, lambda last: encode_page_token(last.subaccount.account_sid))

    async def list_changes(
        self, which: ChangeFilter, page_size: int, page_token: str
    ) -> Page[SubaccountChange]:
        """Return a page of history, newest first."""
        if which.account_sid:
            which = replace(which, account_sid=normal_account_sid(which.account_sid))
        limit = page_limit(page_size)
        before = decode_change_key(page_token)
        found = await self._database.run(changes.list_changes, which, before, limit + 1)
        return page_of_changes(
            found, limit, lambda last: ChangeKey(last.create_time, last.sequence)
        )


async def register_in(
    connection: Connection,
    organization_id: str,
    brand_id: str,
    account_sid: str,
    *,
    policy: SuspensionPolicy,
    reason: Reason,
) -> Standing:
    """Put a subaccount under the organization's rule, as a part of a transaction."""
    settlement, _ = await settle(connection, organization_id, Reevaluate(), policy)
    organization, now = settlement.organization, settlement.now
    new = register(organization, brand_id, account_sid, policy, now)
    twilio_state = await trouble.read_state(connection)
    if await subaccounts.insert(connection, new):
        await changes.append(connection, [registration(new, reason)])
        return standing_with(twilio_state, standing_at(new, organization, now))
    found = (await subaccounts.find(connection, [account_sid]))[account_sid]
    require_same_registration(found, organization_id, brand_id)
    return standing_with(twilio_state, standing_at(found, organization, now))
