"""How all campaigns stand, counted, against a state that the service's own rpcs have made."""

from datetime import UTC, datetime, timedelta

import asyncpg
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from libs.database import Database
from libs.gauging import Gauging
from services.campaign.operations.gauging import GAUGES
from services.campaign.operations.overview import OverviewOperations
from tests.integration.campaign.steps import CampaignSteps, names
from tests.support.databases import ServiceDatabase
from tollgate.campaign.v1 import campaign_service_pb2, overview_pb2

LONG_AGO = (
    "UPDATE campaigns SET pause_time = pause_time - interval '31 days' WHERE campaign_id = $1"
)


async def overview(steps: CampaignSteps) -> overview_pb2.CampaignOverview:
    request = campaign_service_pb2.GetOverviewRequest()
    return (await steps.campaigns.GetOverview(request)).overview


def pauses(seen: overview_pb2.CampaignOverview) -> dict[str, tuple[int, int]]:
    """Return how many are paused for each reason that holds, and for long."""
    return {
        names([each.pause_reason])[0]: (each.count, each.over_30_days_count)
        for each in seen.pauses
        if each.count
    }


async def shown(database: ServiceDatabase) -> CollectorRegistry:
    """Return what a process shows that looks now."""
    registry = CollectorRegistry()
    connected = await Database.connect(SecretStr(database.url), 1, "campaign")
    await Gauging(OverviewOperations(connected).read, GAUGES, registry).look()
    await connected.close()
    return registry


async def test_campaigns_are_counted_by_state_and_reason(
    steps: CampaignSteps,
    database: ServiceDatabase,
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    seen = await overview(steps)
    assert (seen.running_count, seen.paused_organization_count, pauses(seen)) == (0, 0, {})
    assert not seen.emergency_stop.active
    for organization_id in ("org-1", "org-2", "org-3"):
        await steps.make_eligible(organization_id)
    await steps.create_running("one", "two", "three")
    await steps.create_running("four", "five", organization_id="org-2")
    await steps.create_running("six", organization_id="org-3")
    await steps.create("draft")
    await steps.complete("three")
    await steps.pause("two")
    await steps.pause_organization("org-2")
    await connection.execute(LONG_AGO, "five")

    seen = await overview(steps)
    assert (seen.running_count, seen.paused_organization_count) == (2, 1)
    assert pauses(seen) == {"MANUAL_PAUSE": (1, 0), "ORGANIZATION_PAUSE": (2, 1)}
    [oldest] = [each.oldest_time for each in seen.pauses if each.over_30_days_count]
    age = datetime.now(UTC) - oldest.ToDatetime(UTC)
    assert timedelta(days=31) <= age < timedelta(days=31, minutes=1)

    await steps.stop_all(note="wrong prices")
    seen = await overview(steps)
    assert seen.running_count == 0
    assert seen.emergency_stop.active
    assert (seen.emergency_stop.note, seen.emergency_stop.actor) == ("wrong prices", "eve")
    assert pauses(seen) == {"MANUAL_PAUSE": (1, 0), "EMERGENCY_STOP": (4, 1)}

    registry = await shown(database)
    stopped, lapsed = {"reason": "EMERGENCY_STOP"}, {"reason": "SUBSCRIPTION_INACTIVE"}
    for name, labels, value in (
        ("running_campaigns", {}, 0),
        ("emergency_stop", {}, 1),
        ("paused_campaigns", stopped, 4),
        ("paused_campaigns", lapsed, 0),
        ("campaigns_paused_over_30_days", stopped, 1),
        ("oldest_campaign_pause_seconds", lapsed, 0),
    ):
        assert registry.get_sample_value(f"tollgate_{name}", labels) == value, name
    age_seconds = registry.get_sample_value("tollgate_oldest_campaign_pause_seconds", stopped)
    assert age_seconds is not None
    assert 31 <= age_seconds / 86_400 < 31.1

    await steps.resume_all()
    assert (await shown(database)).get_sample_value("tollgate_emergency_stop") == 0
