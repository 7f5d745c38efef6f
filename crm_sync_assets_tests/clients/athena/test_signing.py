"""Signatures: by keys that are given, or that AWS's own ways find."""

from __future__ import annotations

import sys

import pytest
from botocore.exceptions import CredentialRetrievalError

from crm_sync_assets.clients.athena.signing import Keys, Signed
from crm_sync_assets.clients.auth import Request
from crm_sync_assets.errors import NotSet, Unauthorized, UsageError

KEYS = Keys("AKIAEXAMPLE", "a-secret-of-some-length")
VARIABLE = "SALESPRO_SECRET_ACCESS_KEY"
ASKED = Request(
    "POST",
    "athena.us-east-1.amazonaws.com",
    "/",
    {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "A.B", "Accept": "*/*"},
    b"{}",
)


def test_what_is_signed_is_what_nobody_changes_on_the_way() -> None:
    proof = Signed.with_credentials("us-east-1", VARIABLE, KEYS).proof(ASKED)
    assert (
        "SignedHeaders=content-type;host;x-amz-date;x-amz-target" in proof.headers["Authorization"]
    )
    assert KEYS.secret in proof.secrets
    assert KEYS.secret not in str(proof.headers)
    assert KEYS.secret not in repr(Signed.with_credentials("us-east-1", VARIABLE, KEYS))


def test_the_token_of_a_session_is_sent_and_signed() -> None:
    keys = Keys(KEYS.access_key, KEYS.secret, "session-token")
    proof = Signed.with_credentials("us-east-1", VARIABLE, keys).proof(ASKED)
    assert proof.headers["X-Amz-Security-Token"] == "session-token"
    assert "x-amz-security-token" in proof.headers["Authorization"]
    assert "session-token" in proof.secrets


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory) -> pytest.MonkeyPatch:
    """A machine on which AWS's own ways find nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, f"{tmp_path}/nothing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def test_without_keys_those_of_the_environment_count(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    signed = Signed.with_credentials("us-east-1", VARIABLE, None)
    assert "Credential=AKIAOTHER/" in signed.proof(ASKED).headers["Authorization"]
    assert not signed.refresh("AKIAOTHER")
    assert signed.refresh("AKIABEFORE")


def test_where_no_keys_are_found_the_variable_is_named(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotSet, match=f"{VARIABLE} is not set"):
        Signed.with_credentials("us-east-1", VARIABLE, None)


def test_a_profile_that_there_is_not_is_one_line(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(UsageError, match="nowhere"):
        Signed.with_credentials("us-east-1", VARIABLE, None)


class _Expired:
    def get_frozen_credentials(self) -> None:
        raise CredentialRetrievalError(provider="a role", error_msg="expired")


def test_credentials_that_cannot_be_renewed_are_refused() -> None:
    with pytest.raises(Unauthorized, match="expired"):
        Signed("us-east-1", VARIABLE, None, _Expired()).proof(ASKED)


def test_keys_that_are_given_are_not_tried_twice() -> None:
    assert not Signed.with_credentials("us-east-1", VARIABLE, KEYS).refresh("AKIABEFORE")


def test_without_botocore_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(UsageError, match=r"pip install 'crm_sync_assets\[athena\]'"):
        Signed.with_credentials("us-east-1", VARIABLE, KEYS)
