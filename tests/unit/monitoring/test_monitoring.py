# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics, dashboard and documentation name the same metrics; the naming conventions of Prometheus hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.health import hooks
from ansible_collections.multihome.linux.plugins.module_utils._core.health import metrics as line_metrics
from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import DOWN, UP, LineHealth
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper import metrics as keeper_metrics

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "monitoring.md").read_text()
REPORT = {
    "since": "2026-01-31T12:00:00Z",
    "repairs": 3,
    "waiting": [{"object": "x"}],
    "damped": [],
    "refused": [{"file": "y"}, {"file": "z"}],
    "taken": [],
    "taken_translations": [{"place": "nft table ip nat, chain PREROUTING"}],
}
LINES = [
    LineHealth("unicom", 4, UP, "", 0.0, loss=0.1, rtt=0.0312, hold=10.0, steps=2, address="203.0.113.10"),
    LineHealth("interlink", 6, DOWN, "", 0.0, drained=True, alarm="x"),
]
TEXT = line_metrics.as_text(LINES, {("unicom", 4, DOWN): 1}, lags=2) + keeper_metrics.as_text(REPORT)
# Of other exporters.
FOREIGN = {"node_textfile_mtime_seconds"}
UNITS = ("_seconds", "_ratio", "_total", "_bytes")


def types(text: str) -> dict[str, str]:
    """The type of each metric, by its name."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def named(text: str) -> set[str]:
    """The metrics that a text names."""
    return set(re.findall(r"\b(?:multihome|node)_[a-z_]+\b", text))


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "grafana-dashboard.json").read_text())
    return found


def expressions(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_the_dashboard_shows_metrics_that_exist() -> None:
    board = dashboard()
    used = set().union(*map(named, expressions(board)))
    assert used
    assert used <= set(types(TEXT)) | FOREIGN
    assert named(board["templating"]["list"][1]["definition"]) <= set(types(TEXT))
    # The control: a name that nobody writes.
    assert not named("multihome_line_dwon") <= set(types(TEXT))


def test_the_dashboard_can_be_imported() -> None:
    board = dashboard()
    assert board["uid"]
    assert board["schemaVersion"] >= 36
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        assert panel["description"]
        assert all(target["expr"].count("{") == target["expr"].count("}") for target in panel["targets"])
    assert {variable["name"] for variable in board["templating"]["list"]} == {"datasource", "instance"}
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in board["panels"]]
    for number, (x, y, w, h) in enumerate(places):
        for x2, y2, w2, h2 in places[:number]:
            assert x >= x2 + w2 or x2 >= x + w or y >= y2 + h2 or y2 >= y + h


def test_every_metric_is_documented_with_its_type() -> None:
    rows = dict(re.findall(r"^\| `(multihome_[a-z_]+)` \| (gauge|counter) \|", PAGE, re.MULTILINE))
    assert rows == types(TEXT)


def test_the_alerts_name_metrics_that_exist() -> None:
    alerts = re.findall(r"^ +expr: (.+)$", PAGE, re.MULTILINE)
    assert len(alerts) >= 4
    assert all(named(alert) <= set(types(TEXT)) | FOREIGN for alert in alerts)


@pytest.mark.parametrize("name", sorted(types(TEXT)))
def test_names_follow_the_conventions(name: str) -> None:
    kind = types(TEXT)[name]
    assert re.fullmatch(r"multihome_[a-z]+(_[a-z]+)*", name)
    assert (kind == "counter") == name.endswith("_total")
    for word in ("gauge", "counter", "milliseconds", "percent", "ms"):
        assert word not in name.split("_")
    if any(word in name for word in ("rtt", "hold", "time")):
        assert name.endswith(UNITS)


def test_the_keepers_figures() -> None:
    shown = dict(line.split() for line in keeper_metrics.as_text(REPORT).splitlines() if not line.startswith("#"))
    assert shown == {
        "multihome_keeper_repairs_total": "3",
        "multihome_keeper_waiting_objects": "1",
        "multihome_keeper_damped_objects": "0",
        "multihome_keeper_refused_files": "2",
        "multihome_keeper_replies_taken": "0",
        "multihome_keeper_translations_taken": "1",
        "multihome_keeper_default_routes_taken": "0",
        "multihome_keeper_unpublished_zones": "0",
        "multihome_keeper_start_time_seconds": "1769860800",
    }
    zones = [{"zone": "a.example", "fault": ""}, {"zone": "b.example", "fault": "192.0.2.53: no answer in time"}]
    assert "\nmultihome_keeper_unpublished_zones 1\n" in keeper_metrics.as_text({**REPORT, "zones": zones})
    assert "start_time" not in keeper_metrics.as_text({"repairs": 0})


def test_the_events_of_hooks_are_documented() -> None:
    assert tuple(re.findall(r"^\| `([a-z]+)` \| [a-z]", PAGE, re.MULTILINE)) == hooks.EVENTS
