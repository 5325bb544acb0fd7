"""How the money of a wallet stands, and how it moves."""

from typing import NamedTuple


class Funds(NamedTuple):
    """Balance, what of it may not be spent, and debt; never below zero, never balance < held.

    Held is what open holds have, and what is kept because a payment is at risk. Something is owed
    only when nothing but holds is there: debt comes before money at risk.
    """

    balance_micros: int = 0
    held_micros: int = 0
    owed_micros: int = 0
    kept_micros: int = 0

    @property
    def available_micros(self) -> int:
        """What may be spent."""
        return 0 if self.owed_micros else self.balance_micros - self.held_micros

    @property
    def in_holds_micros(self) -> int:
        """What open holds have."""
        return self.held_micros - self.kept_micros

    def give(self, amount_micros: int) -> "Funds":
        """Add money."""
        return self._replace(balance_micros=self.balance_micros + amount_micros)

    def give_back(self, amount_micros: int) -> "Funds":
        """Cancel debt, and add what is left."""
        cancelled = min(self.owed_micros, amount_micros)
        return self._replace(
            balance_micros=self.balance_micros + amount_micros - cancelled,
            owed_micros=self.owed_micros - cancelled,
        )

    def spend(self, amount_micros: int) -> "Funds":
        """Take what is available."""
        return Funds(
            self.balance_micros - amount_micros,
            self.held_micros,
            self.owed_micros,
            self.kept_micros,
        )

    def take(self, amount_micros: int) -> "Funds":
        """Take whatever is not in holds, and owe the rest."""
        in_holds = self.in_holds_micros
        taken = min(amount_micros, self.balance_micros - in_holds)
        balance = self.balance_micros - taken
        kept = min(self.kept_micros, balance - in_holds)
        owed = self.owed_micros + amount_micros - taken
        return Funds(balance, in_holds + kept, owed, kept)

    def hold(self, amount_micros: int) -> "Funds":
        """Put what is available into a hold; a negative amount frees it."""
        return self._replace(held_micros=self.held_micros + amount_micros)

    def keep(self, kept_micros: int) -> "Funds":
        """Keep so much because of payments at risk."""
        return self._replace(
            held_micros=self.in_holds_micros + kept_micros, kept_micros=kept_micros
        )

    def repay(self) -> "Funds":
        """Pay debt with what is not held."""
        paid = min(self.owed_micros, self.balance_micros - self.held_micros)
        return self._replace(
            balance_micros=self.balance_micros - paid, owed_micros=self.owed_micros - paid
        )
