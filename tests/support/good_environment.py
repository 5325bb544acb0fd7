"""An environment that nobody need be ashamed of, and that asks nobody."""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path

from dev.certificates import Wanted, make_certificates
from tests.support.authorities import Authority

OWNERS = ("wallet", "campaign", "telephony", "billing_gateway")
ROLES = {"operator_console": "operator_reader"}
HOSTS = ("127.0.0.1",)


def certificates_in(directory: Path) -> dict[str, str]:
    """Make a certificate for everybody; return where each lies."""
    called = [(ROLES.get(name, name), name) for name in (*OWNERS, "operator_console")]
    wanted = [Wanted(role, name, HOSTS) for role, name in called]
    make_certificates(directory, [*wanted, Wanted("operator_reader", "preflight")])
    return {
        "PREFLIGHT_OPERATOR_TLS_DIRECTORY": str(directory / "operator_reader" / "preflight"),
    } | {f"{name.upper()}_TLS_DIRECTORY": str(directory / role / name) for role, name in called}


def database_urls(authority: Authority) -> dict[str, str]:
    """Return a database on another machine for each service, and one that it is migrated by."""
    proof = f"sslmode=verify-full&sslrootcert={authority.file}"
    return {
        setting: f"postgresql://{role}:{secrets.token_urlsafe(24)}@db.example/{name}?{proof}"
        for name in OWNERS
        for setting, role in (
            (f"{name.upper()}_DATABASE_URL", name),
            (f"{name.upper()}_OWNER_DATABASE_URL", f"{name}_owner"),
        )
    }


def good_environment(directory: Path) -> dict[str, str]:
    """Return all that is needed to go live."""
    (directory / "backup").touch()
    (directory / "bench.json").write_text(json.dumps({"rows": [{"what": "debits"}]}))
    return {
        **certificates_in(directory / "certificates"),
        **database_urls(Authority(directory)),
        "WALLET_OBSERVERS": "campaign=campaign:50052,telephony=telephony:50053",
        "WALLET_CHAIN_KEYS": ",".join(secrets.token_urlsafe(32) for _ in range(2)),
        "WALLET_ADDRESS": "wallet:50051",
        "BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS": (
            "wallet=wallet:50051,campaign=campaign:50052,telephony=telephony:50053"
        ),
        "BILLING_GATEWAY_CLAIM_KEYS": secrets.token_urlsafe(32),
        "OPERATOR_CONSOLE_SERVICES": ",".join(
            f"{name}={name}:{50051 + number}" for number, name in enumerate(OWNERS)
        ),
        "TWILIO_ACCOUNT_SID": f"AC{secrets.token_hex(16)}",
        "TWILIO_AUTH_TOKEN": secrets.token_hex(16),
        "STRIPE_API_KEY": f"rk_live_{secrets.token_hex(24)}",
        "STRIPE_WEBHOOK_SECRETS": f"whsec_{secrets.token_hex(24)}",
        "PAYPAL_CLIENT_ID": f"A{secrets.token_urlsafe(30)}",
        "PAYPAL_CLIENT_SECRET": f"E{secrets.token_urlsafe(30)}",
        "PAYPAL_WEBHOOK_IDS": secrets.token_hex(9).upper(),
        "SENTRY_DSN": f"https://{secrets.token_hex(16)}@sentry.example/1",
        "PREFLIGHT_ALERTMANAGER_URL": "http://alertmanager:9093",
        "PREFLIGHT_BACKUP_FILE": str(directory / "backup"),
        "PREFLIGHT_RESTORE_REHEARSAL_DATE": f"{datetime.now(UTC):%Y-%m-%d}",
        "PREFLIGHT_BASELINE_FILE": str(directory / "bench.json"),
    }
