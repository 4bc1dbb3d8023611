# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the keeper has to send packets: the targets of the stored lines, and the servers of the stored zones."""

from __future__ import annotations

import json
from typing import Any

from .. import fields
from ..host.files import Files

_DIRECTORY = "/etc/multihome"
_LINES = "lines.json"


def destinations(files: Files) -> tuple[str, ...] | None:
    """Return the addresses, sorted; nothing where the keeper sends nothing, None for anywhere.

    Anywhere is where a target has a name, or a file cannot be read.
    """
    names = files.names(_DIRECTORY)
    zones = [name for name in names if name.startswith("dns_records.") and name.endswith(".json")]
    try:
        found = {fields.host(str(server)) for name in zones for server in _content(files, name)["servers"]}
        if _LINES in names:
            found |= _targets(_content(files, _LINES)["lines"])
        return tuple(sorted(fields.address(each) for each in found))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _targets(lines: Any) -> set[str]:
    targets = [target for line in lines for target in (line.get("health") or {}).get("targets") or ()]
    if not targets:
        return set()
    # Loaded only where it is needed: a module is compiled on the host in every run.
    from ..health.targets import Target  # noqa: PLC0415 - as said

    return {Target.parse(target).host for target in targets}


def _content(files: Files, name: str) -> Any:
    return json.loads(files.load(f"{_DIRECTORY}/{name}") or "")
