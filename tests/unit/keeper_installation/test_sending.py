# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only a keeper that watches lines or publishes zones may send packets."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation.host import KeeperHost
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation.unit import unit_text


@pytest.mark.parametrize(
    ("name", "sends"),
    [("lines.json", True), ("dns_records.svc.example.com.json", True), ("nat_rules.json", False)],
)
def test_a_stored_zone_allows_packets(tmp_path: Path, name: str, sends: bool) -> None:
    stored = tmp_path / "etc/multihome"
    assert not KeeperHost(str(tmp_path)).watches_lines()
    stored.mkdir(parents=True)
    (stored / name).touch()
    text = unit_text("/usr/bin/python3", KeeperHost(str(tmp_path)).watches_lines())
    assert ("IPAddressDeny=any" not in text) == sends
    assert ("AF_INET6" in text) == sends
