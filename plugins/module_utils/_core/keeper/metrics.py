# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper's report as Prometheus reads it, beside that of the lines: keeper.prom, see health/metrics.py."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping
from typing import Any

NAME = "keeper.prom"
# Name, type, help, key of the report.
_COUNTED = (
    ("multihome_keeper_waiting_objects", "Stored objects that cannot be configured now.", "waiting"),
    ("multihome_keeper_damped_objects", "Stored objects that another program removes again and again.", "damped"),
    ("multihome_keeper_refused_files", "Stored files that are not applied.", "refused"),
    ("multihome_keeper_replies_taken", "Kinds of replies that do not leave by their line.", "taken"),
    (
        "multihome_keeper_translations_taken",
        "Translations of other programs that take connections of an entry, or may take them.",
        "taken_translations",
    ),
    (
        "multihome_keeper_default_routes_taken",
        "Default routes of other programs that are preferred to those of lines.",
        "taken_defaults",
    ),
)


def as_text(report: Mapping[str, Any]) -> str:
    """Return the file's text."""
    text = [
        "# HELP multihome_keeper_repairs_total Objects that were restored since the keeper started.",
        "# TYPE multihome_keeper_repairs_total counter",
        f"multihome_keeper_repairs_total {int(report.get('repairs', 0))}",
    ]
    faulty = sum(bool(zone.get("fault")) for zone in report.get("zones") or ())
    text += [
        "# HELP multihome_keeper_unpublished_zones Zones that cannot be published now.",
        "# TYPE multihome_keeper_unpublished_zones gauge",
        f"multihome_keeper_unpublished_zones {faulty}",
    ]
    for name, help_text, key in _COUNTED:
        text += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", f"{name} {len(report.get(key) or ())}"]
    started = _seconds(report.get("since"))
    if started is not None:
        name = "multihome_keeper_start_time_seconds"
        text += [f"# HELP {name} When the keeper started, since 1970.", f"# TYPE {name} gauge", f"{name} {started}"]
    return "\n".join(text) + "\n"


def _seconds(text: object) -> int | None:
    try:
        return calendar.timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return None
