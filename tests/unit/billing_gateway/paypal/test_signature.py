"""PayPal's signature: of these very bytes, for our webhook, by a certificate that is PayPal's."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from dev.simulators.paypal.certificates import (
    Identity,
    SigningChain,
    make_authority,
    make_leaf,
)
from services.billing_gateway.paypal.environment import Environment
from services.billing_gateway.paypal.signature import Signatures, signed_message
from services.billing_gateway.paypal.signature.certificates import (
    FETCHES_MAX,
    KEPT_MAX,
    Certificates,
    PayPalTrust,
)
from services.billing_gateway.ports import CannotVerifyError, DeliveryRefusedError, Transmission
from tests.support.checksums import forge
from tests.unit.billing_gateway.paypal.signing import (
    NOW,
    SANDBOX,
    URL,
    WEBHOOK_ID,
    FakeSource,
    Memory,
    signed_headers,
    trust_of,
)

BODY = b'{"id":"WH-1", "amount": 10.00, "text": "\xc3\xa9"}'
VECTORS = Path(__file__).parents[5] / "shared" / "payloads" / "paypal" / "vectors"


def signatures_of(chain: SigningChain, webhook_ids: tuple[str, ...] = (WEBHOOK_ID,)) -> Signatures:
    trust = trust_of(chain, FakeSource({URL: chain.served_pem}))
    return Signatures(Environment.SANDBOX, webhook_ids, trust, Memory())


@given(st.binary(max_size=300))
async def test_what_paypal_signed_is_accepted_byte_for_byte(
    chain: SigningChain, body: bytes
) -> None:
    signatures = signatures_of(chain)
    headers = signed_headers(chain, body)
    await signatures.verify(headers, body, NOW)
    with pytest.raises(DeliveryRefusedError):
        await signatures.verify(headers, body + b" ", NOW)


async def test_every_active_webhook_is_ours_and_no_other(chain: SigningChain) -> None:
    headers = signed_headers(chain, BODY)
    await signatures_of(chain, ("OTHER", WEBHOOK_ID)).verify(headers, BODY, NOW)
    for others in ((), ("OTHER",), ("WEBHOOK_ID",), (WEBHOOK_ID.lower(),)):
        with pytest.raises(DeliveryRefusedError, match="for a webhook of ours"):
            await signatures_of(chain, others).verify(headers, BODY, NOW)


@pytest.mark.parametrize("name", ["PAYPAL-TRANSMISSION-ID", "PAYPAL-TRANSMISSION-TIME"])
async def test_what_is_signed_beside_the_body_cannot_be_changed(
    chain: SigningChain, name: str
) -> None:
    headers = signed_headers(chain, BODY)
    headers[name] = headers[name].replace("58", "57")
    with pytest.raises(DeliveryRefusedError, match="did not sign"):
        await signatures_of(chain).verify(headers, BODY, NOW)


async def test_the_signature_of_another_key_is_refused(chain: SigningChain) -> None:
    other = replace(chain, leaf=make_leaf(chain.intermediate, SANDBOX.certificate_name, *YEAR))
    with pytest.raises(DeliveryRefusedError, match="did not sign"):
        await signatures_of(chain).verify(signed_headers(other, BODY), BODY, NOW)


def changed(headers: CIMultiDict[str], name: str, value: str) -> CIMultiDict[str]:
    copy = CIMultiDict(headers)
    copy[name] = value
    return copy


YEAR = (NOW - timedelta(days=180), NOW + timedelta(days=180))
HEADERS = [
    "PAYPAL-TRANSMISSION-ID",
    "PAYPAL-TRANSMISSION-TIME",
    "PAYPAL-TRANSMISSION-SIG",
    "PAYPAL-CERT-URL",
    "PAYPAL-AUTH-ALGO",
]


@pytest.mark.parametrize("name", HEADERS)
async def test_each_header_stands_once_and_is_plain(chain: SigningChain, name: str) -> None:
    signatures, good = signatures_of(chain), signed_headers(chain, BODY)
    missing = CIMultiDict(good)
    del missing[name]
    doubled = CIMultiDict(good)
    doubled.add(name.lower(), good[name])
    values = ["", " ", good[name] + "\u00e9", good[name] + "\x00", good[name] + "a" * 600]
    for headers in [missing, doubled, *(changed(good, name, value) for value in values)]:
        with pytest.raises(DeliveryRefusedError):
            await signatures.verify(headers, BODY, NOW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYPAL-AUTH-ALGO", "SHA1withRSA"),
        ("PAYPAL-AUTH-ALGO", "sha256withrsa"),
        ("PAYPAL-AUTH-ALGO", "none"),
        ("PAYPAL-TRANSMISSION-TIME", "1790000000"),
        ("PAYPAL-TRANSMISSION-TIME", "2026-13-22T11:59:58Z"),
        ("PAYPAL-TRANSMISSION-ID", "a|b"),
        ("PAYPAL-TRANSMISSION-SIG", "not base64"),
        ("PAYPAL-TRANSMISSION-SIG", "YWJj"),
        ("PAYPAL-CERT-URL", "https://api.paypal.com/v1/notifications/certs/CERT-1"),
    ],
)
async def test_a_malformed_header_is_refused(chain: SigningChain, name: str, value: str) -> None:
    headers = signed_headers(chain, BODY)
    headers[name] = value
    with pytest.raises(DeliveryRefusedError):
        await signatures_of(chain).verify(headers, BODY, NOW)


async def test_an_address_that_is_not_allowed_is_never_fetched(chain: SigningChain) -> None:
    source = FakeSource({URL: chain.served_pem})
    signatures = Signatures(Environment.LIVE, (WEBHOOK_ID,), trust_of(chain, source), Memory())
    with pytest.raises(DeliveryRefusedError, match="not PayPal's in live"):
        await signatures.verify(signed_headers(chain, BODY), BODY, NOW)
    assert source.urls == []


def certificates_of(pem: bytes, trust: PayPalTrust) -> Certificates:
    return Certificates(replace(trust, source=FakeSource({URL: pem})), Memory())


async def test_the_chain_must_hold(chain: SigningChain) -> None:
    trust, name = trust_of(chain, FakeSource({})), SANDBOX.certificate_name
    middle = chain.intermediate
    elsewhere = make_authority("Another root", NOW)
    leaves = {
        "another name": make_leaf(middle, "messageverificationcerts.paypal.com", *YEAR),
        "a part of the name": make_leaf(middle, f"x.{name}", *YEAR),
        "no server's purpose": make_leaf(middle, name, *YEAR, for_servers=False),
        "expired": make_leaf(middle, name, YEAR[0], NOW - timedelta(seconds=1)),
        "not yet valid": make_leaf(middle, name, NOW + timedelta(seconds=1), YEAR[1]),
        "another root": make_leaf(elsewhere, name, *YEAR),
        "itself": make_authority(name, NOW),
    }
    for leaf in leaves.values():
        served = leaf.certificate_pem + middle.certificate_pem + elsewhere.certificate_pem
        with pytest.raises(DeliveryRefusedError, match="not PayPal's"):
            await certificates_of(served, trust).public_key(URL, NOW)


async def test_an_intermediate_may_come_from_the_settings(chain: SigningChain) -> None:
    trust = trust_of(chain, FakeSource({}))
    alone = chain.leaf.certificate_pem
    with pytest.raises(DeliveryRefusedError):
        await certificates_of(alone, trust).public_key(URL, NOW)
    known = replace(trust, intermediates=[chain.intermediate.certificate])
    await certificates_of(alone, known).public_key(URL, NOW)


async def test_a_key_that_is_not_rsa_is_refused(chain: SigningChain) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = chain.leaf.certificate
    builder = x509.CertificateBuilder(
        issuer_name=made.issuer,
        subject_name=made.subject,
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=YEAR[0],
        not_valid_after=YEAR[1],
        extensions=list(made.extensions),
    )
    leaf = Identity(builder.sign(chain.intermediate.key, SHA256()), chain.leaf.key)
    served = leaf.certificate_pem + chain.intermediate.certificate_pem
    trust = trust_of(chain, FakeSource({}))
    with pytest.raises(DeliveryRefusedError, match="RSA"):
        await certificates_of(served, trust).public_key(URL, NOW)


@pytest.mark.parametrize("served", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nYWJj\n"])
async def test_what_is_no_certificate_is_asked_for_again(
    chain: SigningChain, served: bytes
) -> None:
    with pytest.raises(CannotVerifyError):
        await certificates_of(served, trust_of(chain, FakeSource({}))).public_key(URL, NOW)


async def test_a_hundred_deliveries_fetch_a_certificate_once(chain: SigningChain) -> None:
    source = FakeSource({URL: chain.served_pem})
    certificates = Certificates(trust_of(chain, source), Memory())
    keys = await asyncio.gather(*(certificates.public_key(URL, NOW) for _ in range(100)))
    assert len(set(map(id, keys))) == 1
    assert source.urls == [URL]


async def test_a_key_is_kept_until_the_first_of_its_chain_ends(chain: SigningChain) -> None:
    end = NOW + timedelta(days=10)
    leaf = make_leaf(chain.intermediate, SANDBOX.certificate_name, NOW, end)
    served = leaf.certificate_pem + chain.intermediate.certificate_pem
    source = FakeSource({URL: served})
    certificates = Certificates(trust_of(chain, source), Memory())
    for time in (NOW, end - timedelta(seconds=1)):
        await certificates.public_key(URL, time)
    assert source.urls == [URL]
    with pytest.raises(DeliveryRefusedError):
        await certificates.public_key(URL, end + timedelta(seconds=1))


async def test_a_failure_is_remembered_for_a_moment(chain: SigningChain) -> None:
    for failure, served in (
        (CannotVerifyError, CannotVerifyError("the host is away")),
        (DeliveryRefusedError, chain.intermediate.certificate_pem),
    ):
        source = FakeSource({URL: served})
        certificates = Certificates(trust_of(chain, source), Memory())
        for _ in range(2):
            with pytest.raises(failure):
                await certificates.public_key(URL, NOW)
        assert source.urls == [URL]
        source.served = {URL: chain.served_pem}
        await certificates.public_key(URL, NOW + timedelta(seconds=30))


async def test_nobody_makes_us_call_paypal_without_end(chain: SigningChain) -> None:
    urls = [f"{URL}-{number}" for number in range(FETCHES_MAX + 5)]
    source = FakeSource(dict.fromkeys(urls, CannotVerifyError("nothing there")))
    source.served = {**source.served, URL: chain.served_pem}
    certificates = Certificates(trust_of(chain, source), Memory())
    for url in urls:
        with pytest.raises(CannotVerifyError):
            await certificates.public_key(url, NOW)
    assert len(source.urls) == FETCHES_MAX
    with pytest.raises(CannotVerifyError, match="too many"):
        await certificates.public_key(URL, NOW)
    await certificates.public_key(URL, NOW + timedelta(minutes=1))


async def test_only_the_keys_that_were_learnt_last_are_kept(chain: SigningChain) -> None:
    urls = [f"{URL}-{number}" for number in range(KEPT_MAX + 1)]
    source = FakeSource(dict.fromkeys(urls, chain.served_pem))
    certificates = Certificates(trust_of(chain, source), Memory())
    times = [NOW + number * timedelta(seconds=3) for number in range(len(urls))]
    for url, time in zip(urls, times, strict=True):
        await certificates.public_key(url, time)
    await certificates.public_key(urls[1], times[-1])
    assert source.urls == urls
    await certificates.public_key(urls[0], times[-1])
    assert source.urls == [*urls, urls[0]]


async def test_a_clock_that_is_set_back_makes_nobody_wait(chain: SigningChain) -> None:
    urls = [f"{URL}-{number}" for number in range(FETCHES_MAX)]
    source = FakeSource(dict.fromkeys(urls, CannotVerifyError("nothing there")))
    certificates = Certificates(trust_of(chain, source), Memory())
    for url in urls:
        with pytest.raises(CannotVerifyError):
            await certificates.public_key(url, NOW)
    source.served = {urls[0]: chain.served_pem}
    await certificates.public_key(urls[0], NOW - timedelta(hours=1))


async def test_what_was_remembered_is_told_from_a_flood_of_made_up_addresses(
    chain: SigningChain,
) -> None:
    source = FakeSource({f"{URL}-{each}": CannotVerifyError("nothing") for each in range(99)})
    memory = Memory({URL: chain.served_pem})
    signatures = Signatures(Environment.SANDBOX, (WEBHOOK_ID,), trust_of(chain, source), memory)
    for url in source.served:
        with pytest.raises(CannotVerifyError):
            await signatures.verify(signed_headers(chain, BODY, url=url), BODY, NOW)
    assert len(source.urls) == FETCHES_MAX
    await signatures.verify(signed_headers(chain, BODY), BODY, NOW)
    assert len(source.urls) == FETCHES_MAX
    assert memory == {URL: chain.served_pem}


async def test_what_was_remembered_is_verified_as_if_it_were_fetched(chain: SigningChain) -> None:
    name, middle = SANDBOX.certificate_name, chain.intermediate
    elsewhere = make_authority("Another root", NOW)
    expired = make_leaf(middle, name, YEAR[0], NOW - timedelta(seconds=1))
    forged = make_leaf(elsewhere, name, *YEAR)
    for pem in (
        b"",
        b"not a certificate",
        forged.certificate_pem + elsewhere.certificate_pem,
        expired.certificate_pem + middle.certificate_pem,
    ):
        source = FakeSource({URL: chain.served_pem})
        certificates = Certificates(trust_of(chain, source), Memory({URL: pem}))
        found = await certificates.public_key(URL, NOW)
        assert found == chain.leaf.key.public_key()
        assert source.urls == [URL]


async def test_only_what_has_signed_for_us_is_remembered(chain: SigningChain) -> None:
    """Whoever names all that PayPal ever served must not push out what it signs with now."""
    memory = Memory()
    trust = trust_of(chain, FakeSource({URL: chain.served_pem}))
    signatures = Signatures(Environment.SANDBOX, (WEBHOOK_ID,), trust, memory)
    headers = signed_headers(chain, BODY)
    for body, now in ((BODY + b" ", NOW), (BODY, NOW + timedelta(days=4))):
        with pytest.raises(DeliveryRefusedError):
            await signatures.verify(headers, body, now)
        assert memory == {}
    await signatures.verify(headers, BODY, NOW)
    assert memory == {URL: chain.served_pem}


async def test_a_signature_that_was_seen_long_ago_is_good_for_nothing(chain: SigningChain) -> None:
    """Until then it is good for a forged body as well, if that is not told from the first."""
    headers = signed_headers(chain, BODY)
    signatures = signatures_of(chain)
    signed_time = NOW - timedelta(seconds=2)
    for body in (BODY, forge(BODY)):
        for now in (NOW, NOW + timedelta(days=3, hours=12)):
            assert await signatures.verify(headers, body, now) == Transmission(
                headers["PAYPAL-TRANSMISSION-ID"],
                hashlib.sha256(body).digest(),
                counts_until=signed_time + timedelta(days=4),
            )
        for now in (NOW + timedelta(days=4), NOW - timedelta(days=5)):
            with pytest.raises(DeliveryRefusedError, match="too long ago"):
                await signatures.verify(headers, body, now)


def test_the_checksum_is_unsigned_and_decimal() -> None:
    assert signed_message("i", "t", "w", b"123456789") == b"i|t|w|3421780262"


def vector() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((VECTORS / "paypal-java-sdk-2017.json").read_bytes())
    return found


def signatures_of_vector(webhook_id: str) -> Signatures:
    root, intermediate = (
        x509.load_pem_x509_certificate((VECTORS / name).read_bytes())
        for name in (
            "DigiCertHighAssuranceEVRootCA.pem",
            "DigiCertSHA2ExtendedValidationServerCA.pem",
        )
    )
    url = vector()["headers"]["PAYPAL-CERT-URL"]
    source = FakeSource({url: vector()["cert_pem"].encode()})
    trust = PayPalTrust(source, [root], [intermediate], SANDBOX.certificate_name)
    return Signatures(Environment.SANDBOX, (webhook_id,), trust, Memory())


@pytest.mark.skipif(not VECTORS.exists(), reason="the published vector is not here")
async def test_the_published_vector() -> None:
    given_vector = vector()
    body, webhook_id = given_vector["raw_body"].encode(), given_vector["webhook_id"]
    headers = CIMultiDict(given_vector["headers"])
    its_day = datetime(2017, 3, 30, 20, 5, tzinfo=UTC)
    await signatures_of_vector(webhook_id).verify(headers, body, its_day)

    changed_body = body.replace(b"T-Shirt", b"t-Shirt")
    signature = headers["PAYPAL-TRANSMISSION-SIG"]
    changed_headers = [
        changed(headers, "PAYPAL-TRANSMISSION-SIG", "b" + signature[1:]),
        changed(headers, "PAYPAL-TRANSMISSION-ID", "071f7d20-1584-11e7-abf0-6b62a8a99ac5"),
        changed(headers, "PAYPAL-CERT-URL", headers["PAYPAL-CERT-URL"].replace(".sandbox", "")),
    ]
    attempts = [(headers, changed_body, webhook_id, its_day), (headers, body, "1", its_day)]
    attempts += [(each, body, webhook_id, its_day) for each in changed_headers]
    attempts.append((headers, body, webhook_id, NOW))
    for tried_headers, tried_body, tried_id, now in attempts:
        with pytest.raises(DeliveryRefusedError):
            await signatures_of_vector(tried_id).verify(tried_headers, tried_body, now)
