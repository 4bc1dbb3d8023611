# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines' health as Prometheus reads it: the text format, version 0.0.4, for node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Optional

from .line_state import STATES, SUSPECT, UP, LineHealth

NAME = "metrics.prom"
_Value = Callable[[LineHealth], Optional[float]]
# Name, help, value of one line in one family; None leaves the line out. All are gauges in base units.
_GAUGES: tuple[tuple[str, str, _Value], ...] = (
    (
        "multihome_line_up",
        "Whether the line is known to carry traffic (1) or not (0).",
        lambda s: s.state in (UP, SUSPECT),
    ),
    ("multihome_line_usable", "Whether new connections may use the line (1) or not (0).", lambda s: s.is_usable),
    ("multihome_line_degraded", "Whether loss or latency make the line the second choice.", lambda s: s.degraded),
    ("multihome_line_drained", "Whether an administrator has taken the line out of service.", lambda s: s.drained),
    ("multihome_line_alarm", "Whether the line cannot be judged for a reason of this host.", lambda s: bool(s.alarm)),
    ("multihome_line_probe_loss_ratio", "Share of probes without an answer in the last 30 s.", lambda s: s.loss),
    ("multihome_line_probe_rtt_seconds", "Mean time until an answer in the last 30 s.", lambda s: s.rtt),
    ("multihome_line_hold_seconds", "How long the line has to answer before it is up again.", lambda s: s.hold),
    ("multihome_line_flap_steps", "How often the line went down, less what was forgiven.", lambda s: s.steps),
)


def escaped(value: str) -> str:
    """Return a label's value as it is written between double quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def as_text(states: Sequence[LineHealth], changes: dict[tuple[str, int, str], int], lags: int) -> str:
    """Return the file's text. ``changes`` counts how often each line got into each state, ``lags`` late loops."""
    text: list[str] = []
    for name, help_text, value in _GAUGES:
        text += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
        for health in states:
            number = value(health)
            if number is not None:
                text.append(f"{name}{{{_labels(health)}}} {_number(number)}")
    text += ["# HELP multihome_line_state The state that the line is in (1).", "# TYPE multihome_line_state gauge"]
    for health in states:
        for state in STATES:
            number = int(state == health.state)
            text.append(f'multihome_line_state{{{_labels(health)},state="{state}"}} {number}')
    text.append("# HELP multihome_line_changes_total How often the line got into a state since the keeper started.")
    text.append("# TYPE multihome_line_changes_total counter")
    for health in states:
        for state in STATES:
            count = changes.get((health.line, health.family, state), 0)
            text.append(f'multihome_line_changes_total{{{_labels(health)},state="{state}"}} {count}')
    text.append(
        "# HELP multihome_health_lags_total How often probing was so late that all silences were counted again."
    )
    text += ["# TYPE multihome_health_lags_total counter", f"multihome_health_lags_total {lags}"]
    return "\n".join(text) + "\n"


def _labels(health: LineHealth) -> str:
    return f'line="{escaped(health.line)}",family="ipv{health.family}"'


def _number(value: float) -> str:
    number = float(value)
    return str(int(number)) if number == int(number) else f"{number:.6g}"
