"""The ledger by time: how a wallet stood, what was written, and what all of it comes to."""

from datetime import datetime

from libs.database import Connection
from libs.errors import FieldViolation, InvalidArgumentError, invalid_field
from libs.paging import (
    Page,
    decode_page_token,
    encode_page_token,
    key_to_time,
    page_limit,
    page_of,
    time_to_key,
)
from services.wallet.domain.anomalies import REPEATED_WITHIN, Anomaly, find_anomalies, first_day
from services.wallet.domain.filters import EntryFilter
from services.wallet.domain.refusals import wallet_not_found
from services.wallet.domain.reports import (
    LIST_SPAN_MAX,
    STATISTICS_SPAN_MAX,
    Bucket,
    BucketSize,
    TrialBalance,
    require_span,
)
from services.wallet.domain.values import Entry
from services.wallet.operations.reader import Reader
from services.wallet.storage import anomalies, history, reports, wallets
from services.wallet.storage.history import Place, Span

# Of a whole month, and still a second's work.
CREDITS_MAX = 100_000


class Reports:
    """Answers questions about what has been."""

    def __init__(self, reader: Reader, long_reader: Reader) -> None:
        self._reader = reader
        self._long_reader = long_reader

    async def find_entry_at(self, organization_id: str, time: datetime) -> Entry | None:
        """Return a wallet's last entry at or before a time, None before the first one."""
        return await self._reader.read(_find_entry_at, organization_id, time)

    async def list_entries(
        self, wanted: EntryFilter, page_size: int, page_token: str
    ) -> Page[Entry]:
        """Return a page of entries, newest first: of one wallet, or of one type of all."""
        limit = page_limit(page_size)
        if not wanted.organization_id:
            return await self._list_entries_of_all(wanted, limit, page_token)
        key = decode_page_token(page_token, int)
        before = int(key[0]) if key else None
        entries = await self._reader.read(history.list_entries, wanted, before, limit + 1)
        return page_of(entries, limit, lambda last: encode_page_token(last.sequence))

    async def _list_entries_of_all(
        self, wanted: EntryFilter, limit: int, page_token: str
    ) -> Page[Entry]:
        span = _require_bounds(wanted)
        before = _place_in(span, page_token)
        entries = await self._reader.read(
            history.list_entries_of_all, wanted, span, before, limit + 1
        )
        return page_of(entries, limit, _token_after)

    async def trial_balance(self, currency_code: str) -> TrialBalance:
        """Return what stands on each account in a currency."""
        return await self._long_reader.read(reports.read_trial_balance, currency_code)

    async def statistics(
        self, start_time: datetime, end_time: datetime, bucket_size: BucketSize, currency_code: str
    ) -> list[Bucket]:
        """Return counts and sums by hour or day."""
        require_span(start_time, end_time, STATISTICS_SPAN_MAX[bucket_size])
        return await self._long_reader.ask(
            reports.count_buckets, bucket_size, start_time, end_time, currency_code
        )

    async def find_anomalies(
        self, organization_id: str, start_time: datetime, end_time: datetime
    ) -> list[Anomaly]:
        """Return what is allowed and looks strange, newest first."""
        require_span(start_time, end_time, LIST_SPAN_MAX)
        span = Span(start_time, end_time)
        return await self._long_reader.read(_find_anomalies, organization_id, span)


async def _find_anomalies(
    connection: Connection, organization_id: str, span: Span
) -> list[Anomaly]:
    since = span._replace(start_time=span.start_time - REPEATED_WITHIN)
    credited = await anomalies.list_credits(connection, organization_id, since, CREDITS_MAX + 1)
    if len(credited) > CREDITS_MAX:
        raise invalid_field(
            "end_time", f"has more than {CREDITS_MAX} credits before it: ask for less"
        )
    usual = span._replace(start_time=first_day(span.start_time))
    spent = await anomalies.list_spikes(connection, organization_id, usual, span.start_time)
    return find_anomalies(credited, spent, span.start_time)


async def _find_entry_at(
    connection: Connection, organization_id: str, time: datetime
) -> Entry | None:
    row = await wallets.read_wallet(connection, organization_id)
    if row is None or row.wallet.currency_code is None:
        raise wallet_not_found(organization_id)
    return await history.find_entry_at(connection, organization_id, time)


def _token_after(entry: Entry) -> str:
    return encode_page_token(time_to_key(entry.create_time), entry.organization_id, entry.sequence)


def _place_in(span: Span, page_token: str) -> Place:
    """Return where the page before has ended, which can only be within the span."""
    key = decode_page_token(page_token, int, str, int)
    if key is None:
        return Place(span.end_time, "", 0)
    place = Place(key_to_time(int(key[0])), str(key[1]), int(key[2]))
    if place.create_time >= span.end_time:
        raise invalid_field("page_token", "is not a token of this list")
    return place


def _require_bounds(wanted: EntryFilter) -> Span:
    """Return the time of a list over all wallets, which needs one, and a type."""
    start_time, end_time = wanted.start_time, wanted.end_time
    if start_time is None or end_time is None or wanted.type is None:
        given = {"start_time": start_time, "end_time": end_time, "type": wanted.type}
        raise InvalidArgumentError(
            [
                FieldViolation(name, "is required without an organization_id")
                for name, value in given.items()
                if value is None
            ]
        )
    require_span(start_time, end_time, LIST_SPAN_MAX)
    return Span(start_time, end_time)
