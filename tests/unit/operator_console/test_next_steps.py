"""What a person is told to do next leads on from what is amiss."""

import pytest

from services.operator_console.domain.findings import Silence, Unanswered, conclude
from services.operator_console.domain.organization import RULES
from services.operator_console.domain.organization.events import more_of_its_own
from services.operator_console.domain.organization.levels import announcer_of
from services.operator_console.domain.system import RULES as SYSTEM_RULES
from tests.support.console_cases import ago, organization_case, seen_well, system_case
from tollgate.billing_gateway.v1 import payment_pb2, webhook_event_pb2
from tollgate.operations.v1 import operations_pb2
from tollgate.operator_console.v1 import diagnosis_pb2

FAILING = {"wallet": Unanswered(Silence.SERVICE_FAILING, "DEADLINE_EXCEEDED")}
LOCK = operations_pb2.LongTransaction(process_id=7, waiting_count=3, start_time=ago(seconds=30))


def locked(seen: diagnosis_pb2.Seen) -> None:
    seen.long_transactions.add(service="wallet", transaction=LOCK)


def test_what_holds_up_a_service_is_told_before_that_it_is_held_up() -> None:
    codes = [each.code for each in conclude(RULES, organization_case(locked, unanswered=FAILING))]
    assert codes[:2] == ["LONG_TRANSACTION", "SERVICE_FAILING"]
    case = system_case(
        lambda overview: overview.wallet.long_transactions.append(LOCK), unanswered=FAILING
    )
    codes = [each.code for each in conclude(SYSTEM_RULES, case)]
    assert codes[:2] == ["LONG_TRANSACTION", "SERVICE_FAILING"]


@pytest.mark.parametrize(
    ("silence", "begin", "asked"),
    [
        (Silence.SERVICE_DOWN, "until grpcurl ", "Health/Check; do sleep"),
        (Silence.DATABASE_DOWN, "grpcurl ", "Health/Check"),
        (Silence.SERVICE_FAILING, "grpcurl ", "OperationsService/ListLongTransactions"),
        (Silence.ACCESS_REFUSED, "grpcurl ", "Health/Check"),
    ],
)
def test_who_is_down_is_waited_for_and_who_is_there_is_asked(
    silence: Silence, begin: str, asked: str
) -> None:
    case = organization_case(unanswered={"campaign": Unanswered(silence, "no")})
    step = conclude(RULES, case)[0].next_step
    assert step.startswith(begin)
    assert asked in step


def test_who_tells_a_level_is_asked_why_it_is_not_taken() -> None:
    assert announcer_of("wallet") == "wallet"
    assert announcer_of("subscription") == announcer_of("payment") == "billing_gateway"


def event(event_id: str, *objects: str, owner: str = "") -> webhook_event_pb2.WebhookEvent:
    return webhook_event_pb2.WebhookEvent(
        event_id=event_id, organization_id=owner, provider_object_ids=objects
    )


def test_events_of_nobody_are_its_own_if_they_speak_of_what_it_has() -> None:
    seen = seen_well()
    [subscription] = seen.subscriptions
    subscription.provider_subscription_id = "sub_1"
    subscription.provider_customer_id = "cus_1"
    seen.subscriptions.add(provider_subscription_id="sub_3")
    seen.payments.append(
        payment_pb2.Payment(provider_object_ids=["pi_1"], provider_subscription_id="sub_4")
    )
    mine = [
        event("a", "sub_1"),
        event("b", "cus_1", "in_2"),
        event("c", "pi_1"),
        event("h", "sub_4"),
    ]
    # What is settled is somebody's already; and who has no customer yet is not like all others.
    others = [event("d", "sub_2"), event("e"), event("f", "sub_1", owner="org-2"), event("g", "")]
    assert more_of_its_own("org-1", seen, [*mine, *others]) == mine


def test_older_events_of_its_own_are_not_forgotten_nor_told_twice() -> None:
    seen = seen_well()
    newest = event("a", owner="org-1")
    seen.events.append(newest)
    older = event("b", owner="org-1")
    assert more_of_its_own("org-1", seen, [newest, older]) == [older]
