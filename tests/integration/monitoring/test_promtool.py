# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' own checker on the metrics, the alerts of the documentation, and the expressions of the dashboard."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.multihome.linux.tests.unit.monitoring.test_monitoring import PAGE, TEXT, dashboard, expressions

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def promtool() -> str:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import name_servers  # noqa: PLC0415 - a script, which is no package
    finally:
        sys.path.pop(0)
    return str(name_servers.ensure_promtool(ROOT / ".cache"))


def check_metrics(promtool: str, text: str) -> str:
    """What it finds in a file of metrics."""
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def check_rules(promtool: str, directory: Path, rules: object) -> str:
    """What it finds in a file of rules."""
    path = directory / "rules.yml"
    path.write_text(yaml.safe_dump(rules))
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_metrics_follow_the_conventions(promtool: str) -> None:
    assert check_metrics(promtool, TEXT) == ""
    # Control: a counter without its ending, and a text that is none.
    wrong = TEXT.replace("multihome_line_changes_total", "multihome_line_changes")
    assert 'should have "_total" suffix' in check_metrics(promtool, wrong)
    assert check_metrics(promtool, "multihome_line_up{line=x} 1\n")


def test_the_alerts_can_be_loaded(promtool: str, tmp_path: Path) -> None:
    (block,) = [
        match[1] for match in re.finditer(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if match[1].startswith("groups:")
    ]
    rules = yaml.safe_load(block)
    assert check_rules(promtool, tmp_path, rules) == ""
    rules["groups"][0]["rules"][0]["expr"] += " =="
    assert "parse error" in check_rules(promtool, tmp_path, rules)


def test_the_expressions_of_the_dashboard_can_be_parsed(promtool: str, tmp_path: Path) -> None:
    # Grafana puts values in the place of its variables.
    written = [re.sub(r"\$__(rate_)?interval", "5m", each) for each in expressions(dashboard())]
    rules = [{"record": f"checked:{number}", "expr": each} for number, each in enumerate(written)]
    assert rules
    assert check_rules(promtool, tmp_path, {"groups": [{"name": "dashboard", "rules": rules}]}) == ""
    rules[0]["expr"] += ")"
    assert check_rules(promtool, tmp_path, {"groups": [{"name": "dashboard", "rules": rules}]})
