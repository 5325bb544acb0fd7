"""Who blocked an organization and why is seen, and who lifted that, whatever else blocks it."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from services.telephony.domain.changes import ChangeCause, Reason
from tests.integration.telephony.conftest import Parts
from tests.integration.telephony.levels import make_good, subscription_level
from tests.integration.telephony.steps import (
    ONE,
    SUSPENDED,
    TWO,
    TelephonySteps,
    blocker_name,
)
from tests.support.level_steps import ORGANIZATION
from tests.support.waiting import eventually
from tollgate.telephony.v1 import subaccount_pb2

# As many as a request may have.
NOTE_BYTES_MAX = 1000


def author_of(block: subaccount_pb2.OperatorBlock) -> tuple[str, str]:
    assert abs(block.create_time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    return block.actor, block.note


async def test_a_block_of_what_is_suspended_already_is_shown_and_told_with_its_author(
    steps: TelephonySteps,
) -> None:
    await steps.let_send(ONE, TWO)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED, ONE, TWO)
    before = await steps.list_changes()
    assert not (await steps.get()).HasField("operator_block")

    await steps.suspend()
    assert author_of((await steps.get()).operator_block) == ("ann", "complaints")
    # The first note stays, and a word that changes nothing is not told.
    await steps.suspend(note="spam", actor="bob")
    assert author_of((await steps.get()).operator_block) == ("ann", "complaints")
    await steps.reactivate(note="settled", actor="cyd")
    assert not (await steps.get()).HasField("operator_block")
    await steps.reactivate(note="settled again", actor="dan")

    for account_sid in (ONE, TWO):
        lines = (await steps.list_changes(account_sid=account_sid))[: -len(before) // 2]
        assert [(each.line, each.actor, each.note) for each in reversed(lines)] == [
            ("OPERATOR SUSPENDED>SUSPENDED SUSPENDED>SUSPENDED", "ann", "complaints"),
            ("OPERATOR SUSPENDED>SUSPENDED SUSPENDED>SUSPENDED", "cyd", "settled"),
        ]


async def test_a_block_of_an_organization_without_subaccounts_is_shown_with_its_author(
    steps: TelephonySteps,
) -> None:
    await steps.suspend()
    seen = await steps.organization()
    assert author_of(seen.operator_block) == ("ann", "complaints")
    assert [blocker_name(each) for each in seen.blockers] == await steps.sending_blockers()
    await steps.register(ONE)
    assert author_of((await steps.get()).operator_block) == ("ann", "complaints")
    await steps.reactivate()
    assert not (await steps.organization()).HasField("operator_block")


async def test_an_organization_is_shown_with_the_levels_that_block_it(
    steps: TelephonySteps,
) -> None:
    unknown = await steps.organization("org-of-nobody")
    assert (unknown.organization_id, unknown.HasField("wallet")) == ("org-of-nobody", False)
    assert not unknown.HasField("subscription")
    assert [blocker_name(each) for each in unknown.blockers] == [
        "LEVELS_MISSING",
        "SUBACCOUNT_MISSING",
    ]
    await steps.report_subscription(good=True, revision=7)
    await steps.report_wallet(depleted=True, owing_micros=7, revision=3)
    found = await steps.organization()
    assert (found.subscription.revision, found.subscription.good_standing) == (7, True)
    assert found.subscription.good_until.ToDatetime().year == 2999
    assert (found.wallet.revision, found.wallet.frozen, found.wallet.depleted) == (3, False, True)
    assert found.wallet.owing_micros == 7
    assert [blocker_name(each) for each in found.blockers] == [
        "WALLET_DEPLETED",
        "DEBT_OWED",
        "SUBACCOUNT_MISSING",
    ]


async def test_a_block_that_finds_a_lapse_is_told_besides_it(parts: Parts) -> None:
    await make_good(parts.organizations, ORGANIZATION)
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    soon = datetime.now(UTC) + timedelta(milliseconds=100)
    lapsing = subscription_level(revision=2, good_until=soon)
    await parts.organizations.observe_subscription(ORGANIZATION, lapsing)
    await eventually(
        lambda: parts.sending.find_blockers(ORGANIZATION, ""),
        lambda found: "SUBSCRIPTION_INACTIVE" in found,
    )
    await parts.organizations.block(ORGANIZATION, "complaints", "ann")
    newest, before, _ = await parts.list_changes()
    assert newest.reason == Reason(ChangeCause.OPERATOR, "ann", "complaints")
    assert (before.reason, before.create_time) == (Reason(ChangeCause.TIME), soon)


@pytest.mark.parametrize("account_sids", [(), (ONE,)], ids=["none", "one"])
async def test_the_log_tells_who_set_the_block_and_who_lifted_it(
    parts: Parts, account_sids: tuple[str, ...]
) -> None:
    for account_sid in account_sids:
        await parts.subaccounts.register(ORGANIZATION, "", account_sid)
    with capture_logs() as lines:
        for actor in ("ann", "bob"):
            await parts.organizations.block(ORGANIZATION, f"note of {actor}", actor)
        for actor in ("cyd", "dan"):
            await parts.organizations.unblock(ORGANIZATION, f"note of {actor}", actor)
    told = [line for line in lines if line["event"].startswith("operator_block")]
    assert [(line["event"], line["organization_id"], line["note"]) for line in told] == [
        ("operator_block_set", ORGANIZATION, "note of ann"),
        ("operator_block_lifted", ORGANIZATION, "note of cyd"),
    ]


async def test_notes_are_kept_whole(steps: TelephonySteps) -> None:
    await steps.register()
    note = "n" * NOTE_BYTES_MAX
    await steps.suspend(note=note)
    assert (await steps.get()).operator_block.note == note
    assert note in {change.note for change in await steps.list_changes()}
