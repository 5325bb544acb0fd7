"""What tests do about subaccounts that are made, in few words."""

import aiohttp
import grpc

from dev.simulators.twilio import TwilioSimulator
from tests.integration.telephony.steps import TelephonySteps
from tests.support.level_steps import ORGANIZATION
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN
from tests.support.waiting import eventually
from tollgate.telephony.v1 import telephony_service_pb2

# Of a busy machine.
PATIENCE_SECONDS = 60.0
CREATE, LIST = "create_account", "list_account"


def wish(**changed: str) -> telephony_service_pb2.ProvisionSubaccountRequest:
    """Return a request that is well, but for what is changed."""
    asked = {
        "organization_id": ORGANIZATION,
        "brand_id": "acme",
        "friendly_name": "Acme Ltd",
        "reference_id": "ref-1",
    }
    return telephony_service_pb2.ProvisionSubaccountRequest(**{**asked, **changed})


class ProvisionSteps(TelephonySteps):
    """Asks for subaccounts, and looks at what Twilio has made."""

    async def ask(self, **changed: str) -> telephony_service_pb2.ProvisionSubaccountResponse:
        """Ask once."""
        return await self.telephony.ProvisionSubaccount(wish(**changed))

    async def made(self, **changed: str) -> str:
        """Ask, and again for as long as it is worth trying again; return the SID."""
        return await eventually(lambda: self._made_yet(**changed), bool, PATIENCE_SECONDS)

    async def _made_yet(self, **changed: str) -> str:
        try:
            return (await self.ask(**changed)).subaccount.account_sid
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return ""

    async def at_twilio(self, status: str = "") -> dict[str, str]:
        """Return the names of what Twilio has made, by its SID."""
        return await made_at(self.twilio, status)

    async def registered(self) -> list[str]:
        """Return what one account is registered with the organization, once one is."""
        return await eventually(self.list_sids, bool, PATIENCE_SECONDS)

    def count_asked(self, operation: str) -> int:
        """Return how often Twilio was asked for this."""
        return sum(each.operation == operation for each in self.twilio.requests)


async def made_at(twilio: TwilioSimulator, status: str = "") -> dict[str, str]:
    """Return the names of the subaccounts as Twilio shows them, by another way than Tollgate's."""
    headers = {"Authorization": aiohttp.encode_basic_auth(TWILIO_SID, TWILIO_TOKEN)}
    url = f"{twilio.base_url}/2010-04-01/Accounts.json?PageSize=1000"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        accounts = (await answer.json())["accounts"]
    return {
        each["sid"]: each["friendly_name"]
        for each in accounts
        if each["sid"] != TWILIO_SID and status in {"", each["status"]}
    }
