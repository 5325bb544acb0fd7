"""What a database's URL asks for is known when a service starts, or the service does not."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.database_urls import require_database_url
from tests.support.authorities import KEY_PASSWORD, Authority, CertificateFiles

URL = "postgresql://wallet:hunter2@db.example:5432/wallet?"
REFUSED = {
    "sslmode=verify_full&sslrootcert={authority}": "sslmode",
    "sslmode=VERIFY-FULL&sslrootcert={authority}": "sslmode",
    "sslmode=verify-full": "sslrootcert",
    "sslmode=verify-ca": "sslrootcert",
    "sslmod=verify-full&sslrootcert={authority}": "no parameters but",
    "ssl_mode=require": "no parameters but",
    "channel_binding=require": "no parameters but",
    "sslmode=verify-full&sslrootcert={authority}&hunter=hunter2": "no parameters but",
    # Nothing would be verified, though somebody thinks so.
    "sslrootcert={authority}": "sslmode",
    "sslmode=prefer&sslrootcert={authority}": "sslmode",
    "sslmode=disable&sslcert={certificate}&sslkey={key}": "sslmode",
    "sslnegotiation=direct": "sslmode",
    "sslmode=require&sslnegotiation=hunter2": "sslnegotiation",
    "sslmode=verify-full&sslrootcert=/hunter2/authority.pem": "files in PEM",
    "sslmode=verify-full&sslrootcert={key}": "files in PEM",
    "sslmode=require&sslcert={certificate}": "sslkey",
    "sslmode=require&sslkey={key}": "sslcert",
    "sslmode=require&sslcert={certificate}&sslkey={key}&sslpassword=hunter2": "files in PEM",
    "sslmode=require&sslcert={certificate}&sslkey={key}": "files in PEM",
    "sslmode=require&ssl_min_protocol_version=SSLv3": "ssl_min_protocol_version",
    "target_session_attrs=hunter2": "target_session_attrs",
}
TAKEN = [
    "sslmode=disable",
    "sslmode=require",
    "sslmode=require&sslnegotiation=direct&ssl_min_protocol_version=TLSv1.3",
    "sslmode=verify-ca&sslrootcert={authority}",
    "sslmode=verify-full&sslrootcert={authority}",
    f"sslmode=require&sslcert={{certificate}}&sslkey={{key}}&sslpassword={KEY_PASSWORD}",
    "application_name=mine&options=-c%20search_path%3Dpublic&target_session_attrs=read-write",
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the database's clients believe."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def files(authority: Authority) -> CertificateFiles:
    """What a client proves itself with."""
    return authority.vouch_for("wallet")


def url_with(parameters: str, authority: Path, files: CertificateFiles) -> SecretStr:
    filled = parameters.format(authority=authority, certificate=files.certificate, key=files.key)
    return SecretStr(URL + filled)


@pytest.mark.parametrize("parameters", REFUSED)
def test_what_could_not_be_kept_is_refused_in_one_line_that_quotes_nothing(
    authority: Authority, files: CertificateFiles, parameters: str
) -> None:
    with pytest.raises(ValueError, match=REFUSED[parameters]) as caught:
        require_database_url(url_with(parameters, authority.file, files))
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("parameters", TAKEN)
def test_what_is_right_is_taken(
    authority: Authority, files: CertificateFiles, parameters: str
) -> None:
    url = url_with(parameters, authority.file, files)
    assert require_database_url(url) == url
