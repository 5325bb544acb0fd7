"""What tests of trouble with all of Twilio do and see."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
from structlog.testing import capture_logs

from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.state import ReceivedRequest
from tests.integration.telephony.steps import TelephonySteps, observed_name
from tests.support.databases import ServiceDatabase
from tests.support.stack import TWILIO_SID
from tests.support.waiting import eventually
from tollgate.telephony.v1 import subaccount_pb2, telephony_service_pb2, twilio_health_pb2

# A test with hundreds of subaccounts on a machine that is busy.
PATIENCE_SECONDS = 60.0
# What may be under way, and what was claimed with it, before the first failures are heard of.
FEW_CALLS = 20


class TroubleSteps(TelephonySteps):
    """Speaks to a service whose Twilio is in trouble."""

    async def health(self) -> twilio_health_pb2.TwilioHealth:
        request = telephony_service_pb2.GetTwilioHealthRequest()
        return (await self.telephony.GetTwilioHealth(request)).health

    async def state(self) -> str:
        value = (await self.health()).state
        return twilio_health_pb2.TwilioState.Name(value).removeprefix("TWILIO_STATE_")

    async def reach_state(self, wanted: str) -> None:
        await eventually(self.state, lambda state: state == wanted, PATIENCE_SECONDS)

    async def reach_probes(self, probe_count: int) -> None:
        await eventually(
            self.health, lambda health: health.probe_count >= probe_count, PATIENCE_SECONDS
        )

    async def list_all(self, **wanted: Any) -> list[subaccount_pb2.Subaccount]:
        request = telephony_service_pb2.ListSubaccountsRequest(page_size=500, **wanted)
        return list((await self.telephony.ListSubaccounts(request)).subaccounts)

    async def reach_all(self, observed: str, count: int, organization_id: str) -> None:
        """Wait until so many subaccounts stand so, as is wanted of them."""

        async def settled_count() -> int:
            found = await self.list_all(organization_id=organization_id, drifted=False)
            return sum(observed_name(each.observed) == observed for each in found)

        await eventually(settled_count, lambda settled: settled == count, PATIENCE_SECONDS)

    async def reach_at_twilio(self, status: AccountStatus, account_sids: Iterable[str]) -> None:
        wanted = dict.fromkeys(account_sids, status)

        async def at_twilio() -> dict[str, AccountStatus]:
            return {sid: self.twilio.status(sid) for sid in wanted}

        await eventually(at_twilio, lambda seen: seen == wanted, PATIENCE_SECONDS)

    async def reach_attempts(self, account_sid: str, attempt_count: int) -> None:
        await eventually(
            lambda: self.get(account_sid),
            lambda seen: seen.attempt_count >= attempt_count,
            PATIENCE_SECONDS,
        )

    async def reach_no_attempts(self) -> None:
        """Wait until what was under way has been given back: nobody is blamed."""
        await eventually(
            self.list_all,
            lambda found: not any(each.attempt_count for each in found),
            PATIENCE_SECONDS,
        )

    @property
    def calls(self) -> list[ReceivedRequest]:
        """What was asked of Twilio but for the probes."""
        return [each for each in self.twilio.requests if not is_probe(each)]

    @property
    def probes(self) -> list[ReceivedRequest]:
        return [each for each in self.twilio.requests if is_probe(each)]

    @contextmanager
    def counting_calls(self) -> Iterator[list[ReceivedRequest]]:
        """Collect the calls until the end of the block."""
        before, during = len(self.calls), list[ReceivedRequest]()
        yield during
        during.extend(self.calls[before:])


def is_probe(request: ReceivedRequest) -> bool:
    return request.sid == TWILIO_SID and request.operation == "fetch_account"


@contextmanager
def changes_logged() -> Iterator[list[str]]:
    """Collect what is logged of Twilio's state, as it was > as it is."""
    told: list[str] = []
    with capture_logs() as lines:
        yield told
    told.extend(
        f"{line['was']}>{line['state']}"
        for line in lines
        if line["event"] == "twilio_state_changed"
    )


# Of those that stand suspended all that follows is over, too.
SETTLE = """
INSERT INTO subaccounts (
    account_sid, organization_id, brand_id, wanted, observed, told, urgent, last_error,
    attempt_count, next_attempt_time, claim_number, create_time, aftermath_begin_time,
    aftermath_due_time, aftermath_attempt_count, aftermath_ended_call_count,
    aftermath_canceled_message_count, aftermath_found_call_count, aftermath_message_refused,
    aftermath_error
)
SELECT account_sid, $2, '', $3, $3, $3, false, '', 0, in_an_hour, 0, now(), followed.*
FROM unnest($1::text[]) AS made (account_sid)
    CROSS JOIN (SELECT now() + interval '1 hour') AS hour (in_an_hour)
    LEFT JOIN (SELECT now(), now() + interval '1 hour', 0, 0, 0, 0, false, '') AS followed
    ON $3 = 'SUSPENDED'
"""


async def settle(
    database: ServiceDatabase,
    twilio: TwilioSimulator,
    account_sids: Sequence[str],
    organization_id: str,
    status: AccountStatus,
) -> None:
    """Have subaccounts that have long stood as is wanted of them, at Twilio as well."""
    for account_sid in account_sids:
        twilio.set_status(account_sid, status)
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(SETTLE, account_sids, organization_id, status.name)
    await connection.close()
