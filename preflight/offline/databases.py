"""What databases' URLs say of who asks, and of who is believed."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

from libs.database_urls import require_database_url
from libs.secret_files import read_secret
from preflight.given import OWNERS, Given, owner_setting
from preflight.problems import Problem


class Place(NamedTuple):
    """Which database, as whom."""

    user: str
    hosts: tuple[str, ...]
    name: str
    ssl_mode: str


def unusable_owner_urls(given: Given) -> Iterator[Problem]:
    """Tell of those that only migrations would find out about."""
    for name in map(owner_setting, OWNERS):
        try:
            if value := read_secret(name, given.environment):
                require_database_url(SecretStr(value))
        except ValueError as error:
            yield Problem(name, str(error))


def unproven_servers(given: Given) -> Iterator[Problem]:
    """Tell of databases on other machines whose servers prove nothing."""
    for name, place in _places(given).items():
        is_near = all(host.startswith("/") or given.is_near(host) for host in place.hosts)
        if not is_near and place.ssl_mode != "verify-full":
            yield Problem(
                name, "is not on this machine: expected sslmode=verify-full&sslrootcert=<file>"
            )


def mighty_roles(given: Given) -> Iterator[Problem]:
    """Tell of services that own what they may only add to, and of databases of two."""
    places = _places(given)
    first: dict[tuple[tuple[str, ...], str], str] = {}
    for service in OWNERS:
        name, owner = f"{service.upper()}_DATABASE_URL", owner_setting(service)
        place = places.get(name)
        if place is None:
            continue
        if owner in places and places[owner].user == place.user:
            yield Problem(name, f"has the role of {owner}, which may change the ledger's past")
        other = first.setdefault((place.hosts, place.name), name)
        if other != name:
            yield Problem(name, f"is the database of {other} too")


def _places(given: Given) -> dict[str, Place]:
    names = [f"{service.upper()}_DATABASE_URL" for service in OWNERS]
    found = {name: _place_of(given.value(name)) for name in (*names, *map(owner_setting, OWNERS))}
    return {name: place for name, place in found.items() if place}


def _place_of(url: str) -> Place | None:
    try:
        require_database_url(SecretStr(url))
    except ValueError:
        return None
    parts = urlsplit(url)
    given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    credentials, _, servers = parts.netloc.rpartition("@")
    hosts = [_host_of(each) for each in (given.get("host") or servers).split(",")]
    user = given.get("user") or unquote(credentials.partition(":")[0])
    name = given.get("dbname") or given.get("database") or parts.path.removeprefix("/") or user
    mode = given.get("sslmode", "prefer")
    return Place(user, tuple(hosts), name, mode)


def _host_of(server: str) -> str:
    """Return the host of host:port; without one, the driver takes a socket of this machine."""
    if server.startswith("["):
        return server[1 : server.index("]")]
    return server.partition(":")[0] or "/"
