"""A backup and its restore, as docs/operations.md has them: what is lost, and how it comes back."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dev.postgres import EmbeddedPostgres
from dev.stripe_simulator import Customer, JsonObject, subscription_event, top_up_event
from tests.support.databases import FAST_SETTINGS
from tests.support.debits import debit
from tests.support.markdown import Block, blocks_of
from tests.support.rehearsal import Host
from tests.support.services import free_address
from tests.support.sights import CUT_OFF, ORGANIZATION, PERIOD_END, SENDING, let_send, reach
from tests.support.stack import SERVICES, Stack, now
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2

PAGE = "docs/operations.md"
CUSTOMER = Customer(ORGANIZATION)
# Of what is paid at first, and of what is paid after the backup.
PAID_MICROS, PAID_LATER_MICROS = 25_000_000, 5_000_000


@pytest.fixture
async def new_server(stack: Stack, tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server that has nothing yet."""
    port = int(free_address().rpartition(":")[2])
    async with EmbeddedPostgres(tmp_path / "new_server", port, FAST_SETTINGS) as server:
        yield server
        await stack.stop()


@pytest.fixture
async def host(stack: Stack, postgres: EmbeddedPostgres, tmp_path: Path) -> Host:
    """Where everything runs, with an organization that sends, and its backup."""
    host = Host(stack, tmp_path, postgres)
    await let_send(stack, CUSTOMER)
    await send(stack, "message-1")
    host.wallet_log.write_text(await log_of_heads(stack))
    [backup] = blocks_of(PAGE, "Backup")
    await host.run(backup)
    return host


async def send(stack: Stack, reference_id: str) -> wallet_service_pb2.DebitResponse:
    """Debit a message, which costs a micro."""
    return await stack.wallet.Debit(debit(reference_id))


async def log_of_heads(stack: Stack) -> str:
    """Return what the wallet logs of its chains, in the form in which it does."""
    request = wallet_service_pb2.ListEntriesRequest(organization_id=ORGANIZATION, page_size=1)
    [last] = (await stack.wallet.ListEntries(request)).entries
    heads = {ORGANIZATION: f"{last.sequence}:{last.chain.hex()}"}
    return json.dumps({"event": "wallet_chain_heads", "time": "2026", "heads": heads})


def later_events(stack: Stack) -> list[JsonObject]:
    """What Stripe tells after the backup: more is paid in, and a renewal is not paid."""
    paid = top_up_event(CUSTOMER, PAID_LATER_MICROS // 10_000, now())
    created = stack.next_second()
    return [paid, subscription_event(CUSTOMER, "updated", "past_due", created, PERIOD_END)]


async def test_all_is_restored_proves_itself_and_is_told_the_rest_again(
    host: Host, stack: Stack, new_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    await send(stack, "message-2")
    events = later_events(stack)
    for event in events:
        assert await stack.deliver(event) == 200
    balance_micros = PAID_MICROS + PAID_LATER_MICROS - 2
    await reach(stack, replace(CUT_OFF, balance_micros=balance_micros))
    (tmp_path / "lost.log").write_text(await log_of_heads(stack))
    host.replace_server(new_server, *SERVICES)

    restore, proof, comparison = blocks_of(PAGE, "Restore")
    await host.run(restore)

    assert "The ledger is in order." in await host.run(proof)
    assert f"WRONG {ORGANIZATION}: TAIL_CUT" in await host.run(comparison)
    await reach(stack, replace(SENDING, balance_micros=PAID_MICROS - 1))
    assert (await send(stack, "message-1")).replayed
    assert not (await send(stack, "message-2")).replayed
    for event in events:
        assert await stack.deliver(event) == 200
    await reach(stack, replace(CUT_OFF, balance_micros=balance_micros))
    assert "The ledger is in order." in await host.run(proof)


async def test_a_wallet_that_is_restored_alone_is_told_its_payments_and_tells_how_it_stands(
    host: Host, stack: Stack
) -> None:
    paid, _ = later_events(stack)
    assert await stack.deliver(paid) == 200
    freeze = wallet_service_pb2.FreezeWalletRequest(
        organization_id=ORGANIZATION, reason=wallet_pb2.FREEZE_REASON_OPERATOR, note="fraud?"
    )
    await stack.wallet.FreezeWallet(freeze)
    later_micros = PAID_MICROS + PAID_LATER_MICROS - 1
    await reach(stack, replace(CUT_OFF, balance_micros=later_micros, pause_reason="WALLET_FROZEN"))

    await host.run(restore_of("wallet"))

    # What an operator did since is not known any more; what is paid is.
    await reach(stack, replace(SENDING, balance_micros=later_micros))


async def test_who_is_restored_alone_is_told_again_how_all_stands(host: Host, stack: Stack) -> None:
    _, past_due = later_events(stack)
    assert await stack.deliver(past_due) == 200
    cut_off = replace(CUT_OFF, balance_micros=PAID_MICROS - 1)
    await reach(stack, cut_off)
    for service in ("campaign", "telephony"):
        await host.run(restore_of(service))
        await reach(stack, cut_off)


async def test_a_gateway_that_is_restored_alone_stands_by_what_it_knew_until_it_is_told(
    host: Host, stack: Stack
) -> None:
    _, past_due = later_events(stack)
    assert await stack.deliver(past_due) == 200
    await reach(stack, replace(CUT_OFF, balance_micros=PAID_MICROS - 1))
    await host.run(restore_of("billing_gateway"))
    await reach(stack, replace(SENDING, balance_micros=PAID_MICROS - 1))
    assert await stack.deliver(past_due) == 200
    await reach(stack, replace(CUT_OFF, balance_micros=PAID_MICROS - 1))


def restore_of(service: str) -> Block:
    """Return the page's commands for the wallet alone, for another service."""
    [of_the_wallet] = blocks_of(PAGE, "Restore one database alone")
    commands = of_the_wallet.text.replace("wallet", service)
    announcers = f"restart billing_gateway {service}"
    assert announcers in commands
    return Block("sh", commands.replace(announcers, "restart billing_gateway wallet"))
