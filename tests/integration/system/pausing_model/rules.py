"""What blocks whom, in the model's own words: how the services decide is not asked."""

from datetime import datetime, timedelta

from libs.levels import SubscriptionLevel, WalletLevel
from services.telephony.domain.values import SuspensionPolicy

DEBT_TOLERANCE_MICROS = 100
SUSPEND_DEPLETED_AFTER = timedelta(seconds=0.4)
POLICY = SuspensionPolicy(DEBT_TOLERANCE_MICROS, SUSPEND_DEPLETED_AFTER)


def flag_is_set(flag: bool, _time: datetime) -> bool:  # noqa: FBT001 - the value of a fact
    return flag


def subscription_is_bad(level: SubscriptionLevel | None, time: datetime) -> bool:
    if level is None or not level.good_standing or level.good_until is None:
        return True
    return level.good_until <= time


def subscription_suspends(level: SubscriptionLevel | None, time: datetime) -> bool:
    return level is not None and subscription_is_bad(level, time)


def wallet_pauses(level: WalletLevel | None, _time: datetime) -> bool:
    return level is None or level.frozen or level.depleted


def wallet_forbids_sending(level: WalletLevel | None, time: datetime) -> bool:
    return wallet_pauses(level, time) or (level is not None and level.owing_micros > 0)


def wallet_suspends(level: WalletLevel | None, time: datetime) -> bool:
    if level is None:
        return False
    depleted_since = level.depleted_since if level.depleted else None
    is_depleted_long = (
        depleted_since is not None and depleted_since + SUSPEND_DEPLETED_AFTER <= time
    )
    return level.frozen or level.owing_micros > DEBT_TOLERANCE_MICROS or is_depleted_long
