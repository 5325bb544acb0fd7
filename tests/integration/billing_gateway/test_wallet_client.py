"""What the gateway asks the wallet."""

import pytest

from libs.errors import DomainError, ErrorReason
from libs.rpc.channel import open_channel
from services.billing_gateway.clients import WalletClient
from tests.support.stack import Stack


async def test_the_currency_is_that_of_the_wallet_if_there_is_one(stack: Stack) -> None:
    channel = open_channel(stack.addresses["wallet"])
    client = WalletClient(channel)
    assert await client.find_currency("org-1") is None
    await client.create_wallet("org-1", "EUR")
    assert await client.find_currency("org-1") == "EUR"
    await stack.stop("wallet")
    with pytest.raises(DomainError) as caught:
        await client.find_currency("org-1")
    assert caught.value.reason is ErrorReason.SERVICE_UNAVAILABLE
    await channel.close()
