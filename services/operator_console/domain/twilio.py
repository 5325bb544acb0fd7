"""Twilio as a whole, as a finding."""

from typing import Final

from services.operator_console.domain.findings import CRITICAL, Circumstances, Finding
from tollgate.telephony.v1 import twilio_health_pb2

CODES: Final = {
    twilio_health_pb2.TWILIO_STATE_UNAVAILABLE: "TWILIO_UNAVAILABLE",
    twilio_health_pb2.TWILIO_STATE_PARENT_SUSPENDED: "TWILIO_PARENT_SUSPENDED",
    twilio_health_pb2.TWILIO_STATE_CREDENTIALS_REFUSED: "TWILIO_CREDENTIALS_REFUSED",
}
WHY: Final = {
    twilio_health_pb2.TWILIO_STATE_UNAVAILABLE: "It does not answer. See its status page, and tell "
    "customers; nobody is advised to send meanwhile.",
    twilio_health_pb2.TWILIO_STATE_PARENT_SUSPENDED: "The platform's own account is suspended, "
    "and all subaccounts with it; an unpaid balance is the usual reason. See Twilio's console.",
    twilio_health_pb2.TWILIO_STATE_CREDENTIALS_REFUSED: "Twilio refuses TWILIO_ACCOUNT_SID with "
    "TWILIO_AUTH_TOKEN, as telephony's settings have them. Was the token rotated?",
}
BY_ITSELF: Final = "Tollgate probes it; once that goes well all that waits goes on."


def twilio_finding(
    circumstances: Circumstances, health: twilio_health_pb2.TwilioHealth
) -> Finding | None:
    """Tell what is wrong with Twilio, None if it can be used."""
    if health.state not in CODES:
        return None
    return Finding(
        severity=CRITICAL,
        code=CODES[health.state],
        what=f"Twilio cannot be used: {health.error}",
        why=WHY[health.state],
        by_itself=BY_ITSELF,
        next_step=circumstances.commands.call("telephony", "GetTwilioHealth"),
        since_time=health.since_time,
    )
