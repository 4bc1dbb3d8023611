# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as `nft -j` prints them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any


def ip(family: int) -> str:
    """Return nft's word for a family."""
    return "ip6" if family == 6 else "ip"


def read_prefix(value: Any) -> str | None:
    """Return an address or prefix in canonical text, None for what is neither."""
    if isinstance(value, str):
        # nft shows the last 32 bits of some IPv6 addresses as an IPv4 address.
        return str(ipaddress.ip_address(value)) if "." in value and ":" in value else value
    prefix = as_dict(value).get("prefix")
    return f"{read_prefix(prefix['addr'])}/{prefix['len']}" if prefix else None


def as_dict(value: Any) -> Mapping[str, Any]:
    """Return an object of JSON, empty for anything else."""
    return value if isinstance(value, dict) else {}
