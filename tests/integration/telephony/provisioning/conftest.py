"""A telephony service that is quick to look for what was made twice."""

import grpc
import pytest

from dev.simulators.twilio import TwilioSimulator
from services.telephony.config import TelephonySettings
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.provisioning.steps import ProvisionSteps
from tests.support.databases import ServiceDatabase

RECHECK_SECONDS = 0.3


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings of the service."""
    return telephony_settings(database, twilio, twilio_recheck_seconds=RECHECK_SECONDS)


@pytest.fixture
def steps(channel: grpc.aio.Channel, twilio: TwilioSimulator) -> ProvisionSteps:
    """What can be done with the service."""
    return ProvisionSteps(channel, twilio)
