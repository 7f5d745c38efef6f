"""Grafana's dashboard and the documentation ask for metrics that there are, and for all of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from crm_sync_assets.dashboard.metrics import METRICS

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAME = re.compile(r"crm_sync_\w+")


def queries() -> list[str]:
    board = json.loads((DEPLOY / "grafana.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [*asked, *(v["definition"] for v in board["templating"]["list"] if "definition" in v)]


def test_grafana_asks_for_every_metric_and_for_no_other() -> None:
    assert {name for query in queries() for name in NAME.findall(query)} == set(METRICS)


def test_its_labels_are_those_of_the_metrics() -> None:
    for query in queries():
        for name, chosen in re.findall(r"(crm_sync_\w+)\{([^}]*)\}", query):
            labels = re.findall(r"(\w+)=~?\"", chosen)
            assert labels, query
            assert set(labels) <= set(METRICS[name][1]), query
        for by, name in re.findall(r"by \((\w+)\) \((crm_sync_\w+)", query):
            assert by in METRICS[name][1], query
        for name, label in re.findall(r"label_values\((crm_sync_\w+)\S*, (\w+)\)", query):
            assert label in METRICS[name][1], query


def test_its_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((DEPLOY / "grafana.json").read_text())["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_documentation_has_every_metric_with_its_labels_and_meaning() -> None:
    page = (DEPLOY / "README.md").read_text()
    for name, (about, labels) in METRICS.items():
        assert f"| `{name}` | {', '.join(labels)} | {about} |" in page
