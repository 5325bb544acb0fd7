"""Whatever the console finds, and whatever an alert fires for, stands in the runbook."""

import re

import pytest

from tests.support.markdown import ROOT
from tests.support.monitoring import read_alerts
from tests.support.runbook.document import read_sections
from tests.support.runbook.states import STATES

DOMAIN = ROOT / "services" / "operator_console" / "domain"
WORD = re.compile(r'"([A-Z]+(?:_[A-Z]+)+)"')
# What stands in the rules as well: values of protos, and a reason.
NO_CODE = re.compile(
    r"[A-Z]+_(STATE|REASON|TYPE)_[A-Z_]+|WEBHOOK_EVENT_STATE_.*|INSUFFICIENT_FUNDS"
)
CODES = sorted(
    {
        word
        for file in DOMAIN.rglob("*.py")
        for word in WORD.findall(file.read_text())
        if not NO_CODE.fullmatch(word)
    }
)


@pytest.fixture(scope="module")
def anchors() -> list[str]:
    """What a section of the runbook is found by."""
    return [anchor for section in read_sections() for anchor in section.anchors]


def test_every_finding_has_a_section_of_its_name(anchors: list[str]) -> None:
    assert len(CODES) > 45
    assert not {code.lower().replace("_", "-") for code in CODES} - set(anchors)


def test_every_alert_has_a_section_of_its_name(anchors: list[str]) -> None:
    assert not {alert.anchor for alert in read_alerts().values()} - set(anchors)


def test_every_section_with_commands_has_its_state_and_none_is_of_no_section() -> None:
    assert sorted(STATES) == sorted(each.anchors[0] for each in read_sections() if each.blocks)


def test_no_two_sections_have_one_name(anchors: list[str]) -> None:
    assert len(anchors) == len(set(anchors))


def test_nothing_of_the_runbook_is_done_in_a_database() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text()
    assert not re.search(r"\b(psql -|SELECT|UPDATE|DELETE FROM|INSERT INTO)\b", text)
