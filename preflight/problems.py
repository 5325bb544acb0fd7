"""What is missing or unsafe: each by its setting, and without quoting what the setting says."""

from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing to be mended. The subject is the name of a setting, or of a file."""

    subject: str
    message: str


def to_lines(problems: Iterable[Problem]) -> list[str]:
    """Return one line for each subject."""
    messages: dict[str, dict[str, None]] = {}
    for problem in problems:
        messages.setdefault(problem.subject, {})[problem.message] = None
    return [f"{subject}: {'; '.join(each)}" for subject, each in messages.items()]
