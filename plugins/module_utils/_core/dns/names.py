# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domain names as text: lower case, without the last dot. No I/O, and no library."""

from __future__ import annotations

import re
from typing import Any

from ..fields import text

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
LONGEST = 253


def domain_name(value: Any) -> str:
    """Return a domain name in lower case, without the last dot; its first label may be ``*``."""
    name = text(value).lower()
    name = name.removesuffix(".")
    labels = name.split(".")
    known = labels[1:] if labels[0] == "*" and len(labels) > 1 else labels
    if len(name) > LONGEST or not all(_LABEL.fullmatch(label) for label in known):
        raise ValueError("not a DNS name")
    return name


def zone_name(value: Any) -> str:
    """Return the name of a zone, as domain_name() does."""
    name = domain_name(value)
    if name.startswith("*"):
        raise ValueError("not the name of a zone")
    return name


def is_in(domain: str, zone: str) -> bool:
    """Tell whether a domain is the zone or below it."""
    return domain == zone or domain.endswith(f".{zone}")


def absolute(name: str) -> str:
    """Return a name with the last dot, as zone files have it."""
    return f"{name}."
