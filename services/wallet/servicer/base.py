"""What every rpc of the wallet stands on."""

from datetime import timedelta
from typing import NamedTuple

from services.wallet.operations.engine import Engine
from services.wallet.operations.overview import OverviewOperations
from services.wallet.operations.repairs import Repairs
from services.wallet.operations.reports import Reports
from services.wallet.operations.verification import Verification
from services.wallet.operations.wallets import WalletOperations
from tollgate.wallet.v1 import wallet_service_pb2_grpc


class Parts(NamedTuple):
    """The wallet's operations, and settings that requests are completed with."""

    engine: Engine
    wallets: WalletOperations
    verification: Verification
    repairs: Repairs
    reports: Reports
    overview: OverviewOperations
    default_currency_code: str
    late_window: timedelta


class Rpcs(wallet_service_pb2_grpc.WalletServiceServicer):
    """A family of rpcs: translates, and decides nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._engine = parts.engine
        self._wallets = parts.wallets
        self._default_currency_code = parts.default_currency_code
        self._late_window = parts.late_window
