"""What can be told only by asking: databases, providers, the services that run, Alertmanager."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from preflight.given import OWNERS, Given
from preflight.online.databases import migration_problems, role_problems
from preflight.online.gateway import event_problems
from preflight.online.ledger import ledger_problems
from preflight.online.monitoring import receiver_problems
from preflight.online.providers import paypal_problems, stripe_problems, twilio_problems
from preflight.problems import Problem

ANSWER_SECONDS_MAX: Final = 15.0
# It proves every entry of every wallet.
LEDGER_SECONDS_MAX: Final = 3_600.0


class Question(NamedTuple):
    """What is asked, and for how long."""

    subject: str
    ask: Callable[[Given], Awaitable[list[Problem]]]
    seconds_max: float = ANSWER_SECONDS_MAX


QUESTIONS: Final = (
    *(
        Question(name, ask)
        for service in OWNERS
        for name, ask in (role_problems(service), migration_problems(service))
    ),
    Question("TWILIO_AUTH_TOKEN", twilio_problems),
    Question("PAYPAL_CLIENT_SECRET", paypal_problems),
    Question("STRIPE_API_KEY", stripe_problems),
    Question("OPERATOR_CONSOLE_SERVICES", ledger_problems, LEDGER_SECONDS_MAX),
    Question("OPERATOR_CONSOLE_SERVICES", event_problems),
    Question("PREFLIGHT_ALERTMANAGER_URL", receiver_problems),
)


async def check_online(given: Given) -> list[Problem]:
    """Ask everything at once; what cannot be asked for lack of settings is not."""
    answers = await asyncio.gather(*(_ask(question, given) for question in QUESTIONS))
    return [problem for answer in answers for problem in answer]


async def _ask(question: Question, given: Given) -> list[Problem]:
    try:
        async with asyncio.timeout(question.seconds_max):
            return await question.ask(given)
    except TimeoutError:
        return [Problem(question.subject, f"no answer in {question.seconds_max:g} seconds")]
