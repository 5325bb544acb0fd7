"""Measures, shows the table and keeps the figures; succeeds whatever they are."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from rich.console import Console

from dev.bench.machine import this_machine
from dev.bench.measuring import last_measures_of, measure_rounds, measures_of
from dev.bench.options import Options, parse_options
from dev.bench.report import Report, table_of, write_report
from dev.bench.screen import add_bar, bars
from dev.bench.site import POSTGRES_SETTINGS, run_site
from dev.stack.__main__ import log_to
from dev.stack.errors import StackError
from dev.stack.screen import show_problem

# Where the terminal is narrower, or none, lines may wrap but not the table's cells.
TABLE_WIDTH = 130


def main() -> None:
    console = Console(highlight=False)
    options = parse_options()
    log_to(options.log_directory / "bench.log")
    try:
        report = uvloop.run(bench(console, options))
    except StackError as error:
        show_problem(console, error)
        sys.exit(1)
    except (asyncio.CancelledError, KeyboardInterrupt):
        console.print("Stopped.")
        sys.exit(1)
    write_report(options.json, report)
    Console(highlight=False, width=max(console.width, TABLE_WIDTH)).print(table_of(report))
    console.print(f"Every round's figures: {options.json}", soft_wrap=True)


async def bench(console: Console, options: Options) -> Report:
    """A run that is told to stop leaves nothing behind."""
    run = asyncio.ensure_future(prepare_and_measure(console, options))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, run.cancel)
    return await run


async def prepare_and_measure(console: Console, options: Options) -> Report:
    load_before, _, _ = os.getloadavg()
    with (
        TemporaryDirectory(prefix="run-", dir=options.data_directory) as folder,
        bars(console) as progress,
    ):
        preparing = add_bar(progress, "Preparing", options.entries)
        async with run_site(options, Path(folder), preparing) as site:
            measures, last_measures = measures_of(site, options), last_measures_of(site, options)
            total = options.rounds * len(measures) + len(last_measures)
            measuring = add_bar(progress, "Measuring", total)
            rounds = await measure_rounds(measures, last_measures, options.rounds, measuring)
            return Report(
                date=datetime.now(UTC).isoformat(timespec="seconds"),
                machine=this_machine(await site.postgres_version(), load_before),
                options=options,
                postgres_settings=POSTGRES_SETTINGS,
                rounds=rounds,
            )


if __name__ == "__main__":
    main()
