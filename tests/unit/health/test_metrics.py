# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics are what Prometheus reads: every name with HELP and TYPE, labels escaped, no sample twice."""

from __future__ import annotations

import re

from ansible_collections.multihome.linux.plugins.module_utils._core.health.line_state import DOWN, UP, LineHealth
from ansible_collections.multihome.linux.plugins.module_utils._core.health.metrics import as_text, escaped

_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.e+-]+)')
STATES_OF_LINES = [
    LineHealth("unicom", 4, UP, "", 0.0, loss=0.1, rtt=0.0312, hold=10.0, steps=2),
    LineHealth('a"b\\c\nd', 6, DOWN, "", 0.0, drained=True, alarm="x", hold=600.0),
]


def samples(text: str) -> dict[str, float]:
    """Each sample by its name and labels; the text is checked as promtool does."""
    found: dict[str, float] = {}
    types: dict[str, str] = {}
    helped: set[str] = set()
    for row in text.splitlines():
        if row.startswith("# HELP "):
            helped.add(row.split()[2])
        elif row.startswith("# TYPE "):
            _hash, _type, name, kind = row.split()
            assert name in helped
            assert name not in types
            assert (kind == "counter") is name.endswith("_total")
            types[name] = kind
        else:
            match = _SAMPLE.fullmatch(row)
            assert match, row
            assert match[1] in types
            key = f"{match[1]}{{{match[2] or ''}}}"
            assert key not in found
            found[key] = float(match[3])
    assert text.endswith("\n")
    return found


def test_a_line_has_its_figures() -> None:
    found = samples(as_text(STATES_OF_LINES, {("unicom", 4, DOWN): 3}, lags=1))
    labels = 'line="unicom",family="ipv4"'
    assert found[f"multihome_line_up{{{labels}}}"] == 1
    assert found[f"multihome_line_usable{{{labels}}}"] == 1
    assert found[f"multihome_line_probe_loss_ratio{{{labels}}}"] == 0.1
    assert found[f"multihome_line_probe_rtt_seconds{{{labels}}}"] == 0.0312
    assert found[f'multihome_line_state{{{labels},state="up"}}'] == 1
    assert found[f'multihome_line_changes_total{{{labels},state="down"}}'] == 3
    assert found["multihome_health_lags_total{}"] == 1


def test_labels_are_escaped_and_unknown_figures_left_out() -> None:
    text = as_text(STATES_OF_LINES, {}, lags=0)
    found = samples(text)
    labels = 'line="a\\"b\\\\c\\nd",family="ipv6"'
    assert found[f"multihome_line_up{{{labels}}}"] == 0
    assert found[f"multihome_line_drained{{{labels}}}"] == 1
    assert f"multihome_line_probe_rtt_seconds{{{labels}}}" not in found
    assert escaped("plain") == "plain"


def test_control_a_label_that_is_not_escaped_is_found() -> None:
    assert not _SAMPLE.fullmatch('multihome_line_up{line="a"b",family="ipv4"} 1')


def test_without_lines_it_is_valid_too() -> None:
    assert samples(as_text([], {}, 0)) == {"multihome_health_lags_total{}": 0}
