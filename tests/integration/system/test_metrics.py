"""What the running services show, by name: alerts and people on call look for it."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from libs import gauging
from libs.version import VERSION
from tests.support.database_door import DatabaseDoor
from tests.support.metrics import exported_metrics, scrape
from tests.support.stack import CONSOLE, SERVICES, Stack
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

ROOT = Path(__file__).parents[3]
EVERYWHERE = {
    "tollgate_build_info": {"version", "python"},
    "tollgate_event_loop_lag_seconds_bucket": {"le"},
    "tollgate_rpcs_total": {"method", "reason"},
    "tollgate_rpc_seconds_bucket": {"method", "le"},
}
WITH_A_DATABASE = {
    "tollgate_database_up": set[str](),
    "tollgate_database_pool_connections": {"pool", "state"},
    "tollgate_database_pool_connections_max": {"pool"},
    "tollgate_database_errors_total": {"pool", "cause"},
    "tollgate_long_transactions": set[str](),
    "tollgate_oldest_long_transaction_seconds": set[str](),
}
ANNOUNCING = {
    "tollgate_announcements_total": {"level", "observer", "outcome"},
    "tollgate_announcements_pending": {"level", "observer"},
    "tollgate_oldest_announcement_seconds": {"level", "observer"},
}
OWN: Mapping[str, Mapping[str, set[str]]] = {
    "wallet": {
        **WITH_A_DATABASE,
        **ANNOUNCING,
        "tollgate_debits_total": {"kind", "outcome"},
        "tollgate_wallet_batch_commands_bucket": {"le"},
        "tollgate_wallet_queue_commands": set(),
        "tollgate_wallets": {"standing"},
        "tollgate_wallet_freezes": {"reason"},
        "tollgate_oldest_wallet_freeze_seconds": {"reason"},
        "tollgate_ledger_check_last_round_time_seconds": set(),
        "tollgate_ledger_check_last_walk_time_seconds": set(),
        "tollgate_ledger_check_doubts_keys": set(),
        "tollgate_ledger_check_findings_total": {"kind"},
    },
    "campaign": {
        **WITH_A_DATABASE,
        "tollgate_running_campaigns": set(),
        "tollgate_paused_campaigns": {"reason"},
        "tollgate_oldest_campaign_pause_seconds": {"reason"},
        "tollgate_campaigns_paused_over_30_days": {"reason"},
        "tollgate_emergency_stop": set(),
        "tollgate_campaign_watchers": set(),
    },
    "telephony": {
        **WITH_A_DATABASE,
        "tollgate_subaccounts": {"standing"},
        "tollgate_oldest_subaccount_seconds": {"standing"},
        "tollgate_subaccount_drifts_total": {"observed"},
        "tollgate_provisions": {"standing"},
        "tollgate_oldest_provision_seconds": {"standing"},
        "tollgate_twilio_state": {"state"},
        "tollgate_twilio_calls_total": {"call", "outcome"},
        "tollgate_twilio_double_accounts_total": set(),
    },
    "billing_gateway": {
        **WITH_A_DATABASE,
        **ANNOUNCING,
        "tollgate_webhook_deliveries_total": {"provider", "status"},
        "tollgate_webhook_events": {"provider", "state"},
        "tollgate_oldest_webhook_event_seconds": {"provider", "state"},
        "tollgate_last_webhook_event_time_seconds": {"provider"},
        "tollgate_subscriptions": {"state"},
        "tollgate_provider_calls_total": {"provider", "call", "outcome"},
    },
    CONSOLE: {},
}
# Of what nobody was called for yet, labels are not known.
CALLED_LATER = {"tollgate_twilio_calls_total", "tollgate_provider_calls_total"}


async def test_every_service_shows_what_is_looked_for(stopped_stack: Stack) -> None:
    exported = await exported_metrics(stopped_stack)
    assert exported.keys() == OWN.keys()
    for service, own in OWN.items():
        looked_for = {**EVERYWHERE, **own}
        shown = {name: labels for name, labels in exported[service].items() if name in looked_for}
        # Of what is not called for yet, labels are not known.
        expected = {
            **looked_for,
            **{name: None for name, labels in shown.items() if labels is None},
        }
        assert shown == expected, service
        assert {name for name, labels in shown.items() if labels is None} <= CALLED_LATER


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


FIND_ONE = """
CREATE OR REPLACE FUNCTION public.list_long_transactions() RETURNS TABLE (
    process_id integer, role text, application_name text, state text, start_time timestamptz,
    waiting_count integer
) LANGUAGE sql AS $$
    SELECT 4711, 'postgres', 'psql', 'idle in transaction', now() - interval '1 hour', 2
$$
"""
FORGET = "DROP FUNCTION public.list_long_transactions()"


async def rewrite(stack: Stack, statement: str) -> None:
    for database in stack.databases.values():
        connection = await asyncpg.connect(database.superuser_url)
        await connection.execute(statement)
        await connection.close()


async def process_ids(stack: Stack) -> list[list[int]]:
    """Return the long transactions of each overview."""
    wallet = await stack.wallet.GetOverview(wallet_service_pb2.GetOverviewRequest())
    campaign = await stack.campaign.GetOverview(campaign_service_pb2.GetOverviewRequest())
    telephony = await stack.telephony.GetOverview(telephony_service_pb2.GetOverviewRequest())
    gateway = await stack.gateway.GetOverview(billing_gateway_service_pb2.GetOverviewRequest())
    return [
        [each.process_id for each in found]
        for found in (
            wallet.overview.long_transactions,
            campaign.overview.long_transactions,
            telephony.overview.long_transactions,
            gateway.overview.long_transactions,
        )
    ]


async def test_long_transactions_are_in_every_overview_as_far_as_something_can_tell(
    stopped_stack: Stack,
) -> None:
    await rewrite(stopped_stack, FIND_ONE)
    await stopped_stack.start()
    assert await process_ids(stopped_stack) == [[4711]] * 4

    async def shown() -> Sequence[tuple[float | None, float | None]]:
        found = [await scrape(stopped_stack.metrics_addresses[name]) for name in SERVICES]
        return [
            (
                each.value("tollgate_long_transactions"),
                each.value("tollgate_oldest_long_transaction_seconds"),
            )
            for each in found
        ]

    for count, age in await eventually(shown, lambda it: (None, None) not in it):
        assert count == 1
        assert age == pytest.approx(3600, abs=60)

    # As where the databases were set up by an older release.
    await rewrite(stopped_stack, FORGET)
    assert await process_ids(stopped_stack) == [[]] * 4


async def test_without_its_database_a_service_shows_that_and_no_numbers(
    stopped_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauging, "GAUGE_SECONDS", 0.1)
    url = stopped_stack.databases["wallet"].url
    port = str(urlsplit(url).port)
    door = DatabaseDoor("127.0.0.1", int(port))
    await door.open()
    through_door = url.replace(f":{port}/", f":{door.port}/")
    database = replace(stopped_stack.databases["wallet"], url=through_door)
    stopped_stack.databases = {**stopped_stack.databases, "wallet": database}
    await stopped_stack.start("wallet")

    async def shown() -> tuple[float | None, float | None]:
        found = await scrape(stopped_stack.metrics_addresses["wallet"])
        frozen = found.value("tollgate_wallets", standing="frozen")
        return found.value("tollgate_database_up"), frozen

    await eventually(shown, lambda it: it == (1, 0))
    await door.shut()
    await eventually(shown, lambda it: it == (0, None))
    await door.open()
    await eventually(shown, lambda it: it == (1, 0))
    await stopped_stack.stop()
    await door.shut()
