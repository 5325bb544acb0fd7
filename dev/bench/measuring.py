"""Rounds in which everything is measured once, one thing after the other.

What takes its figures from many organizations, and minutes, is measured after them, once.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from dev.bench import pgbench
from dev.bench.batches import measure_batches
from dev.bench.entry_size import measure_entry_size
from dev.bench.ingest import measure_ingest
from dev.bench.mass import measure_mass
from dev.bench.options import Options
from dev.bench.reactions import measure_pauses, measure_suspensions
from dev.bench.rows import Figures
from dev.bench.screen import Bar
from dev.bench.single_calls import measure_latency, measure_statements, measure_throughput
from dev.bench.site import Site
from dev.bench.watching import measure_watching

Measure = Callable[[], Awaitable[Figures]]


def measures_of(site: Site, options: Options) -> Mapping[str, Measure]:
    """In the order in which they are taken: what is compared stands side by side."""
    seconds = options.seconds
    return {
        "pgbench": partial(
            pgbench.measure_transactions, site.superuser_url, seconds, site.directory
        ),
        "Debit": partial(measure_throughput, site.empty.address, "debits", seconds, "debits"),
        "Debit, proven": partial(
            measure_throughput,
            site.proven_address,
            "debits",
            seconds,
            "proven_debits",
            tls_directory=site.sender,
        ),
        "no-op": partial(measure_throughput, site.no_op_address, "debits", seconds, "no_op_calls"),
        "Debit, large ledger": partial(
            measure_throughput, site.large.address, "debits", seconds, "debits_in_large_ledger"
        ),
        "CanOrganizationSend": partial(
            measure_throughput, site.telephony.address, "questions", seconds, "questions"
        ),
        "CanOrganizationSend, no-op": partial(
            measure_throughput, site.no_op_address, "questions", seconds, "no_op_questions"
        ),
        "a lone no-op": partial(
            measure_latency, site.no_op_address, "debits", seconds / 2, "lone_no_op"
        ),
        "a lone Debit": partial(
            measure_latency, site.empty.address, "debits", seconds / 2, "lone_debit"
        ),
        "a lone debit's statements": partial(measure_statements, site.empty, seconds / 2),
        "BatchDebit": partial(measure_batches, site.batched, 1, options.batches, "batched"),
        "BatchDebit, many wallets": partial(
            measure_batches, site.batched, options.wallets, options.batches, "spread"
        ),
        "an entry on disk": partial(measure_entry_size, site.empty),
        "Stripe ingest": partial(measure_ingest, site.gateway, "stripe", options.deliveries),
        "PayPal ingest": partial(measure_ingest, site.gateway, "paypal", options.deliveries),
    }


def last_measures_of(site: Site, options: Options) -> Mapping[str, Measure]:
    """What is measured once."""
    return {
        "depleted wallets": partial(measure_pauses, site.campaigns, options.reactions),
        "watched campaigns": partial(measure_watching, site.campaigns, options.reactions),
        "canceled subscriptions": partial(
            measure_suspensions, site.gateway, site.telephony, options.reactions
        ),
        "all canceled at once": partial(measure_mass, site.telephony, options.canceled),
    }


async def measure_rounds(
    measures: Mapping[str, Measure], last_measures: Mapping[str, Measure], rounds: int, bar: Bar
) -> list[Figures]:
    """The figures of what is measured once stand with the last round's."""
    *before, last = [await _measure_round(measures, bar) for _ in range(rounds)]
    return [*before, {**last, **await _measure_round(last_measures, bar)}]


async def _measure_round(measures: Mapping[str, Measure], bar: Bar) -> Figures:
    figures: dict[str, float] = {}
    for what, measure in measures.items():
        bar.begin(what)
        figures |= await measure()
        bar.advance()
    return figures
