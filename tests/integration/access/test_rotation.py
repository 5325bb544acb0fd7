"""Certificates and authorities are replaced while calls go on, and not one good call fails."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dev.certificates import Signer, Wanted, make_authority, to_pem, write_identity
from dev.stack.certificates import HOSTS, directory_of, subject_of
from dev.stack.stack import is_serving
from libs.rpc.channel import open_channel, open_renewed_channel
from libs.rpc.credentials import AUTHORITIES_FILE, Certificates, WatchedCertificates
from tests.support.certificates import certificates_with, read_signer
from tests.support.debits import Load, begin, debit
from tests.support.doors import Door
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

ROLES = ("wallet", "sender")


def believe(certificates: Path, authorities: Iterable[Signer]) -> None:
    """Let the wallet and its caller believe these."""
    content = b"".join(to_pem(each.certificate) for each in authorities)
    for role in ROLES:
        (directory_of(role, certificates) / AUTHORITIES_FILE).write_bytes(content)


def sign_anew(certificates: Path, signer: Signer, authorities: Iterable[Signer]) -> None:
    """Give the wallet and its caller certificates of an authority."""
    for role, hosts in zip(ROLES, (HOSTS, ()), strict=True):
        wanted = Wanted(role, subject_of(role), hosts)
        write_identity(directory_of(role, certificates), signer, wanted, datetime.now(UTC))
    believe(certificates, authorities)


async def test_an_authority_is_replaced_under_load(proven_stack: Stack, wallet: Door) -> None:
    await begin(wallet)
    certificates = wallet.certificates_directory
    old, new = read_signer(certificates), make_authority("the next one", datetime.now(UTC))
    both = b"".join(to_pem(each.certificate) for each in (old, new))
    by_old, by_new = (certificates_with(each, believes=both) for each in (old, new))
    watched = WatchedCertificates(directory_of("sender", certificates))
    channel = open_renewed_channel(wallet.address, watched)
    load = Load(WalletServiceStub(channel))

    async def lets_in(somebody: Certificates) -> bool:
        async with open_channel(wallet.address, somebody) as fresh:
            return await is_serving(fresh)

    async def shows_the_new_one() -> bool:
        """Tell whether both ends do, each to the other."""
        by_server = await lets_in(replace(by_new, authorities=to_pem(new.certificate)))
        newest = wallet.certificates("sender").certificate
        return by_server and watched.current.certificate == newest

    async with load.going_on():
        await load.as_many_again()
        believe(certificates, [old, new])
        await eventually(partial(lets_in, by_new), bool)
        await load.as_many_again()
        sign_anew(certificates, new, [old, new])
        await eventually(shows_the_new_one, bool)
        await load.as_many_again()
        believe(certificates, [new])
        await eventually(partial(lets_in, by_old), lambda is_in: not is_in)
        await load.as_many_again()
    assert load.failures == []
    # Whoever connects now shows what is believed now.
    await proven_stack.stop("wallet")
    await proven_stack.start("wallet")
    await WalletServiceStub(channel).Debit(debit("after-all"), wait_for_ready=True, timeout=10.0)
    await channel.close()
