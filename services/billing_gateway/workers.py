"""The gateway's loops."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from libs.gauging import Gauging
from libs.workers import PollingWorker, Worker
from services.billing_gateway.config import BillingGatewaySettings
from services.billing_gateway.operations.certificates import RememberedCertificates
from services.billing_gateway.operations.errands import Errands
from services.billing_gateway.operations.granting import Granting
from services.billing_gateway.operations.looks import Looks
from services.billing_gateway.operations.overview import Overview
from services.billing_gateway.operations.retention import Retention
from services.billing_gateway.operations.settling import Settling
from services.billing_gateway.operations.watching import Watching

UPKEEP_SECONDS = 60.0


class Steps(NamedTuple):
    """What is done again and again."""

    settling: Settling
    granting: Granting
    looks: Looks
    errands: Errands
    retention: Retention
    watching: Watching
    certificates: RememberedCertificates
    gauging: Gauging[Overview]


class Loops:
    """One or several loops over the same step. They can be woken before they are there."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._workers: list[PollingWorker] = []

    def wake(self) -> None:
        """Let them look for work now."""
        for worker in self._workers:
            worker.wake()

    def wake_in(self, seconds: float) -> None:
        """Let them look for work soon, for what was put off."""
        asyncio.get_running_loop().call_later(seconds, self.wake)

    def build(
        self, step: Callable[[], Awaitable[bool]], interval_seconds: float, count: int = 1
    ) -> list[PollingWorker]:
        """Return the loops to run."""
        self._workers = [
            PollingWorker(f"{self._name}_{number}", step, interval_seconds)
            for number in range(count)
        ]
        return self._workers


class GatewayLoops:
    """All of them; those that others wake are there before what they do."""

    def __init__(self) -> None:
        self.settling = Loops("settling")
        self.looks = Loops("looks")
        self.errands = Loops("errands")
        self.certificates = Loops("certificates")

    def build(self, steps: Steps, settings: BillingGatewaySettings) -> list[Worker]:
        """Return what runs beside the rpcs and the webhooks."""
        poll_seconds = settings.poll_interval_seconds
        return [
            *self.settling.build(
                steps.settling.settle_next, poll_seconds, settings.inbox_concurrency
            ),
            *self.looks.build(steps.looks.do_what_is_due, poll_seconds),
            *self.errands.build(steps.errands.run_due, poll_seconds),
            *self.certificates.build(steps.certificates.exchange, UPKEEP_SECONDS),
            PollingWorker("standing", steps.granting.reevaluate_due, poll_seconds),
            PollingWorker("retention", steps.retention.give_up_some, UPKEEP_SECONDS),
            PollingWorker("watching", steps.watching.watch, UPKEEP_SECONDS),
            steps.gauging.worker(),
        ]
