"""What is to be said of services that do not answer, and of transactions that hold others up."""

from collections.abc import Callable, Iterator
from typing import Final

from services.operator_console.domain.commands import Commands
from services.operator_console.domain.findings import (
    CRITICAL,
    WARNING,
    Circumstances,
    Finding,
    Silence,
    why_note,
)
from tollgate.operations.v1 import operations_pb2

LONG_TRANSACTION: Final = "LONG_TRANSACTION"

WHAT_IT_DOES: Final = {
    Silence.SERVICE_DOWN: "does not answer: ",
    Silence.DATABASE_DOWN: "",
    Silence.SERVICE_FAILING: "has not answered everything: ",
    Silence.SET_UP_OUTDATED: "",
    Silence.ACCESS_REFUSED: "refuses the console: ",
}
WHAT_IT_MEANS: Final = {
    Silence.SERVICE_DOWN: "Nothing it owns is known or done now; the other services go on with "
    "what they know.",
    Silence.DATABASE_DOWN: "It can answer nothing and does nothing now; the other services go on "
    "with what they know.",
    Silence.SERVICE_FAILING: "It runs, and has not answered all that it was asked in time; what it "
    "owns is known in part.",
    Silence.SET_UP_OUTDATED: "What only a superuser makes in its database is missing, so that "
    "nobody sees transactions that hold others up.",
    Silence.ACCESS_REFUSED: "The console may not ask it: its certificate is not believed, or "
    "stands in refused_callers.",
}
BY_ITSELF: Final = {
    Silence.SERVICE_DOWN: "Once it runs again it catches up: levels are announced until they are "
    "acknowledged.",
    Silence.DATABASE_DOWN: "Once the database is back the service goes on, without a restart.",
    Silence.SERVICE_FAILING: "If it has too much to do, that passes; see its log otherwise.",
    Silence.ACCESS_REFUSED: "",
    Silence.SET_UP_OUTDATED: "",
}


def silent_services(circumstances: Circumstances) -> Iterator[Finding]:
    """Tell of each service that cannot be asked, and why as far as can be told from outside."""
    yield from _silent(circumstances, lambda silence: silence is not Silence.SERVICE_FAILING)


def failing_services(circumstances: Circumstances) -> Iterator[Finding]:
    """Tell of each service that is there, and has not answered everything."""
    yield from _silent(circumstances, lambda silence: silence is Silence.SERVICE_FAILING)


def _silent(circumstances: Circumstances, is_meant: Callable[[Silence], bool]) -> Iterator[Finding]:
    for service, unanswered in circumstances.unanswered.items():
        if not is_meant(unanswered.silence):
            continue
        yield Finding(
            severity=WARNING if unanswered.silence is Silence.SET_UP_OUTDATED else CRITICAL,
            code=unanswered.silence,
            what=f"{service}: {WHAT_IT_DOES[unanswered.silence]}{unanswered.error}",
            why=WHAT_IT_MEANS[unanswered.silence],
            by_itself=BY_ITSELF[unanswered.silence],
            next_step=_next_step(circumstances.commands, service, unanswered.silence),
        )


def _next_step(commands: Commands, service: str, silence: Silence) -> str:
    if silence is Silence.SERVICE_DOWN:
        # To be asked in vain tells nothing more: it ends once somebody has started the service.
        return commands.wait_for(service)
    if silence is Silence.SERVICE_FAILING:
        return commands.operate(service, "ListLongTransactions")
    return commands.check_health(service)


def long_transaction(
    circumstances: Circumstances, service: str, transaction: operations_pb2.LongTransaction
) -> Finding:
    """Tell of a transaction that holds locks; it matters at once if somebody waits for them."""
    waiting = transaction.waiting_count
    name = transaction.application_name or "unnamed"
    who = f"process {transaction.process_id} ({transaction.role}, {name})"
    since = transaction.start_time.ToDatetime().strftime("%H:%M:%S UTC")
    return Finding(
        severity=CRITICAL if waiting else WARNING,
        code=LONG_TRANSACTION,
        what=f"{who} holds locks in the database {service} since {since}, {transaction.state}; "
        f"waiting for it: {waiting}",
        why="Whoever needs what it holds waits, and is refused after a while: debits of a wallet, "
        "for instance.",
        by_itself="PostgreSQL ends it if it stays idle for a minute.",
        next_step=circumstances.commands.operate(
            service,
            "EndLongTransaction",
            process_id=transaction.process_id,
            note=why_note(LONG_TRANSACTION),
        ),
        since_time=transaction.start_time,
    )
