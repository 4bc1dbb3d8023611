# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the playbooks' groups: each playbook checks them, before a play without hosts ends in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.multihome.linux.plugins.plugin_utils._inventory.group_names import group_faults

ROOT = Path(__file__).resolve().parents[3]
DEFAULT = ("isp_firewall", "multihomed_web")
OWN = {"multihome_firewall_group": "edge", "multihome_server_group": "www"}


@pytest.mark.parametrize(
    ("groups", "inventory", "seen"),
    [
        ({"isp_firewall": ["fw-a"], "multihomed_web": ["web1"]}, {}, DEFAULT),
        ({"multihomed_web": ["web1"]}, {}, DEFAULT),
        ({"isp_firewall": ["fw"]}, {}, DEFAULT),
        ({"edge": ["fw-a"], "www": ["web1"]}, OWN, ("edge", "www")),
    ],
)
def test_a_group_with_hosts_is_no_fault(
    groups: dict[str, list[str]], inventory: dict[str, Any], seen: tuple[str, str]
) -> None:
    assert group_faults(groups, inventory, *seen) == []


def test_groups_without_hosts_are_a_fault() -> None:
    without: list[dict[str, list[str]]] = [{}, {"isp_firewalls": ["fw-a"]}, {"isp_firewall": [], "multihomed_web": []}]
    for groups in without:
        (fault,) = group_faults(groups, {}, *DEFAULT)
        assert fault.startswith("no host is in group isp_firewall or multihomed_web: ")
    (fault,) = group_faults({"isp_firewall": ["fw-a"]}, OWN, "edge", "www")
    assert fault.startswith("no host is in group edge or www: ")


def test_names_that_only_the_play_sees_are_a_fault() -> None:
    (fault,) = group_faults({"edge": ["fw-a"], "multihomed_web": ["web1"]}, {}, "edge", "multihomed_web")
    assert fault.startswith('multihome_firewall_group is "edge" in the play and "isp_firewall" in the inventory')


def test_a_list_of_groups_is_a_fault() -> None:
    (fault,) = group_faults({"edge": ["fw-a"]}, {"multihome_firewall_group": ["edge"]}, ["edge"], "multihomed_web")
    assert fault == 'multihome_firewall_group must be the name of one group, not ["edge"]'


@pytest.mark.parametrize("name", ["deploy", "verify", "dns", "revert", "remove"])
def test_each_playbook_checks_them_first_with_any_tags(name: str) -> None:
    first = yaml.safe_load((ROOT / "playbooks" / f"{name}.yml").read_text())[0]
    (task,) = first["tasks"]
    assert first["hosts"] == "all"
    assert "multihome.linux.group_faults" in task["vars"]["multihome_faults"]
    assert task["tags"] == ["always"]
    assert task["run_once"]
