"""The server on a real socket: who is answered, and what the warehouse's state changes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crm_sync_assets.cli import main
from crm_sync_assets.dashboard.links import entity_url
from crm_sync_assets.dashboard.metrics import METRICS
from crm_sync_assets.dashboard.server import app, check_address, listener, server
from crm_sync_assets.errors import FatalError, Unavailable, UsageError
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.dashboard.conftest import ENTITIES, MARKUP, NOW, SETTINGS, add
from crm_sync_assets_tests.scripted import PEOPLE


@contextmanager
def serving(open_warehouse: Callable[[], Warehouse]) -> Iterator[int]:
    """The port of a server that runs within."""
    hosts = ["board.example"]
    running = server(
        app(open_warehouse, ENTITIES, days_back=30, hosts=hosts, settings=lambda _: SETTINGS)
    )
    with listener("127.0.0.1", 0) as socket:
        thread = threading.Thread(target=running.run, kwargs={"sockets": [socket]})
        thread.start()
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield socket.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join()


def get(port: int, path: str, host: str = "localhost") -> tuple[HTTPResponse, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def metrics(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_page_is_served_and_read_anew_each_time(filled: Warehouse) -> None:
    with serving(lambda: filled) as port:
        answer, before = get(port, "/")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert ">other.calls</a>" not in before
        add(filled, NOW - NOW, crm_source="other", sync_type="calls")
        assert ">other.calls</a>" in get(port, "/")[1]
        assert 'data-days="90"' in get(port, "/?days=90")[1]
        assert 'data-days="30"' in get(port, "/?days=1;DROP")[1]
        assert get(port, "/elsewhere")[0].status == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:3100", 200), ("127.0.0.1", 200), ("[::1]:3100", 200), ("LOCALHOST", 200),
     ("board.example:80", 200), ("evil.example", 421), ("", 421), ("localhost.evil.example", 421)],
)  # fmt: skip
def test_only_known_names_are_answered(warehouse: Warehouse, host: str, status: int) -> None:
    with serving(lambda: warehouse) as port:
        for path in ("/healthz", "/metrics", "/"):
            assert get(port, path, host)[0].status == status


def test_without_a_warehouse_it_says_so_and_no_more(filled: Warehouse) -> None:
    def down() -> Warehouse:
        raise Unavailable("the warehouse postgresql://u:***@db/x cannot be reached: refused")

    with serving(down) as port:
        for path in ("/", "/healthz"):
            answer, text = get(port, path)
            assert answer.status == 503
            assert text == "the warehouse postgresql://u:***@db/x cannot be reached: refused\n"
        answer, text = get(port, "/metrics")
        assert answer.status == 200
        assert metrics(text) == {("crm_sync_up",): 0.0}
    with serving(lambda: filled) as port:
        assert json.loads(get(port, "/healthz")[1]) == {"status": "ok"}


def test_metrics_are_those_that_are_documented_and_say_what_the_rows_say(
    filled: Warehouse,
) -> None:
    with serving(lambda: filled) as port:
        answer, text = get(port, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert MARKUP not in text
    found = metrics(text)
    people = ("test", "people")
    assert found["crm_sync_up",] == 1
    assert found["crm_sync_entity_state", *people, "fresh"] == 1
    assert found["crm_sync_entity_state", "test", "things", "failed"] == 1
    assert found["crm_sync_entity_state", "other", "calls", "never_synced"] == 1
    assert found["crm_sync_duration_seconds", *people] == 60
    assert found["crm_sync_duration_baseline_seconds", *people] == 60
    assert found["crm_sync_quarantined_records", "test", "calls"] == 2
    assert found["crm_sync_open_alerts", "failed"] == 1
    watermark = found["crm_sync_watermark_timestamp_seconds", *people]
    assert NOW.timestamp() - watermark == pytest.approx(3600)
    today = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    syncs = sum((NOW - today).total_seconds() >= 3600 * hours for hours in (1, 2, 3))
    assert found["crm_sync_today_syncs", *people, "success"] == syncs
    assert found["crm_sync_today_records", *people, "created"] == 7 * syncs
    assert found["crm_sync_today_api_requests", "other", "calls"] == 0
    families = list(text_string_to_metric_families(text))
    assert {family.name for family in families} <= set(METRICS)
    for family in families:
        assert family.documentation == METRICS[family.name][0]
        for sample in family.samples:
            assert tuple(sample.labels) == METRICS[family.name][1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "board.example"])
def test_the_world_is_not_listened_to_by_accident(host: str, capsys: object) -> None:
    with pytest.raises(UsageError, match="no sign-in: give --public"):
        check_address(host, public=False)
    check_address(host, public=True)
    assert main(["dashboard", "--host", host]) == 2
    for mine in ("127.0.0.1", "localhost", "::1", "127.1.2.3"):
        check_address(mine, public=False)


def test_a_port_that_is_taken_is_one_line() -> None:
    with (
        listener("127.0.0.1", 0) as taken,
        pytest.raises(FatalError, match=r"cannot be used .*give another with --port"),
    ):
        listener("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 70_000])
def test_what_is_no_port_is_one_line(port: int) -> None:
    with pytest.raises(UsageError, match="is no port"):
        listener("127.0.0.1", port)


def test_the_command_writes_one_file(
    environment: pytest.MonkeyPatch, filled: Warehouse, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    target = tmp_path / "board.html"
    assert main(["dashboard", "--output", str(target), "--days", "7"]) == 0
    assert 'data-days="7"' in target.read_text()
    assert "7 days" in capsys.readouterr().out
    assert main(["dashboard", "--output", str(tmp_path / "no" / "where.html")]) == 1
    assert "cannot be written: No such file" in capsys.readouterr().err
    assert main(["dashboard", "--days", "366"]) == 2
    assert "at most 365" in capsys.readouterr().err


def test_an_entity_has_one_address(environment: pytest.MonkeyPatch) -> None:
    assert entity_url(PEOPLE) is None
    environment.setenv("CRM_SYNC_DASHBOARD_URL", "https://board.example/crm/")
    assert entity_url(PEOPLE) == "https://board.example/crm/#test/people"
