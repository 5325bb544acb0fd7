"""The simulated accounts are as true as Tollgate needs them."""

import re
from datetime import timedelta

import aiohttp
import pytest
from twilio.rest import Client

from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.rules import Rules
from tests.integration.twilio_simulator.conftest import ManualClock
from tests.integration.twilio_simulator.steps import (
    ONE,
    OTHER,
    PARENT,
    TOO_LATE_SECONDS,
    CheckedHttpClient,
    account,
    client_of,
    refusal_of,
)

DOCUMENTED_SUBRESOURCES = {
    "available_phone_numbers": "AvailablePhoneNumbers",
    "calls": "Calls",
    "conferences": "Conferences",
    "incoming_phone_numbers": "IncomingPhoneNumbers",
    "notifications": "Notifications",
    "outgoing_caller_ids": "OutgoingCallerIds",
    "recordings": "Recordings",
    "transcriptions": "Transcriptions",
    "addresses": "Addresses",
    "signing_keys": "SigningKeys",
    "connect_apps": "ConnectApps",
    "sip": "SIP",
    "authorized_connect_apps": "AuthorizedConnectApps",
    "usage": "Usage",
    "keys": "Keys",
    "applications": "Applications",
    "short_codes": "SMS/ShortCodes",
    "queues": "Queues",
    "messages": "Messages",
    "balance": "Balance",
}


class TestAccount:
    async def test_is_active_at_first_sight(self, twilio: Client) -> None:
        fetched = await account(twilio, ONE).fetch_async()
        assert (fetched.sid, fetched.status) == (ONE, "active")
        assert (fetched.owner_account_sid, fetched.type) == (PARENT, "Full")
        assert fetched.auth_token
        again = await account(twilio, ONE).fetch_async()
        assert again.auth_token == fetched.auth_token
        other = await account(twilio, OTHER).fetch_async()
        assert other.auth_token != fetched.auth_token

    async def test_stays_as_it_was_told(
        self, twilio: Client, simulator: TwilioSimulator, clock: ManualClock
    ) -> None:
        created_at = clock.time
        await account(twilio, ONE).fetch_async()
        clock.time += timedelta(hours=1)
        updated = await account(twilio, ONE).update_async(status="suspended")
        clock.time += timedelta(hours=1)
        fetched = await account(twilio, ONE).fetch_async()
        assert updated.status == fetched.status == simulator.status(ONE) == "suspended"
        assert (fetched.date_created, fetched.date_updated) == (
            created_at,
            created_at + timedelta(hours=1),
        )
        assert simulator.status(OTHER) == "active"
        assert (await account(twilio, ONE).update_async(status="active")).status == "active"

    async def test_may_be_renamed(self, twilio: Client, simulator: TwilioSimulator) -> None:
        await account(twilio, ONE).update_async(status="suspended")
        await account(twilio, ONE).update_async(friendly_name="Ärzte & Söhne")
        assert (await account(twilio, ONE).fetch_async()).friendly_name == "Ärzte & Söhne"
        assert simulator.status(ONE) == "suspended"

    async def test_once_closed_stays_closed(self, twilio: Client) -> None:
        await account(twilio, ONE).update_async(status="closed")
        for status in ("active", "suspended"):
            reopening = account(twilio, ONE).update_async(status=status)
            assert await refusal_of(reopening) == (400, 21479)
        assert (await account(twilio, ONE).fetch_async()).status == "closed"

    async def test_takes_no_other_status(self, twilio: Client, simulator: TwilioSimulator) -> None:
        for status in ("paused", "", "ACTIVE"):
            assert await refusal_of(account(twilio, ONE).update_async(status=status)) == (
                400,
                21475,
            )
        assert simulator.status(ONE) == "active"

    async def test_of_the_parent_keeps_its_status(self, twilio: Client) -> None:
        update = account(twilio, PARENT).update_async(status="suspended")
        assert await refusal_of(update) == (400, 21477)
        fetched = await account(twilio, PARENT).fetch_async()
        assert (fetched.status, fetched.owner_account_sid) == ("active", PARENT)

    @pytest.mark.parametrize("sid", ["AC123", "AC" + "g" * 32, "AC" + "1" * 33, "PN" + "1" * 32])
    async def test_with_a_malformed_sid_is_not_found(self, twilio: Client, sid: str) -> None:
        assert await refusal_of(account(twilio, sid).fetch_async()) == (404, 20404)
        update = account(twilio, sid).update_async(status="suspended")
        assert await refusal_of(update) == (404, 20404)

    async def test_has_the_shape_that_twilio_documents(self, web: aiohttp.ClientSession) -> None:
        async with web.get(f"/2010-04-01/Accounts/{ONE}.json") as response:
            body = await response.json()
        assert re.fullmatch("[0-9a-f]{32}", body.pop("auth_token"))
        assert body.pop("subresource_uris") == {
            name: f"/2010-04-01/Accounts/{ONE}/{resource}.json"
            for name, resource in DOCUMENTED_SUBRESOURCES.items()
        }
        assert body == {
            "date_created": "Fri, 20 Nov 2026 08:30:00 +0000",
            "date_updated": "Fri, 20 Nov 2026 08:30:00 +0000",
            "friendly_name": "SubAccount Created at 2026-11-20 08:30",
            "owner_account_sid": PARENT,
            "sid": ONE,
            "status": "active",
            "type": "Full",
            "uri": f"/2010-04-01/Accounts/{ONE}.json",
        }


class TestParent:
    async def test_that_is_suspended_takes_everybody_along(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        await account(twilio, OTHER).update_async(status="closed")
        simulator.set_status(PARENT, AccountStatus.SUSPENDED)
        for sid, status in ((PARENT, "suspended"), (ONE, "suspended"), (OTHER, "closed")):
            assert (await account(twilio, sid).fetch_async()).status == status
        for status in ("active", "suspended", "closed"):
            update = account(twilio, ONE).update_async(status=status)
            assert await refusal_of(update) == (400, 21476)
        assert await refusal_of(twilio.api.v2010.accounts.create_async()) == (403, 10001)
        simulator.set_status(PARENT, AccountStatus.ACTIVE)
        assert (await account(twilio, ONE).fetch_async()).status == "active"
        assert (await account(twilio, ONE).update_async(status="suspended")).status == "suspended"

    async def test_that_is_closed_is_let_in_no_more(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.set_status(PARENT, AccountStatus.CLOSED)
        assert await refusal_of(account(twilio, PARENT).fetch_async()) == (401, 20003)
        assert simulator.status(ONE) == "closed"


async def test_what_twilio_itself_suspended_the_parent_cannot_activate(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    simulator.set_status(ONE, AccountStatus.SUSPENDED, by_twilio=True)
    for status in ("active", "closed"):
        update = account(twilio).update_async(status=status)
        assert await refusal_of(update) == (400, 21478)
    assert (await account(twilio).update_async(status="suspended")).status == "suspended"
    simulator.set_status(ONE, AccountStatus.ACTIVE)
    assert (await account(twilio).update_async(status="suspended")).status == "suspended"
    assert (await account(twilio).update_async(status="active")).status == "active"


class TestCreated:
    async def test_has_a_sid_and_a_token_of_its_own(self, twilio: Client) -> None:
        accounts = twilio.api.v2010.accounts
        made = [await accounts.create_async(friendly_name="Acme") for _ in range(2)]
        assert [each.friendly_name for each in made] == ["Acme", "Acme"]
        assert {each.status for each in made} == {"active"}
        assert len({each.sid for each in made} | {each.auth_token for each in made}) == 4
        assert (await account(twilio, made[0].sid).fetch_async()).auth_token == made[0].auth_token
        unnamed = await accounts.create_async()
        assert unnamed.friendly_name == "SubAccount Created at 2026-11-20 08:30"

    async def test_has_a_name_that_is_not_too_long(self, twilio: Client) -> None:
        accounts = twilio.api.v2010.accounts
        longest = await accounts.create_async(friendly_name="x" * 64)
        assert longest.friendly_name == "x" * 64
        assert await refusal_of(accounts.create_async(friendly_name="x" * 65)) == (400, 20001)
        renaming = account(twilio, longest.sid).update_async(friendly_name="x" * 65)
        assert await refusal_of(renaming) == (400, 20001)

    async def test_is_not_one_too_many(self, twilio: Client, simulator: TwilioSimulator) -> None:
        simulator.set_rules(Rules(subaccounts_max=2))
        accounts = twilio.api.v2010.accounts
        first, _ = await accounts.create_async(), await accounts.create_async()
        assert await refusal_of(accounts.create_async()) == (400, 21480)
        await account(twilio, first.sid).update_async(status="closed")
        await accounts.create_async()
        assert await refusal_of(accounts.create_async()) == (400, 21480)

    async def test_alone_exists_where_a_rule_says_so(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        simulator.set_rules(Rules(any_subaccount_exists=False))
        made = await twilio.api.v2010.accounts.create_async()
        assert (await account(twilio, made.sid).fetch_async()).status == "active"
        assert await refusal_of(account(twilio, ONE).fetch_async()) == (404, 20404)
        update = account(twilio, ONE).update_async(status="suspended")
        assert await refusal_of(update) == (404, 20404)
        listed = await twilio.api.v2010.accounts.list_async()
        assert [each.sid for each in listed] == [made.sid, PARENT]


class TestList:
    async def test_is_cut_into_pages(self, twilio: Client) -> None:
        accounts = twilio.api.v2010.accounts
        made = [(await accounts.create_async()).sid for _ in range(6)]
        newest_first = [*reversed(made), PARENT]
        for size in (1, 2, 3, 6, 7, 50):
            listed = await accounts.list_async(page_size=size)
            assert [each.sid for each in listed] == newest_first
        page = await accounts.page_async(page_size=3)
        assert [each.sid for each in page] == newest_first[:3]
        second = await page.next_page_async()
        assert [each.sid for each in second] == newest_first[3:6]
        back = await second.previous_page_async()
        assert [each.sid for each in back] == newest_first[:3]

    async def test_passes_nothing_over_while_it_is_made(self, twilio: Client) -> None:
        accounts = twilio.api.v2010.accounts
        made = [(await accounts.create_async()).sid for _ in range(4)]
        page = await accounts.page_async(status="active", page_size=2)
        assert [each.sid for each in page] == [made[3], made[2]]
        for sid in made[2:]:
            await account(twilio, sid).update_async(status="suspended")
        await accounts.create_async()
        following = await page.next_page_async()
        assert [each.sid for each in following] == [made[1], made[0]]

    async def test_is_filtered_by_status_and_by_the_whole_name(self, twilio: Client) -> None:
        accounts = twilio.api.v2010.accounts
        one = await accounts.create_async(friendly_name="one")
        two = await accounts.create_async(friendly_name="one & two")
        await account(twilio, one.sid).update_async(status="suspended")
        for filters, found in (
            ({"friendly_name": "one"}, [one]),
            ({"friendly_name": "one & two"}, [two]),
            ({"friendly_name": "on"}, []),
            ({"status": "suspended"}, [one]),
            ({"status": "closed"}, []),
            ({"status": "active", "friendly_name": "one"}, []),
        ):
            listed = await accounts.list_async(**filters)
            assert [each.sid for each in listed] == [each.sid for each in found]

    async def test_tells_its_places_as_twilio_does(
        self, twilio: Client, web: aiohttp.ClientSession
    ) -> None:
        made = [
            (await twilio.api.v2010.accounts.create_async(friendly_name="a b")).sid
            for _ in range(3)
        ]
        path = "/2010-04-01/Accounts.json"
        start = f"{path}?FriendlyName=a+b&PageSize=2&Page="
        async with web.get(f"{start}0") as response:
            first = await response.json()
        async with web.get(first["next_page_uri"]) as response:
            last = await response.json()
        assert [each["sid"] for each in first.pop("accounts")] == made[:0:-1]
        assert [each["sid"] for each in last.pop("accounts")] == made[:1]
        assert first == {
            "end": 1,
            "first_page_uri": f"{start}0",
            "next_page_uri": f"{start}1&PageToken=PA{made[1]}",
            "page": 0,
            "page_size": 2,
            "previous_page_uri": None,
            "start": 0,
            "uri": f"{start}0",
        }
        assert last == {
            "end": 2,
            "first_page_uri": f"{start}0",
            "next_page_uri": None,
            "page": 1,
            "page_size": 2,
            "previous_page_uri": f"{start}0&PageToken=PB{made[0]}",
            "start": 2,
            "uri": f"{start}1&PageToken=PA{made[1]}",
        }

    @pytest.mark.parametrize(
        "query", ["Page=1", "Page=x", "PageSize=x", "Page=1&PageToken=PA1", f"PageToken=XX{PARENT}"]
    )
    async def test_has_no_page_that_no_page_led_to(
        self, web: aiohttp.ClientSession, query: str
    ) -> None:
        async with web.get(f"/2010-04-01/Accounts.json?{query}") as response:
            assert (response.status, (await response.json())["code"]) == (400, 20001)


class TestSubaccount:
    async def test_sees_itself_and_changes_nothing(
        self, twilio: Client, simulator: TwilioSimulator
    ) -> None:
        made = await twilio.api.v2010.accounts.create_async()
        async with CheckedHttpClient(timeout=TOO_LATE_SECONDS) as http_client:
            own = client_of(simulator.base_url, http_client, made.sid, made.auth_token)
            assert (await account(own, made.sid).fetch_async()).sid == made.sid
            for call in (
                account(own, made.sid).update_async(status="suspended"),
                account(own, ONE).fetch_async(),
                own.api.v2010.accounts.create_async(),
            ):
                assert await refusal_of(call) == (401, 20003)
            await account(twilio, made.sid).update_async(status="suspended")
            assert await refusal_of(account(own, made.sid).fetch_async()) == (401, 20003)
        assert [each.asked_by for each in simulator.requests] == [
            PARENT,
            *[made.sid] * 4,
            PARENT,
            made.sid,
        ]


class TestErrors:
    async def test_have_twilios_shape(self, web: aiohttp.ClientSession) -> None:
        async with web.post(
            f"/2010-04-01/Accounts/{PARENT}.json", data={"Status": "x"}
        ) as response:
            assert response.status == 400
            assert await response.json() == {
                "code": 21475,
                "message": "Unable to update Status, invalid Status.",
                "more_info": "https://www.twilio.com/docs/errors/21475",
                "status": 400,
            }

    async def test_meet_whoever_is_not_the_parent(self, simulator: TwilioSimulator) -> None:
        async with CheckedHttpClient(timeout=TOO_LATE_SECONDS) as http_client:
            stranger = client_of(simulator.base_url, http_client, token="guessed")
            update = account(stranger, ONE).update_async(status="suspended")
            assert await refusal_of(update) == (401, 20003)
        async with (
            aiohttp.ClientSession(simulator.base_url) as nobody,
            nobody.get(f"/2010-04-01/Accounts/{ONE}.json") as response,
        ):
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Basic ")
        assert simulator.status(ONE) == "active"

    async def test_meet_resources_that_are_not_simulated(self, twilio: Client) -> None:
        assert await refusal_of(account(twilio, ONE).balance.fetch_async()) == (404, 20404)
