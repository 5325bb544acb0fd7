"""Organizations: what they are told, and whether their campaigns may run."""

from dataclasses import dataclass
from typing import assert_never

from libs.database import Connection, Database
from libs.levels import SubscriptionLevel, WalletLevel
from libs.logs import get_logger
from libs.operating.storage import append_action
from libs.operating.values import Act
from services.campaign.domain.changes import origin_of_organization_command
from services.campaign.domain.commands import (
    ObserveSubscription,
    ObserveWallet,
    OrganizationCommand,
    PauseOrganization,
    ResumeOrganization,
)
from services.campaign.domain.decision import decide_organization
from services.campaign.domain.settling import Step
from services.campaign.domain.values import Eligibility, Organization
from services.campaign.operations.settling import lock_as_of_now, settle_command
from services.campaign.storage import organizations
from services.campaign.storage.campaigns import Moved


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an organization's campaigns may do now, and how many of them a command has moved."""

    eligibility: Eligibility
    moved: Moved = Moved()  # noqa: RUF009 - a frozen value

    @property
    def organization(self) -> Organization:
        """The organization after it."""
        return self.eligibility.organization


class OrganizationOperations:
    """The commands and reads of organizations; levels are commands, too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def execute(self, organization_id: str, command: OrganizationCommand) -> Settlement:
        """Take what an organization is told, and move its campaigns accordingly."""
        return await self._database.transact(_decide_and_settle, organization_id, command)

    async def observe_subscription(self, organization_id: str, level: SubscriptionLevel) -> int:
        """Take a subscription's level; return the revision held."""
        settlement = await self.execute(organization_id, ObserveSubscription(level))
        held = settlement.organization.subscription
        return held.revision if held else 0

    async def observe_wallet(self, organization_id: str, level: WalletLevel) -> int:
        """Take a wallet's level; return the revision held."""
        settlement = await self.execute(organization_id, ObserveWallet(level))
        held = settlement.organization.wallet
        return held.revision if held else 0

    async def get_eligibility(self, organization_id: str) -> Eligibility:
        """Return whether an organization's campaigns may run now."""
        row = await self._database.run(organizations.read, organization_id)
        return row.organization.eligibility_at(row.now)


async def _decide_and_settle(
    connection: Connection, organization_id: str, command: OrganizationCommand
) -> Settlement:
    row = await lock_as_of_now(connection, organization_id)
    after = decide_organization(row.organization, command, row.now)
    if after == row.organization:
        return Settlement(after.eligibility_at(row.now))
    settled = after.settled_at(row.now)
    step = Step(settled, row.now, origin_of_organization_command(command))
    moved = await settle_command(connection, step)
    if act := _act_of(organization_id, command):
        await append_action(connection, act)
    _log(step, moved, command)
    return Settlement(settled.eligibility_at(row.now), moved)


def _act_of(organization_id: str, command: OrganizationCommand) -> Act | None:
    """Return what a person does: the campaigns' history tells of it only if one was moved."""
    match command:
        case PauseOrganization():
            return Act("PauseCampaigns", command.actor, command.note, organization_id)
        case ResumeOrganization():
            return Act("ResumeCampaignsIfEligible", command.actor, command.note, organization_id)
        case ObserveSubscription() | ObserveWallet():
            return None
        case _:
            assert_never(command)


def _log(step: Step, moved: Moved, command: OrganizationCommand) -> None:
    get_logger().info(
        "organization_changed",
        organization_id=step.organization.organization_id,
        command=repr(command),
        blockers=step.organization.eligibility_at(step.time).blockers,
        paused_count=moved.paused_count,
        resumed_count=moved.resumed_count,
    )
