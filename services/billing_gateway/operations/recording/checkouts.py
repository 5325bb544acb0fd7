"""Checkouts that Tollgate made."""

# ruff: noqa: ARG002 - what it need not know the protocol tells it all the same

from collections.abc import Sequence

from libs.database import Connection
from services.billing_gateway.operations.recording.parts import Organizations, PartRecorded, Told
from services.billing_gateway.operations.recording_port import Source


class CheckoutsOfOthers:
    """Passes over all of them, as long as nothing here makes any."""

    async def record(
        self,
        connection: Connection,
        source: Source,
        told: Sequence[Told],
        organizations: Organizations,
    ) -> PartRecorded:
        """Record nothing."""
        return PartRecorded()
