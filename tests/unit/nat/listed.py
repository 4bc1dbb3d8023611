# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries that tests of both backends list."""

from __future__ import annotations

from typing import Any

MASQUERADE = {"type": "masquerade", "family": "ipv4", "out_interface": "wan0"}
SIX = {"type": "dnat", "destination": "2001:db8::1", "to_address": "fd00::1"}


def forward(number: int, **changes: Any) -> dict[str, Any]:
    """One of many forwards."""
    return {
        "type": "dnat",
        "protocol": "tcp",
        "destination": f"203.0.113.{number}",
        "destination_port": "80",
        "to_address": "192.168.168.1",
        **changes,
    }
