"""Asks OSV, a public list of advisories, about every package of both locks: `make audit`.

Ends with 0 if nothing is known against any, with 1 if something is, and with 2 if OSV could not be
asked about all of them: then nothing is known, which is not the same as nothing to know.
"""

import json
import subprocess
import sys
from typing import Any

LOCKS = ("requirements.lock", "requirements-dev.lock")
AUDIT = (
    *(sys.executable, "-m", "pip_audit", "--vulnerability-service=osv", "--format=json"),
    # `--strict`: a package that cannot be asked about is a failure, and not passed over.
    *("--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"),
)
SOMETHING_IS_KNOWN = 1
NOT_ASKED = 2


def main(*arguments: str) -> int:
    """Audit the locks, or what `--requirement` names; other arguments are pip-audit's."""
    requirements = () if "--requirement" in arguments else [f"--requirement={it}" for it in LOCKS]
    audit = subprocess.run(
        [*AUDIT, *requirements, *arguments], capture_output=True, text=True, check=False
    )
    if not audit.stdout:
        print("The advisories could not be asked for, so nothing is known. It takes the network.")
        print(audit.stderr.strip().rpartition("\n")[2])
        return NOT_ASKED
    packages = json.loads(audit.stdout)["dependencies"]
    advisories = [line for package in packages for line in advisories_of(package)]
    print("\n".join(advisories) or f"Nothing is known against {len(packages)} packages.")
    return SOMETHING_IS_KNOWN if advisories else 0


def advisories_of(package: dict[str, Any]) -> list[str]:
    """Return a line for each."""
    return [
        f"{package['name']} {package['version']}: {advisory['id']}"
        f" ({', '.join(advisory['aliases']) or 'no other name'}),"
        f" mended in {', '.join(advisory['fix_versions']) or 'no version yet'}:"
        f" {advisory['description']}"
        for advisory in package["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
