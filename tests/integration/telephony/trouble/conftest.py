"""A service that is patient with a busy machine, and steps that know of trouble with Twilio."""

from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from dev.simulators.twilio import TwilioSimulator
from services.telephony.config import TelephonySettings
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.trouble.steps import TroubleSteps
from tests.support.databases import ServiceDatabase

PATIENT: Mapping[str, Any] = {"twilio_timeout_seconds": 2.0}


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings of the service."""
    return telephony_settings(database, twilio, **PATIENT)


@pytest.fixture
def steps(channel: grpc.aio.Channel, twilio: TwilioSimulator) -> TroubleSteps:
    """What can be done with the service."""
    return TroubleSteps(channel, twilio)
