"""What follows from each of Twilio's codes."""

import pytest

from services.telephony.domain.failures import ADVICE_OF, Action, no_usable_answer, refusal

ACTIONS = {
    10001: Action.WAIT,
    20003: Action.WAIT,
    20005: Action.WAIT,
    20008: Action.OPERATOR,
    20404: Action.OPERATOR,
    20429: Action.RETRY,
    21472: Action.WAIT,
    21475: Action.OPERATOR,
    21476: Action.PARENT,
    21477: Action.OPERATOR,
    21478: Action.OPERATOR,
    21479: Action.OPERATOR,
    21480: Action.WAIT,
}


def test_every_code_of_the_table_is_tested() -> None:
    assert set(ADVICE_OF) == set(ACTIONS)


@pytest.mark.parametrize(("code", "action"), ACTIONS.items())
def test_each_code_has_its_action_and_its_advice(code: int, action: Action) -> None:
    failure = refusal(code, "Twilio refused")
    assert (failure.action, failure.code) == (action, code)
    assert failure.message == f"Twilio refused ({ADVICE_OF[code].next_step})"


def test_a_code_that_nobody_knows_waits_for_people() -> None:
    assert refusal(99999, "Twilio refused").action is Action.WAIT


def test_no_answer_passes_by_itself() -> None:
    assert no_usable_answer("no answer").action is Action.RETRY
