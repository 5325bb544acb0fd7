"""CompareSubscriptions: asks the providers how they see subscriptions, and records nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.database import Connection, Database
from libs.errors import DomainError
from libs.levels import SubscriptionState
from libs.logs import get_logger
from services.billing_gateway.domain.comparing import as_told, differs
from services.billing_gateway.domain.standing import SeenSubscription, see
from services.billing_gateway.domain.values import Provider, Subscription
from services.billing_gateway.operations.asking import Asking, to_domain_error
from services.billing_gateway.operations.recording.subscriptions import SubscriptionTiming
from services.billing_gateway.ports import Answer, ProviderError
from services.billing_gateway.storage import facts, organizations, subscriptions

COMPARED_MAX = 20
# Of a provider, by all who compare: its patience is for payments, and whoever may look may ask.
ASKED_AT_ONCE_MAX = 10
# Whoever asks asks others as well, and answers no later than the slowest of them.
ANSWER_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A subscription as the gateway has it, and as the provider would have it."""

    ours: SeenSubscription
    # None: the error says why.
    theirs: Subscription | None
    error: str = ""

    @property
    def differs(self) -> bool:
        """Tell whether the provider sees it otherwise."""
        return self.theirs is not None and differs(self.ours.subscription, self.theirs)


@dataclass(frozen=True)
class Comparing:
    """Looks for subscriptions that the providers see otherwise."""

    database: Database
    asking: Asking
    timing: SubscriptionTiming
    answer_seconds_max: float = ANSWER_SECONDS_MAX
    turns: Mapping[Provider, asyncio.Semaphore] = field(
        default_factory=lambda: {
            provider: asyncio.Semaphore(ASKED_AT_ONCE_MAX) for provider in Provider
        }
    )

    async def compare(self, organization_id: str) -> list[Comparison]:
        """Return how each subscription that has not ended is seen by its provider."""
        owned = await self.database.run(subscriptions.list_of_organization, organization_id)
        asked = [each for each in owned if each.state is not SubscriptionState.CANCELED]
        asked = asked[:COMPARED_MAX]
        answers = await asyncio.gather(*(self._ask(each) for each in asked))
        # Read after the answers: what events have told meanwhile is no difference.
        return await self.database.read_snapshot(self._compare_all, asked, answers)

    async def _ask(self, subscription: Subscription) -> Answer | str:
        """Return the answer, or in words why there is none."""
        try:
            provider = self.asking.require(subscription.provider)
            turn = self.turns[subscription.provider]
            async with asyncio.timeout(self.answer_seconds_max), turn:
                return await provider.fetch_subscription(subscription.subscription_id)
        except TimeoutError:
            return f"the provider has not answered within {self.answer_seconds_max:g} s"
        except ProviderError as error:
            return to_domain_error(error).message
        except DomainError as error:
            return error.message
        except Exception:  # noqa: BLE001 - whatever it is, others are compared
            get_logger().exception("compare_failed", subject_id=subscription.subscription_id)
            return "internal error"

    async def _compare_all(
        self,
        connection: Connection,
        asked: Sequence[Subscription],
        answers: Sequence[Answer | str],
    ) -> list[Comparison]:
        return [
            await self._compare(connection, subscription, answer)
            for subscription, answer in zip(asked, answers, strict=True)
        ]

    async def _compare(
        self, connection: Connection, asked: Subscription, answer: Answer | str
    ) -> Comparison:
        provider, subscription_id = asked.provider, asked.subscription_id
        known = await subscriptions.find(connection, provider, subscription_id) or asked
        ours = see(known, self.timing.slack, await organizations.read_clock(connection))
        if isinstance(answer, str):
            return Comparison(ours, None, answer)
        heard = await facts.list_of_subscription(connection, provider, subscription_id)
        theirs = as_told(known, heard, answer.observations, answer.provider_time, self.timing.grace)
        error = "" if theirs else "the provider's answer does not tell how it stands"
        return Comparison(ours, theirs, error)
