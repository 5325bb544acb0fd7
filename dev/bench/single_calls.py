"""Single calls, many in flight or one; a bare server can be asked just the same."""

from pathlib import Path

from dev.bench.ledgers import Ledger
from dev.bench.load import Timing
from dev.bench.programs import take_timing
from dev.bench.rows import Figures
from dev.bench.statements import CHAIN_KEY, DATABASE_URL

IN_FLIGHT = 256


async def measure_throughput(
    address: str, calls: str, seconds: float, what: str, tls_directory: Path | None = None
) -> Figures:
    timing = await _call(address, calls, IN_FLIGHT, seconds, tls_directory)
    return {
        f"{what}_per_second": timing.calls_per_second,
        f"{what}_client_cores": timing.client_cores,
    }


async def measure_latency(address: str, calls: str, seconds: float, what: str) -> Figures:
    timing = await _call(address, calls, 1, seconds)
    return {f"{what}_microseconds": timing.median_microseconds}


async def measure_statements(ledger: Ledger, seconds: float) -> Figures:
    """The median of what a lone debit asks of PostgreSQL."""
    timing = await take_timing(
        "dev.bench.statements",
        *("--seconds", str(seconds)),
        environment={DATABASE_URL: ledger.database_url, CHAIN_KEY: ledger.chain_key},
    )
    return {"lone_statements_microseconds": timing.median_microseconds}


async def _call(
    address: str, calls: str, in_flight: int, seconds: float, tls_directory: Path | None = None
) -> Timing:
    return await take_timing(
        "dev.bench.client",
        *("--address", address, "--in-flight", str(in_flight)),
        *(("--tls", str(tls_directory)) if tls_directory else ()),
        *(calls, "--seconds", str(seconds)),
    )
