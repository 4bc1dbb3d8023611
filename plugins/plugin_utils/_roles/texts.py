# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Data without templates, and as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def plain(value: object) -> Any:
    """``value`` without templates: Ansible renders the parts of a container as they are read."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def as_json(entries: object) -> str:
    """A list of entries as one text."""
    return json.dumps(entries)
