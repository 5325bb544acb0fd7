"""The one form of an address that a certificate may have: whoever chooses it chooses the key."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.signature.headers import allowed_certificate_url

LIVE, SANDBOX = Environment.LIVE, Environment.SANDBOX
PATH = "/v1/notifications/certs/"


@pytest.mark.parametrize("environment", Environment)
def test_each_world_has_its_own_hosts(environment: Environment) -> None:
    for world, addresses in ADDRESSES.items():
        for host in addresses.certificate_hosts:
            url = f"https://{host}{PATH}CERT-1a.pem"
            found = allowed_certificate_url(url, environment)
            assert found == (url if world is environment else None)


def test_the_port_may_be_named_and_makes_no_other_address() -> None:
    named = allowed_certificate_url(f"https://api.paypal.com:443{PATH}CERT-1", LIVE)
    assert named == f"https://api.paypal.com{PATH}CERT-1"


@pytest.mark.parametrize(
    "url",
    [
        f"http://api.paypal.com{PATH}CERT-1",
        f"HTTPS://api.paypal.com{PATH}CERT-1",
        f"https://API.paypal.com{PATH}CERT-1",
        f"https://api.paypal.com.evil.test{PATH}CERT-1",
        f"https://evilapi.paypal.com{PATH}CERT-1",
        f"https://www.paypal.com{PATH}CERT-1",
        f"https://paypal.com{PATH}CERT-1",
        f"https://api.paypal.com.{PATH}CERT-1",
        f"https://api.paypal.com:8443{PATH}CERT-1",
        f"https://api.paypal.com:0443{PATH}CERT-1",
        f"https://api.paypal.com:{PATH}CERT-1",
        f"https://api.paypal.com@evil.test{PATH}CERT-1",
        f"https://user@api.paypal.com{PATH}CERT-1",
        f"https://evil.test\\@api.paypal.com{PATH}CERT-1",
        f"https://evil.test#@api.paypal.com{PATH}CERT-1",
        f"https://api.paypal.com{PATH}CERT-1?to=evil",
        f"https://api.paypal.com{PATH}CERT-1#evil",
        f"https://api.paypal.com{PATH}../../webhooks",
        f"https://api.paypal.com{PATH}..",
        f"https://api.paypal.com{PATH}.",
        f"https://api.paypal.com{PATH}%2e%2e",
        f"https://api.paypal.com{PATH}a/b",
        f"https://api.paypal.com{PATH}a\\b",
        f"https://api.paypal.com{PATH}",
        f"https://api.paypal.com{PATH}{'a' * 201}",
        f"https://api.paypal.com{PATH}CERT-1\n",
        f"https://api.paypal.com{PATH}CERT-1 ",
        f" https://api.paypal.com{PATH}CERT-1",
        "https://api.paypal.com/v1/notifications/CERTS/CERT-1",
        "https://api.paypal.com//v1/notifications/certs/CERT-1",
        f"https://\u0430pi.paypal.com{PATH}CERT-1",
        f"https://api.paypal\u3002com{PATH}CERT-1",
        f"https://xn--pi-7kc.paypal.com{PATH}CERT-1",
        f"https://api.paypal.com%2eevil.test{PATH}CERT-1",
        f"https://api%2epaypal.com{PATH}CERT-1",
        f"https://api.paypal.com%00.evil.test{PATH}CERT-1",
        f"https://api.paypal.com;evil.test{PATH}CERT-1",
        f"https://api-m.api.paypal.com{PATH}CERT-1",
        f"https://127.0.0.1{PATH}CERT-1",
        f"//api.paypal.com{PATH}CERT-1",
        "",
    ],
)
def test_every_other_address_is_refused(url: str) -> None:
    assert allowed_certificate_url(url, LIVE) is None


HARMLESS = ["https://", "api", ".", "paypal", "com", "api.paypal.com", ":443", PATH, "CERT-1"]
HOSTILE = ["http://", ":", "@", "/", "..", "%2e", "\\", "?", "#", "evil.test", "\u3002", "\n"]
PARTS = st.sampled_from(HARMLESS + HOSTILE)


@given(st.lists(PARTS, max_size=8).map("".join))
def test_what_is_accepted_is_exactly_a_file_of_a_listed_host(url: str) -> None:
    found = allowed_certificate_url(url, LIVE)
    if found is not None:
        assert re.fullmatch(
            r"https://api(-m)?\.paypal\.com/v1/notifications/certs/[A-Za-z0-9][\w.-]*", found
        )
        assert url.replace(":443", "", 1) == found
