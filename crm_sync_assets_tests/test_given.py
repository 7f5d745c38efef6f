"""What a person wrote: `.env` and secrets as they are meant, or refused by name."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets import cli
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import client_for
from crm_sync_assets.errors import UsageError
from crm_sync_assets.given import cleaned, env_file
from crm_sync_assets.settings import environment as current

PASTED = {
    "line_end": "{}\n",
    "windows_line_end": "{}\r\n",
    "bom": "\ufeff{}",
    "blanks": "  {}\t",
    "no_break_space": "\u00a0{}\u200b",
    "quotes": '"{}"',
    "single_quotes": "'{}'",
    "typographic_quotes": "\u201c{}\u201d",
    "bearer": "Bearer {}",
    "header": "Authorization: bearer {}",
    "all_of_it": "\ufeff'Bearer  \"{}\" '\r\n",
}


@pytest.mark.parametrize("pasted", PASTED.values(), ids=PASTED)
def test_what_was_copied_with_a_token_is_not_sent(
    sandbox: Any, environment: pytest.MonkeyPatch, pasted: str
) -> None:
    environment.setenv("HUBSPOT_TOKEN", pasted.format(sandbox.env()["HUBSPOT_TOKEN"]))
    crm = registry.crm("hubspot")
    client = client_for(crm, current())
    assert "HubSpot account" in client.check()
    client.close()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("pat-na1 12345678", "a blank as its character 8 of 16"),
        ("pat-na1-1234\n5678", "a line end as its character 13 of 17"),
        ("pat-na1-12345\x07", "a control character as its character 14 of 14"),
        ("pat-nä1-12345678", "a character that is not ASCII as its character 6 of 16"),
    ],
    ids=["blank", "line_end", "control", "not_ascii"],
)
@pytest.mark.parametrize("name", ["HUBSPOT_TOKEN", "HUBSPOT_REFRESH_TOKEN", "GITHUB_TOKEN"])
def test_a_key_that_no_header_can_hold_is_refused_by_name_and_not_shown(
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    said: str,
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        cleaned(name, value)
    assert str(caught.value).startswith(f"{name} holds")
    assert value[:8] not in str(caught.value)
    if name == "HUBSPOT_TOKEN":
        environment.setenv(name, value)
        assert cli.main(["hubspot", "contacts"]) == 2
        assert f"HUBSPOT_TOKEN holds {said}" in capsys.readouterr().err


def test_a_clients_secret_travels_in_a_body_and_may_be_anything() -> None:
    assert cleaned("HUBSPOT_CLIENT_SECRET", 'cs Vb"é ß\n') == 'cs Vb"é ß'


def test_a_password_keeps_its_blanks_and_quotes() -> None:
    assert cleaned("GENIUS_DB_PASSWORD", " 'p w' \r\n") == " 'p w' "


def test_other_values_lose_what_surrounds_them_only() -> None:
    assert cleaned("HUBSPOT_BASE_URL", "\ufeffhttps://x/ \n") == "https://x/"
    assert cleaned("CRM_SYNC_ALERT_URLS", "a://b\nc://d\n") == "a://b\nc://d"


def test_a_token_of_nothing_but_blanks_is_not_set(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HUBSPOT_TOKEN", " \ufeff\n")
    with pytest.raises(UsageError, match="HUBSPOT_TOKEN is not set"):
        current().require("HUBSPOT_TOKEN", "a token")


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig"])
def test_env_is_read_with_and_without_bom(tmp_path: Path, codec: str) -> None:
    path = tmp_path / ".env"
    path.write_text("FIRST='ж'\nSECOND=2\n", codec)
    assert env_file(path) == {"FIRST": "ж", "SECOND": "2"}


NOT_UTF_8 = {
    "utf_16": "# a\nHUBSPOT_TOKEN=x\n".encode("utf-16"),
    "utf_16_without_bom": "HUBSPOT_TOKEN=x\n".encode("utf-16-le"),
    "latin_1_comment": b"A=1\n# f\xfcr HubSpot\nHUBSPOT_TOKEN=x\n",
}


@pytest.mark.parametrize("octets", NOT_UTF_8.values(), ids=NOT_UTF_8)
@pytest.mark.parametrize(
    "words", [["hubspot", "contacts"], ["history"], ["doctor"], ["migrate"]], ids=lambda w: w[0]
)
def test_env_in_another_encoding_is_named(
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    octets: bytes,
    words: list[str],
) -> None:
    environment.setenv("HOME", str(tmp_path))
    (tmp_path / ".env").write_bytes(octets)
    status = cli.main(words)
    out, err = capsys.readouterr()
    assert status == (1 if words == ["doctor"] else 2)
    assert f"{tmp_path / '.env'} is not UTF-8 text" in out + err
    assert "save it as UTF-8" in out + err


def test_env_in_latin_1_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(NOT_UTF_8["latin_1_comment"])
    with pytest.raises(UsageError, match="line 2"):
        env_file(path)


@pytest.mark.parametrize("octets", NOT_UTF_8.values(), ids=NOT_UTF_8)
def test_the_file_of_a_secret_in_another_encoding_is_named(
    environment: pytest.MonkeyPatch, tmp_path: Path, octets: bytes
) -> None:
    path = tmp_path / "token"
    path.write_bytes(octets)
    environment.setenv("HUBSPOT_TOKEN_FILE", str(path))
    with pytest.raises(UsageError, match=r"HUBSPOT_TOKEN_FILE .*token, which is not UTF-8"):
        current().get("HUBSPOT_TOKEN")


@pytest.mark.parametrize("text", ["", " \n"], ids=["empty", "blank"])
def test_an_empty_file_of_a_secret_is_named(
    environment: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    """As if it were not set, a private file would be asked for without a token."""
    (tmp_path / "token").write_text(text)
    environment.setenv("GITHUB_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(UsageError, match=r"GITHUB_TOKEN_FILE points to .*token, which is empty"):
        current().get("GITHUB_TOKEN")


def test_single_quotes_are_literal_and_others_refer_to_variables(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("WHO", "me")
    path = tmp_path / ".env"
    path.write_text(
        "# GENIUS_DB_PASSWORD='no'\n"
        "\n"
        "GENIUS_DB_PASSWORD='a${WHO}b'\n"
        "export EXPORTED = 'c${WHO}d'\n"
        'DOUBLE="e${WHO}f"\n'
        "BARE=g${WHO}h$WHO\n"
        "OTHER=${GENIUS_DB_PASSWORD}i\n"
        "DEFAULT=${NOT_SET:-j}\n"
        "PART=k'l${WHO}m'\n"
    )
    assert env_file(path) == {
        "GENIUS_DB_PASSWORD": "a${WHO}b",
        "EXPORTED": "c${WHO}d",
        "DOUBLE": "emef",
        "BARE": "gmeh$WHO",
        "OTHER": "a${WHO}bi",
        "DEFAULT": "j",
        "PART": "k'lmem'",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\n\n# c\nB=x${NOT_SET}\n", "line 4: B refers to .*NOT_SET.*In single quotes"),
        ("A=1\nB='it''s'\n", "line 2 is not NAME=value"),
        ('A=1\n\nB="open\n', "line 3 is not NAME=value"),
    ],
    ids=["reference", "quotes", "open"],
)
def test_a_line_that_would_be_left_out_or_changed_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / ".env"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        env_file(path)


def test_an_env_that_is_no_file_is_named(tmp_path: Path) -> None:
    """Docker makes a folder of what it is to mount and does not find."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="folder is a folder, not a file"):
        env_file(tmp_path / "folder")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="link cannot be read: No such file"):
        env_file(tmp_path / "link")
    assert env_file(tmp_path / "missing") == {}
    (tmp_path / "folder" / "pyvenv.cfg").touch()
    assert env_file(tmp_path / "folder") == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_env_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.touch()
    path.chmod(stat.S_IWUSR)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        env_file(path)


def test_the_settings_of_env_are_those_of_its_variables(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One reading for both: what is literal in one is literal in the other."""
    environment.delenv("CRM_SYNC_WAREHOUSE_URL")
    (tmp_path / ".env").write_text(
        "CRM_SYNC_WAREHOUSE_URL='postgresql://u:a${HOME}b@h/d'\nCRM_SYNC_HOME=from_env_file\n"
    )
    assert current().warehouse_url == "postgresql://u:a${HOME}b@h/d"
    assert current().home == tmp_path / "home", "the environment wins"


def test_the_warehouse_url_may_be_in_a_file_like_any_secret(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Left out, the rows would go into an embedded server nobody looks at."""
    environment.delenv("CRM_SYNC_WAREHOUSE_URL")
    (tmp_path / "url").write_text("postgresql://u:p@h/d\n")
    environment.setenv("CRM_SYNC_WAREHOUSE_URL_FILE", str(tmp_path / "url"))
    assert current().warehouse_url == "postgresql://u:p@h/d"
    (tmp_path / "url").unlink()
    environment.setenv("CRM_SYNC_LOG_LEVEL", "DEBUG")
    with pytest.raises(UsageError, match="CRM_SYNC_WAREHOUSE_URL_FILE points to"):
        current()


def test_doctor_says_that_a_credential_is_wrong(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("HUBSPOT_TOKEN", "pat na1")
    assert cli.main(["doctor"]) == 1
    assert "✗ HubSpot: not set up: HUBSPOT_TOKEN holds a blank" in capsys.readouterr().out


def test_a_private_key_keeps_its_lines(environment: pytest.MonkeyPatch) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
    environment.setenv("SALESFORCE_PRIVATE_KEY", f"  {key}\n")
    assert current().get("SALESFORCE_PRIVATE_KEY") == key
