"""A stand-in for Twilio's REST API that remembers what it was told and fails on demand."""

from dev.simulators.twilio.simulator import TwilioSimulator

__all__ = ["TwilioSimulator"]
