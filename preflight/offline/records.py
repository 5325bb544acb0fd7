"""What no machine can do, and people have to have done: backups, a rehearsal, a measurement."""

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from preflight.given import Given
from preflight.problems import Problem

# A day, and as long as a backup may take.
BACKUP_AGE_MAX: Final = timedelta(hours=26)
# A file server's clock, and ours.
CLOCKS_APART_MAX: Final = timedelta(minutes=5)
REHEARSAL_AGE_MAX: Final = timedelta(days=180)


def old_backup(given: Given) -> Iterator[Problem]:
    """Tell of backups that nobody makes any more."""
    if given.preflight is None:
        return
    try:
        found = given.preflight.backup_file.stat()
    except OSError as error:
        yield Problem("PREFLIGHT_BACKUP_FILE", f"no backup has left it: {error.strerror}")
        return
    if not stat.S_ISREG(found.st_mode):
        yield Problem("PREFLIGHT_BACKUP_FILE", "is no file")
        return
    age = datetime.now(UTC) - datetime.fromtimestamp(found.st_mtime, UTC)
    if not -CLOCKS_APART_MAX <= age <= BACKUP_AGE_MAX:
        hours = BACKUP_AGE_MAX / timedelta(hours=1)
        yield Problem("PREFLIGHT_BACKUP_FILE", f"is not of the last {hours:g} hours")


def old_rehearsal(given: Given) -> Iterator[Problem]:
    """Tell of backups that nobody has tried to restore."""
    if given.preflight is None:
        return
    age = datetime.now(UTC).date() - given.preflight.restore_rehearsal_date
    if not timedelta(0) <= age <= REHEARSAL_AGE_MAX:
        yield Problem(
            "PREFLIGHT_RESTORE_REHEARSAL_DATE",
            f"is not within the last {REHEARSAL_AGE_MAX.days} days",
        )


def no_baseline(given: Given) -> Iterator[Problem]:
    """Tell of figures that nobody can be compared with, on the day when all is slow."""
    if given.preflight is None:
        return
    try:
        report = json.loads(given.preflight.baseline_file.read_bytes())
        if not report["rows"]:
            yield Problem("PREFLIGHT_BASELINE_FILE", "has no figures")
    except OSError as error:
        yield Problem("PREFLIGHT_BASELINE_FILE", f"cannot be read: {error.strerror}")
    except (ValueError, KeyError, TypeError):
        yield Problem("PREFLIGHT_BASELINE_FILE", "is not what `make bench` writes")
