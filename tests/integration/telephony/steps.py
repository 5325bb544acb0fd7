"""What tests do with a telephony service and its Twilio, in few words."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from dev.simulators.twilio import TwilioSimulator
from tests.support.level_steps import ORGANIZATION, LevelSteps
from tests.support.waiting import eventually
from tollgate.telephony.v1 import organization_pb2, subaccount_pb2, telephony_service_pb2
from tollgate.telephony.v1.telephony_service_pb2_grpc import TelephonyServiceStub

ONE, TWO, THREE = (f"AC{digit * 32}" for digit in "123")


def many_sids(sid_count: int) -> list[str]:
    """Return other SIDs, in their order."""
    return [f"ACf{number:031x}" for number in range(sid_count)]


# Sweeps are an hour apart, all else that is looked at again comes in seconds.
LEFT_ALONE_FOR = timedelta(minutes=10)


def is_left_alone(subaccount: subaccount_pb2.Subaccount) -> bool:
    """Tell whether nothing is to be done but to look again now and then."""
    if not subaccount.HasField("next_attempt_time"):
        return True
    wait = subaccount.next_attempt_time.ToDatetime(UTC) - subaccount.observe_time.ToDatetime(UTC)
    return wait > LEFT_ALONE_FOR


@dataclass(frozen=True)
class Sight:
    """A subaccount as Tollgate shows it and as it is at Twilio."""

    wanted: str
    observed: str
    at_twilio: str
    settled: bool


ACTIVE = Sight("ACTIVE", "ACTIVE", "active", settled=True)
SUSPENDED = Sight("SUSPENDED", "SUSPENDED", "suspended", settled=True)


@dataclass(frozen=True)
class Change:
    """A line of a subaccount's history, in few words."""

    account_sid: str
    line: str
    began: tuple[str, str]
    ended: tuple[str, str]
    actor: str
    note: str
    error: str
    time: datetime
    ended_call_count: int
    canceled_message_count: int


class TelephonySteps(LevelSteps):
    """Speaks to a telephony service as backends, the gateway and the wallet do."""

    def __init__(self, channel: grpc.aio.Channel, twilio: TwilioSimulator) -> None:
        super().__init__(channel)
        self.telephony = TelephonyServiceStub(channel)
        self.twilio = twilio

    async def register(
        self, account_sid: str = ONE, organization_id: str = ORGANIZATION, brand_id: str = ""
    ) -> subaccount_pb2.Subaccount:
        request = telephony_service_pb2.RegisterSubaccountRequest(
            organization_id=organization_id, brand_id=brand_id, account_sid=account_sid
        )
        return (await self.telephony.RegisterSubaccount(request)).subaccount

    async def get(self, account_sid: str = ONE) -> subaccount_pb2.Subaccount:
        request = telephony_service_pb2.GetSubaccountRequest(account_sid=account_sid)
        return (await self.telephony.GetSubaccount(request)).subaccount

    async def organization(
        self, organization_id: str = ORGANIZATION
    ) -> organization_pb2.Organization:
        request = telephony_service_pb2.GetOrganizationRequest(organization_id=organization_id)
        return (await self.telephony.GetOrganization(request)).organization

    async def suspend(
        self,
        organization_id: str = ORGANIZATION,
        *,
        note: str = "complaints",
        actor: str = "ann",
    ) -> list[str]:
        request = telephony_service_pb2.SuspendSubaccountsRequest(
            organization_id=organization_id, note=note, actor=actor
        )
        answer = await self.telephony.SuspendSubaccounts(request)
        return [each.account_sid for each in answer.subaccounts]

    async def reactivate(
        self, organization_id: str = ORGANIZATION, *, note: str = "", actor: str = "ann"
    ) -> list[str]:
        request = telephony_service_pb2.ReactivateSubaccountsRequest(
            organization_id=organization_id, note=note, actor=actor
        )
        answer = await self.telephony.ReactivateSubaccounts(request)
        return [each.account_sid for each in answer.subaccounts]

    async def list_sids(
        self, request: telephony_service_pb2.ListSubaccountsRequest | None = None
    ) -> list[str]:
        answer = await self.telephony.ListSubaccounts(
            request or telephony_service_pb2.ListSubaccountsRequest()
        )
        return [each.account_sid for each in answer.subaccounts]

    async def list_changes(self, **wanted: Any) -> list[Change]:
        """Read the whole history, newest first, page by page."""
        changes: list[Change] = []
        while True:
            request = telephony_service_pb2.ListSubaccountChangesRequest(**wanted)
            answer = await self.telephony.ListSubaccountChanges(request)
            changes.extend(change_of(each) for each in answer.changes)
            if not answer.next_page_token:
                return changes
            wanted["page_token"] = answer.next_page_token

    async def sending_blockers(
        self, organization_id: str = ORGANIZATION, brand_id: str = ""
    ) -> list[str]:
        request = telephony_service_pb2.CanOrganizationSendRequest(
            organization_id=organization_id, brand_id=brand_id
        )
        answer = await self.telephony.CanOrganizationSend(request)
        assert answer.allowed == (not answer.blockers)
        return [blocker_name(each) for each in answer.blockers]

    async def make_good(self, organization_id: str = ORGANIZATION) -> None:
        await self.report_subscription(good=True, organization_id=organization_id)
        await self.report_wallet(organization_id=organization_id)

    async def let_send(self, *account_sids: str) -> None:
        """Bring the organization to where it sends with these subaccounts."""
        await self.make_good()
        for account_sid in account_sids:
            await self.register(account_sid)
        await self.reach(ACTIVE, *account_sids)

    async def look(self, account_sid: str = ONE) -> Sight:
        subaccount = await self.get(account_sid)
        return Sight(
            wanted=wanted_name(subaccount.wanted),
            observed=observed_name(subaccount.observed),
            at_twilio=self.twilio.status(account_sid),
            settled=is_left_alone(subaccount),
        )

    async def reach(self, wanted: Sight, *account_sids: str) -> None:
        """Wait until the subaccounts stand so and nothing is left to do."""
        for account_sid in account_sids or (ONE,):
            await eventually(
                lambda sid=account_sid: self.look(sid),  # type: ignore[misc]
                lambda seen: seen == wanted,
            )


def wanted_name(value: subaccount_pb2.WantedState.ValueType) -> str:
    return subaccount_pb2.WantedState.Name(value).removeprefix("WANTED_STATE_")


def observed_name(value: subaccount_pb2.ObservedState.ValueType) -> str:
    return subaccount_pb2.ObservedState.Name(value).removeprefix("OBSERVED_STATE_")


def change_of(change: subaccount_pb2.SubaccountChange) -> Change:
    cause = subaccount_pb2.SubaccountChangeCause.Name(change.cause)
    began = wanted_name(change.wanted_from), observed_name(change.observed_from)
    ended = wanted_name(change.wanted_to), observed_name(change.observed_to)
    return Change(
        account_sid=change.account_sid,
        line=f"{cause.removeprefix('SUBACCOUNT_CHANGE_CAUSE_')} "
        f"{began[0]}>{ended[0]} {began[1]}>{ended[1]}",
        began=began,
        ended=ended,
        actor=change.actor,
        note=change.note,
        error=change.error,
        time=change.create_time.ToDatetime(UTC),
        ended_call_count=change.ended_call_count,
        canceled_message_count=change.canceled_message_count,
    )


def blocker_name(value: subaccount_pb2.Blocker.ValueType) -> str:
    return subaccount_pb2.Blocker.Name(value).removeprefix("BLOCKER_")
