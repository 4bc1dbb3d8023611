# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Few values of each kind, so that what is listed at random meets what stands: owners, addresses, routes, rules."""

from __future__ import annotations

from typing import Any

OURS, BIRD, NOBODY = 109, 12, 0
OWNERS = (OURS, OURS, BIRD, NOBODY)
ADDRESSES = {
    "eth0": ("10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.0.9.9/32", "fd00::1/64", "fd00::1/48", "fd00::2/64"),
    "eth1": ("10.1.0.1/24", "10.1.0.2/24", "fd01::1/64"),
}
# The server's own, which stand in every case of routing.
BY_HAND = (("eth0", "10.0.0.1/24"), ("eth0", "fd00::1/64"), ("eth1", "10.1.0.1/24"), ("eth1", "fd01::1/64"))
WAYS: tuple[tuple[dict[str, Any], ...], ...] = (
    (
        {"gateway": "10.0.0.254"},
        {"gateway": "10.0.0.254", "interface": "eth0"},
        {"gateway": "10.1.0.254", "mtu": 1400},
        {"interface": "eth1", "source": "10.1.0.1"},
        {"type": "unreachable"},
        {"gateway": "192.0.2.1", "interface": "eth1", "onlink": True},
        {"nexthops": [{"gateway": "10.0.0.254", "weight": 3}, {"gateway": "10.1.0.254"}]},
        {"nexthops": [{"gateway": "10.1.0.254"}, {"gateway": "10.0.0.254", "weight": 3}]},
    ),
    (
        {"gateway": "fd00::fe"},
        {"gateway": "fe80::1", "interface": "eth1"},
        {"type": "blackhole"},
        {"nexthops": [{"gateway": "fd00::fe"}, {"gateway": "fd01::fe", "weight": 2}]},
    ),
)
DESTINATIONS = (("10.9.0.0/16", "0.0.0.0/0"), ("fd09::/64", "::/0"))
SELECTORS: dict[str, tuple[Any, ...]] = {
    "source": ("10.0.0.1", "10.0.0.0/24"),
    "destination": ("10.9.0.0/16",),
    "in_interface": ("eth0",),
    "mark": ("0x1", "0x1/0xff"),
    "tos": ("0x10",),
    "uid_range": ("1000-1999", "1000"),
    "invert": (True,),
}
TARGETS: tuple[dict[str, Any], ...] = (
    {"table": 1001},
    {"table": 1001},
    {"table": 1002},
    {"table": 254, "suppress_prefix_length": 0},
    {"table": 254, "suppress_prefix_length": 7, "suppress_interface_group": 109},
    {"table": 254, "suppress_interface_group": 0},
    {"action": "unreachable"},
    {"table": 1001, "ip_protocol": "tcp", "destination_port": 80},
)
