# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record sets that the last run of this host wrote, by zone: what else is in a set belongs to another owner."""

from __future__ import annotations

import json
from typing import Any

from ..errors import ReadFailed
from ..host.files import Files
from .model import Key

# With purge, only the sets in it are removed.
OWNED = "/var/lib/multihome/dns_records.json"


def written(files: Files, zone: str) -> tuple[dict[Key, tuple[str, ...]], str | None]:
    """Return the values of each set of a zone, and the text of the whole file; raises ReadFailed."""
    try:
        text = files.load(OWNED)
        zones: dict[str, Any] = json.loads(text) if text else {}
        rows = zones.get(zone, [])
        return {(domain, kind): tuple(values) for domain, kind, values in rows}, text
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ReadFailed(f"cannot read the records that this host wrote: {OWNED}: {error}; move it away") from error
