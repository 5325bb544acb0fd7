"""Writes the page, or says that it is out of date."""

import argparse
import sys
from pathlib import Path

from dev.reference.page import page
from dev.reference.protos import read_protos

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reference.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if out of date")
    arguments = parser.parse_args()
    wanted = page(read_protos())
    if arguments.check:
        if not DOCUMENT.exists() or DOCUMENT.read_text() != wanted:
            sys.exit("docs/reference.md does not say what protos/ do; run `make protos`")
        return
    DOCUMENT.write_text(wanted)


if __name__ == "__main__":
    main()
