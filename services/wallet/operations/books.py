"""The books of one transaction: what was loaded under the locks, and what commands made of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.wallet.domain.chain import CHAIN_START, ChainKeys
from services.wallet.domain.commands import Command, Reevaluate, needs_of
from services.wallet.domain.decision import Account, decide
from services.wallet.domain.draft import Effect
from services.wallet.domain.values import Entry, Hold, Payment, Wallet
from services.wallet.storage.keys import Key
from services.wallet.storage.wallets import WalletRow


def reference_of(organization_id: str, command: Command) -> Key | None:
    """Return the key under which a command has one effect for ever, if it has one."""
    reference_id = needs_of(command).reference_id
    return (organization_id, reference_id) if reference_id else None


class NeededKeys:
    """The keys of what commands look at, besides their wallet."""

    def __init__(self) -> None:
        self.references: set[Key] = set()
        self.holds: set[Key] = set()
        self.payments: set[Key] = set()

    def add(self, organization_id: str, command: Command) -> None:
        """Take in what one command looks at."""
        sets = (self.references, self.holds, self.payments)
        for keys, needed in zip(sets, needs_of(command), strict=True):
            if needed:
                keys.add((organization_id, needed))


class Books:
    """Decides commands one after the other; each sees what those before it have done."""

    def __init__(self, rows: Mapping[str, WalletRow], keys: ChainKeys) -> None:
        self._keys = keys
        self._before = {name: row.wallet for name, row in rows.items()}
        self._now = {name: row.now for name, row in rows.items()}
        self._wallets = dict(self._before)
        self._heads = {name: wallet.chain or CHAIN_START for name, wallet in self._before.items()}
        self._earlier: dict[Key, tuple[Entry, ...]] = {}
        self._holds: dict[Key, Hold] = {}
        self._payments: dict[Key, Payment] = {}
        self.new_entries: list[Entry] = []
        self.changed_holds: dict[Key, Hold] = {}
        self.changed_payments: dict[Key, Payment] = {}

    def load(
        self,
        earlier: Mapping[Key, tuple[Entry, ...]],
        holds: Mapping[Key, Hold],
        payments: Mapping[Key, Payment],
    ) -> None:
        """Take in what the transaction has read."""
        self._earlier.update(earlier)
        self._holds.update(holds)
        self._payments.update(payments)

    def decide(self, organization_id: str, command: Command) -> Effect:
        """Carry out a command, or raise the DomainError that refuses it."""
        account = self._account(organization_id, command)
        effect = decide(account, command, self._now[organization_id])
        return self._take(organization_id, effect)

    def _account(self, organization_id: str, command: Command) -> Account:
        reference_id, hold_reference_id, payment_id = needs_of(command)
        wallet = self._wallets[organization_id]
        return Account(
            wallet,
            self._earlier.get((organization_id, reference_id), ()),
            self._payments.get((organization_id, payment_id)) if payment_id else None,
            self._holds.get((organization_id, hold_reference_id)) if hold_reference_id else None,
            # Time has passed already: nothing is due.
            (),
            wallet.next_hold_expire_time,
        )

    def pass_time(
        self,
        organization_id: str,
        due_holds: tuple[Hold, ...],
        next_hold_expire_time: datetime | None,
    ) -> Effect:
        """Carry out what time alone has brought about."""
        account = Account(
            self._wallets[organization_id],
            due_holds=due_holds,
            next_hold_expire_time=next_hold_expire_time,
        )
        effect = decide(account, Reevaluate(), self._now[organization_id])
        return self._take(organization_id, effect)

    def _take(self, organization_id: str, effect: Effect) -> Effect:
        self._wallets[organization_id] = effect.wallet
        if effect.entries and not effect.replayed:
            sealed = self._keys.seal(effect.entries, self._heads[organization_id])
            self._heads[organization_id] = sealed[-1].chain or CHAIN_START
            self.new_entries += sealed
            effect = Effect(effect.wallet, sealed, *effect[2:])
            reference_id = sealed[0].reference_id
            if reference_id is not None:
                self._earlier[organization_id, reference_id] = sealed
        if effect.holds:
            self._take_holds(effect.holds)
        if effect.payment is not None:
            self._take_payment((organization_id, effect.payment.payment_id), effect.payment)
        return effect

    def _take_holds(self, holds: Iterable[Hold]) -> None:
        for hold in holds:
            key = hold.organization_id, hold.reference_id
            if self._holds.get(key) != hold:
                self._holds[key] = self.changed_holds[key] = hold

    def _take_payment(self, key: Key, payment: Payment) -> None:
        if self._payments.get(key) != payment:
            self._payments[key] = self.changed_payments[key] = payment

    def take_new_entries(self) -> list[Entry]:
        """Return what is to be appended next."""
        taken, self.new_entries = self.new_entries, []
        return taken

    def wallet_now(self, organization_id: str) -> Wallet:
        """Return the wallet as all commands so far have left it."""
        return self._wallets[organization_id].as_of(self._now[organization_id])

    @property
    def changed(self) -> list[str]:
        """Organizations whose ledger has grown."""
        return [
            name
            for name, wallet in self._wallets.items()
            if wallet.entry_count > self._before[name].entry_count
        ]

    @property
    def changed_wallets(self) -> list[Wallet]:
        """Wallets of which more has changed than what goes with an entry."""
        return [
            wallet
            for name, wallet in self._wallets.items()
            if wallet.besides_money != self._before[name].besides_money
        ]

    @property
    def changed_thresholds(self) -> list[Wallet]:
        """Wallets that count as depleted by another measure."""
        return [
            wallet
            for wallet in self.changed_wallets
            if wallet.thresholds != self._before[wallet.organization_id].thresholds
        ]

    @property
    def changed_levels(self) -> list[Wallet]:
        """Wallets whose level has changed."""
        return [
            wallet
            for name, wallet in self._wallets.items()
            if wallet.level_revision > self._before[name].level_revision
        ]
