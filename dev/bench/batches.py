"""BatchDebit beside COPY of the very rows that it has written."""

from dev.bench.copying import copied_rows_per_second, database_time
from dev.bench.ledgers import Ledger
from dev.bench.programs import take_timing
from dev.bench.requests import BATCH_SIZE
from dev.bench.rows import Figures

IN_FLIGHT = 4


async def measure_batches(ledger: Ledger, wallets: int, batches: int, what: str) -> Figures:
    """Debits wallets chosen by chance, then copies the entries."""
    start_time = await database_time(ledger.superuser_url)
    timing = await take_timing(
        "dev.bench.client",
        *("--address", ledger.address, "--in-flight", str(IN_FLIGHT)),
        *("batches", "--wallets", str(wallets), "--count", str(batches)),
    )
    return {
        f"{what}_debits_per_second": timing.calls_per_second * BATCH_SIZE,
        f"{what}_client_cores": timing.client_cores,
        f"{what}_copied_rows_per_second": await copied_rows_per_second(
            ledger.superuser_url, start_time
        ),
    }
