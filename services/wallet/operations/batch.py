"""One transaction for the commands of many callers: lock, load, decide, append, save."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from libs.announcing.announcer import Announcer
from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection
from libs.errors import DomainError
from libs.levels import WalletLevel
from libs.operating.storage import append_action
from libs.operating.values import Act
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.commands import FIRST_COMMANDS, Command, Debit, SetThresholds
from services.wallet.domain.draft import Effect
from services.wallet.domain.refusals import wallet_not_found
from services.wallet.domain.values import Wallet
from services.wallet.operations.appending import Appending
from services.wallet.operations.books import Books, NeededKeys, reference_of
from services.wallet.storage import entries, holds, payments, wallets
from services.wallet.storage.wallets import WalletRow

DUE_HOLDS_MAX = 500
ENTRIES_AT_ONCE = 200

# What each wallet is asked to do, in order.
Work: TypeAlias = Mapping[str, Sequence[Command]]
Outcome: TypeAlias = Effect | DomainError


@dataclass(slots=True)
class Outcomes:
    """What came of the commands, in their order; `held` are the wallets that are left to a lane."""

    of_wallets: dict[str, list[Outcome]] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    changed_levels: list[str] = field(default_factory=list)


class Batch:
    """Carries out work in the transaction of a connection.

    It gives exactly the outcome of carrying out one command after the other. References are not
    looked up before they are used, except those of refused commands: the ledger itself refuses the
    second use, with ReferenceUsedError, and then the work is done again by one that looks first.
    """

    def __init__(
        self,
        connection: Connection,
        keys: ChainKeys,
        announcer: Announcer[WalletLevel],
        *,
        looks_first: bool,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._announcer = announcer
        self._looks_first = looks_first

    async def carry_out_free(self, work: Work) -> Outcomes:
        """Carry out what concerns wallets that nobody else has locked; wait for none."""
        # The others are locked, or not there: only who waits for the lock can tell.
        rows = await wallets.lock_free_wallets(self._connection, sorted(work))
        return await self._carry_out(work, rows)

    async def carry_out_waiting(
        self, organization_id: str, commands: Sequence[Command]
    ) -> Outcomes:
        """Carry out what concerns one wallet, waiting for its lock."""
        row = await wallets.lock_wallet(self._connection, organization_id)
        if row is not None:
            return await self._carry_out({organization_id: commands}, {organization_id: row})
        if any(isinstance(command, FIRST_COMMANDS) for command in commands):
            return await self._carry_out_first(organization_id, commands)
        return Outcomes({organization_id: [wallet_not_found(organization_id) for _ in commands]})

    async def _carry_out_first(self, organization_id: str, commands: Sequence[Command]) -> Outcomes:
        """Carry out what makes an organization known; where all is refused, it stays unknown."""
        making = self._connection.transaction()
        await making.start()
        row = await wallets.make_wallet(self._connection, organization_id)
        outcomes = await self._carry_out({organization_id: commands}, {organization_id: row})
        made = outcomes.of_wallets.get(organization_id, [])
        if made and all(isinstance(outcome, DomainError) for outcome in made):
            await making.rollback()
        else:
            await making.commit()
        return outcomes

    async def _carry_out(self, work: Work, rows: Mapping[str, WalletRow]) -> Outcomes:
        books = Books(rows, self._keys)
        mine = {name: work[name] for name in rows}
        await self._load(books, mine)
        for name, row in rows.items():
            if await self._pass_time(books, row):
                del mine[name]
        outcomes: dict[str, list[Outcome]] = {name: [] for name in mine}
        async with Appending(self._connection) as appending:
            for name, commands in mine.items():
                for command in commands:
                    outcomes[name].append(_decide(books, name, command))
                    if len(books.new_entries) >= ENTRIES_AT_ONCE:
                        await appending.add(books.take_new_entries())
        if not self._looks_first:
            await self._look_up_refused(books, mine, outcomes)
        await self._write(books)
        for wallet in books.changed_thresholds:
            name = wallet.organization_id
            for act in _updates_of(wallet, zip(mine[name], outcomes[name], strict=True)):
                await append_action(self._connection, act)
        return Outcomes(
            {name: _as_they_stand(books, name, made) for name, made in outcomes.items()},
            held=[name for name in work if name not in mine],
            changed=books.changed,
            changed_levels=[wallet.organization_id for wallet in books.changed_levels],
        )

    async def _load(self, books: Books, work: Work) -> None:
        needs = NeededKeys()
        for name, commands in work.items():
            for command in commands:
                # A debit looks at nothing but its reference.
                if self._looks_first or not isinstance(command, Debit):
                    needs.add(name, command)
        connection, references = self._connection, needs.references if self._looks_first else ()
        books.load(
            await entries.find_by_references(connection, references) if references else {},
            await holds.find_holds(connection, needs.holds) if needs.holds else {},
            await payments.find_payments(connection, needs.payments) if needs.payments else {},
        )

    async def _pass_time(self, books: Books, row: WalletRow) -> bool:
        """Time comes first: a hold that is over must not be captured as if it were not.

        Tell whether more may be due: then no command is decided before another batch has come.
        """
        due_time = row.wallet.reevaluate_time
        if due_time is None or due_time > row.now:
            return False
        name = row.wallet.organization_id
        due = await holds.list_due_holds(self._connection, name, row.now, DUE_HOLDS_MAX)
        next_time = await holds.next_expire_time(self._connection, name, due)
        books.load({}, {(name, hold.reference_id): hold for hold in due}, {})
        books.pass_time(name, due, next_time)
        return len(due) == DUE_HOLDS_MAX

    async def _look_up_refused(
        self, books: Books, work: Work, outcomes: Mapping[str, list[Outcome]]
    ) -> None:
        """Answer repetitions that were refused, since a reference comes before every other rule."""
        refused = [
            (name, position)
            for name, made in outcomes.items()
            for position, outcome in enumerate(made)
            if isinstance(outcome, DomainError)
        ]
        keys = {
            key
            for name, position in refused
            if (key := reference_of(name, work[name][position])) is not None
        }
        if not keys:
            return
        earlier = await entries.find_by_references(self._connection, keys)
        books.load(earlier, {}, {})
        for name, position in refused:
            command = work[name][position]
            if reference_of(name, command) in earlier:
                outcomes[name][position] = _decide(books, name, command)

    async def _write(self, books: Books) -> None:
        connection = self._connection
        if books.new_entries:
            await entries.append_entries(connection, books.take_new_entries())
        if changed := books.changed_wallets:
            await wallets.save_wallets(connection, changed)
        if books.changed_holds:
            await holds.save_holds(connection, list(books.changed_holds.values()))
        if books.changed_payments:
            await payments.save_payments(connection, books.changed_payments)
        if changed := books.changed_levels:
            await self._announcer.mark(
                connection,
                [
                    CurrentLevel(LevelKey(wallet.organization_id), wallet.level_revision)
                    for wallet in changed
                ],
            )


def _decide(books: Books, organization_id: str, command: Command) -> Outcome:
    try:
        return books.decide(organization_id, command)
    except DomainError as error:
        return error


def _updates_of(wallet: Wallet, made: Iterable[tuple[Command, Outcome]]) -> Iterator[Act]:
    """Return who has set when the wallet counts as depleted; no entry tells of it."""
    below, above = wallet.thresholds
    for command, outcome in made:
        if isinstance(command, SetThresholds) and not isinstance(outcome, DomainError):
            yield Act(
                "UpdateWallet",
                command.actor,
                command.note,
                wallet.organization_id,
                f"depleted_below_micros={below} resume_above_micros={above}",
            )


def _as_they_stand(books: Books, organization_id: str, made: Iterable[Outcome]) -> list[Outcome]:
    """Every answer tells the wallet as the whole batch has left it."""
    wallet = books.wallet_now(organization_id)
    return [
        outcome if isinstance(outcome, DomainError) else Effect(wallet, *outcome[1:])
        for outcome in made
    ]
