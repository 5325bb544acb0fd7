"""What a database's URL may say: where it is, who asks, and by what its server is believed.

Whatever the driver would only find out when it connects is found out when a service starts. Nothing
that is refused is quoted: a password stands beside it, or is what was mistaken for something else.
"""

import re
import ssl
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from libs.text import is_text

# Stricter than the driver, which quotes what it does not understand: after a sign that should have
# been encoded, that is a part of the password.
SERVER = r"(?:[^:/?#@,\[\]]*|\[[0-9a-fA-F:]+\])(?::[1-9][0-9]{0,4})?"
PARAMETER = r"[a-z_]+=[^?#@&]+"
DATABASE_URL = re.compile(
    r"postgres(?:ql)?://(?:[^:/?#@\[\]]+(?::[^/?#@\[\]]*)?@)?"
    rf"{SERVER}(?:,{SERVER})*(?:/[^/?#@]*)?"
    rf"(?:\?{PARAMETER}(?:&{PARAMETER})*)?"
)

# Those that believe anybody, and those that do not if they are told whom to believe.
TRUSTING_MODES = ("disable", "allow", "prefer")
PROVING_MODES = ("require", "verify-ca", "verify-full")
PROTOCOLS = ("TLSv1.2", "TLSv1.3")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "sslmode": (*TRUSTING_MODES, *PROVING_MODES),
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": PROTOCOLS,
    "ssl_max_protocol_version": PROTOCOLS,
    "target_session_attrs": (
        "any",
        "primary",
        "standby",
        "read-write",
        "read-only",
        "prefer-standby",
    ),
}
FILES = ("sslrootcert", "sslcrl", "sslcert", "sslkey")
# What is none of these the driver would take for a setting of the server.
PARAMETERS = frozenset(
    {
        *CHOICES,
        *FILES,
        *("sslpassword", "host", "port", "user", "password", "passfile", "dbname", "database"),
        *("krbsrvname", "gsslib", "application_name", "options"),
    }
)


def require_database_url(value: SecretStr) -> SecretStr:
    """Refuse what is none, or what could never connect as it should."""
    url = value.get_secret_value()
    if not is_text(url):
        raise ValueError("expected UTF-8")
    if not DATABASE_URL.fullmatch(url):
        raise ValueError(
            "expected postgresql://user:password@host:port/database, with signs in it like %40"
        )
    parameters = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    _require_known(parameters)
    _require_proof(parameters)
    _require_files(parameters)
    return value


def _require_known(parameters: Mapping[str, str]) -> None:
    if not parameters.keys() <= PARAMETERS:
        raise ValueError(f"expected no parameters but {', '.join(sorted(PARAMETERS))}")
    for name, choices in CHOICES.items():
        if parameters.get(name, choices[0]) not in choices:
            raise ValueError(f"expected {name} to be one of {', '.join(choices)}")


def _require_proof(parameters: Mapping[str, str]) -> None:
    """What is said to be believed or proven must be, and not be passed over in silence."""
    mode = parameters.get("sslmode", "prefer")
    if mode not in PROVING_MODES and parameters.keys() & {*FILES, "sslnegotiation"}:
        raise ValueError(f"expected sslmode to be one of {', '.join(PROVING_MODES)}")
    if mode.startswith("verify-") and "sslrootcert" not in parameters:
        raise ValueError(f"expected sslrootcert=<file> beside sslmode={mode}")
    if ("sslkey" in parameters) != ("sslcert" in parameters):
        raise ValueError("expected sslcert=<file> and sslkey=<file>, or neither of them")


def _require_files(parameters: Mapping[str, str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        for name in {"sslrootcert", "sslcrl"} & parameters.keys():
            context.load_verify_locations(parameters[name])
        if "sslcert" in parameters:
            password = parameters.get("sslpassword", "")
            context.load_cert_chain(parameters["sslcert"], parameters["sslkey"], lambda: password)
    except OSError as error:
        raise ValueError(
            f"expected files in PEM, to be read by this process: {', '.join(FILES)}"
        ) from error
