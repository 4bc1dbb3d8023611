# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a host that publish: stored zones, and the name server."""

from __future__ import annotations

import json
from typing import Any

from ..entries import Form
from ..host.distributions import packages
from ..host.files import Files
from ..store.format import KINDS
from .name_server import CONFIGURATION

DIRECTORY = "/etc/multihome"
_KIND = "dns_records"


def report(files: Files | None = None) -> dict[str, Any]:
    """Return the settings of the stored zones, whether there is a name server, and the packages of the distribution."""
    found = files or Files()
    return {
        "zones": zones(found),
        "name_server": found.load(CONFIGURATION) is not None,
        "packages": {name: packages()[name] for name in ("dnspython", "knot")},
    }


def zones(files: Files) -> list[Form]:
    """Return the settings of each stored zone, as options of dns_records; a file that is none is left out."""
    found = []
    for name in files.names(DIRECTORY):
        if not (name.startswith(f"{_KIND}.") and name.endswith(".json")):
            continue
        try:
            content = json.loads(files.load(f"{DIRECTORY}/{name}") or "")
            found.append({setting: content[setting] for setting in KINDS[_KIND].settings})
        except (ValueError, LookupError, TypeError):
            continue
    return found
