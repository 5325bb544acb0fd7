"""The emergency stop: one row for all organizations."""

from libs.database import Connection
from services.campaign.domain.commands import ChangeStop
from services.campaign.domain.values import EmergencyStop
from services.campaign.storage.rows import to_stop

# A notification without an organization wakes the watchers of all.
# Who comes second, waiting for the row, finds it done and changes nothing. One statement: what
# happens to a campaign between its time and its commit would be told in the wrong order. The row
# tells of the last change only, and campaigns' histories of those moved: operators' has them all.
CHANGE = """
WITH changed AS (
    UPDATE emergency_stop
    SET number = number + 1, note = $2, actor = $3, change_time = clock_timestamp()
    WHERE (number % 2 = 1) <> $1
    RETURNING *, pg_notify('campaigns', '')
), kept AS (
    INSERT INTO operator_actions (action, actor, note, organization_id, reference)
    SELECT $4, $3, $2, '', '' FROM changed
)
SELECT * FROM changed
"""


async def change(connection: Connection, command: ChangeStop) -> EmergencyStop | None:
    """Set or lift the stop; None if it is already so."""
    action = "PauseAllCampaigns" if command.stands else "ResumeAllCampaigns"
    row = await connection.fetchrow(CHANGE, command.stands, command.note, command.actor, action)
    return to_stop(row) if row else None


READ = "SELECT * FROM emergency_stop"


async def read(connection: Connection) -> EmergencyStop:
    """Return the stop as it is."""
    (row,) = await connection.fetch(READ)
    return to_stop(row)
