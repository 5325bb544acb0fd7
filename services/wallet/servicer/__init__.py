"""WalletService on the wire: requests become commands, wallets and entries become messages."""

from libs.service import RpcService
from services.wallet.servicer.base import Parts
from services.wallet.servicer.holds import HoldRpcs
from services.wallet.servicer.money import MoneyRpcs
from services.wallet.servicer.overview import OverviewRpcs
from services.wallet.servicer.proofs import ProofRpcs
from services.wallet.servicer.reports import ReportRpcs
from services.wallet.servicer.wallets import WalletRpcs
from tollgate.wallet.v1 import wallet_service_pb2_grpc

SERVICE_NAME = "tollgate.wallet.v1.WalletService"


class WalletServicer(MoneyRpcs, HoldRpcs, WalletRpcs, ProofRpcs, ReportRpcs, OverviewRpcs):
    """All rpcs of the wallet."""


def wallet_service(parts: Parts) -> RpcService:
    """Return the gRPC service of the wallet."""
    return RpcService(
        SERVICE_NAME,
        WalletServicer(parts),
        wallet_service_pb2_grpc.add_WalletServiceServicer_to_server,
    )
