# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the keeper has to send packets: the targets of the stored lines, and the servers of the stored zones."""

from __future__ import annotations

import json
from typing import Any

from ..dns import stored
from ..health.targets import Target, is_address
from ..host.files import Files

_LINES = f"{stored.DIRECTORY}/lines.json"


def destinations(files: Files) -> tuple[str, ...] | None:
    """Return the addresses, sorted; nothing where the keeper sends nothing, None for anywhere.

    Anywhere is where a target has a name, or a file cannot be read.
    """
    zones = [name for name in files.names(stored.DIRECTORY) if name.startswith("dns_records.")]
    readable = stored.zones(files)
    if len(readable) < len(zones):
        return None
    try:
        found = _targets(files) | {str(server) for zone in readable for server in zone["servers"]}
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return tuple(sorted(found)) if all(is_address(each) for each in found) else None


def _targets(files: Files) -> set[str]:
    text = files.load(_LINES)
    if text is None:
        return set()
    lines: list[dict[str, Any]] = json.loads(text)["lines"]
    settings = [line.get("health") or {} for line in lines]
    return {Target.parse(target).host for each in settings for target in each.get("targets") or ()}
