# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper may send packets where its targets and the servers of its zones are, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation.host import KeeperHost
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation.unit import unit_text

ZONE: dict[str, Any] = {
    "zone": "svc.example.com",
    "servers": ["192.0.2.53"],
    "port": 53,
    "key_name": None,
    "key_algorithm": None,
    "sources": [],
    "empty_family": "keep",
    "publisher": "",
}


def lines(*targets: Any) -> str:
    """The file of two lines, one of which asks these targets."""
    return json.dumps({"lines": [{"name": "a"}, {"name": "b", "health": {"targets": list(targets)}}]})


@pytest.mark.parametrize(
    ("files", "destinations"),
    [
        ({}, ()),
        ({"nat_rules.json": "{}"}, ()),
        # Carrier and gateway alone: nothing is sent.
        ({"lines.json": lines()}, ()),
        (
            {"lines.json": lines("192.0.2.1", {"tcp": "[2001:db8::1]:443"}, {"dns": "192.0.2.1"})},
            ("192.0.2.1", "2001:db8::1"),
        ),
        ({"lines.json": lines("192.0.2.1", {"http": "https://status.example.net/"})}, None),
        ({"dns_records.svc.example.com.json": json.dumps(ZONE)}, ("192.0.2.53",)),
        (
            {"lines.json": lines("192.0.2.1"), "dns_records.svc.example.com.json": json.dumps(ZONE)},
            ("192.0.2.1", "192.0.2.53"),
        ),
        # What cannot be read must not make lines look dead.
        ({"lines.json": "{"}, None),
        ({"lines.json": "{}"}, None),
        ({"lines.json": lines("not an address")}, None),
        ({"lines.json": lines("192.0.2.1"), "dns_records.svc.example.com.json": "{}"}, None),
    ],
)
def test_where_packets_may_go(tmp_path: Path, files: dict[str, str], destinations: tuple[str, ...] | None) -> None:
    stored = tmp_path / "etc/multihome"
    stored.mkdir(parents=True)
    for name, text in files.items():
        (stored / name).write_text(text)
    assert KeeperHost(str(tmp_path)).destinations() == destinations


@pytest.mark.parametrize("destinations", [(), ("192.0.2.1", "2001:db8::1"), None])
def test_what_the_unit_allows(destinations: tuple[str, ...] | None) -> None:
    text = unit_text("/usr/bin/python3", destinations).splitlines()
    assert ("IPAddressDeny=any" in text) == (destinations is not None)
    allowed = [row for row in text if row.startswith("IPAddressAllow=")]
    assert allowed == (["IPAddressAllow=192.0.2.1 2001:db8::1"] if destinations else [])
    assert ("CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW" in text) == (destinations != ())
