"""No balance is negative, and none is other than its entries say: the wallet proves it."""

import grpc

from preflight.given import Given
from preflight.online.channels import channel_to
from preflight.problems import Problem
from tollgate.wallet.v1.wallet_service_ledger_pb2 import VerifyLedgerRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

SETTING = "OPERATOR_CONSOLE_SERVICES"


async def ledger_problems(given: Given) -> list[Problem]:
    """Have every wallet proved."""
    async with channel_to(given, "wallet") as channel:
        if channel is None:
            return []
        finding_count = 0
        try:
            async for response in WalletServiceStub(channel).VerifyLedger(VerifyLedgerRequest()):
                finding_count = response.summary.finding_count
        except grpc.aio.AioRpcError as error:
            return [Problem(SETTING, f"the wallet does not prove its ledger: {error.code().name}")]
    if finding_count:
        return [Problem("ledger", f"VerifyLedger has {finding_count} findings")]
    return []
