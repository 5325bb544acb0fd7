"""`python -m preflight [--offline] [--near HOST] [FILE]`: what an environment lacks, line by line.

FILE has the settings of all services, as .env.example lists them, and those of preflight; without
it, they are taken from the environment of the process. Exits with 1 if anything is to be mended.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from dotenv import dotenv_values

from preflight.given import read_given
from preflight.offline import check_settings
from preflight.online import check_online
from preflight.problems import to_lines


def main() -> None:
    """Look, and tell."""
    parser = argparse.ArgumentParser(prog="python -m preflight", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="the settings; default: the environment")
    parser.add_argument("--offline", action="store_true", help="ask nobody")
    parser.add_argument(
        "--near",
        metavar="HOST",
        action="append",
        default=[],
        help="a database's host that is reached without leaving this machine; may be repeated",
    )
    arguments = parser.parse_args()
    if arguments.file is not None:
        _take_environment_from(arguments.file)
    given = read_given(os.environ, arguments.file, frozenset(arguments.near))
    problems = check_settings(given)
    if not arguments.offline:
        problems += asyncio.run(check_online(given))
    lines = to_lines(problems)
    for line in lines:
        print(line)
    if lines:
        print(f"{len(lines)} to be mended.", file=sys.stderr)
        raise SystemExit(1)


def _take_environment_from(file: Path) -> None:
    """Nothing that is set by chance where one looks shall count."""
    try:
        with file.open() as opened:
            values = dotenv_values(stream=opened, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"{file} cannot be read: {type(error).__name__}") from None
    os.environ.clear()
    os.environ.update({name: value for name, value in values.items() if value})


if __name__ == "__main__":
    main()
