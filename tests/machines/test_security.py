# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper's privileges, by systemd's own measure, and that it repairs every kind of object with them."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation.unit import unit_text
from ansible_collections.multihome.linux.tests.e2e import checks
from ansible_collections.multihome.linux.tests.machines.deployed import KEEPER, Deployed

MOST_EXPOSURE = 1.6
# With CAP_NET_RAW and IPv6: packets to the targets alone, and to any address where a target has a name.
MOST_EXPOSURE_WATCHING, MOST_EXPOSURE_ANYWHERE = 1.8, 1.9
_UNIT = f"/etc/systemd/system/{KEEPER}"


def exposure(text: str) -> float:
    """The figure that `systemd-analyze security` ends with."""
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", text)
    assert found is not None, text
    return float(found[1])


def test_the_service_is_little_exposed_and_repairs_all_the_same(design: Deployed) -> None:
    for machine in design.bed.machines:
        table = design.run(machine, "systemd-analyze", "security", "--no-pager", KEEPER)
        assert exposure(table) <= MOST_EXPOSURE, table
        kinds = set()
        for each in design.ours(machine):
            if each.deletion and each.kind not in kinds:
                kinds.add(each.kind)
                (now,) = (found for found in design.ours(machine) if str(found) == str(each))
                design.run(machine, *now.deletion)
                assert checks.eventually(design.differences, seconds=5) == [], str(each)
        assert len(kinds) >= 3
        assert "Operation not permitted" not in design.journal(machine)


def test_a_unit_with_more_privileges_is_found_to_be_more_exposed(design: Deployed) -> None:
    """The control of the figure above."""
    server = design.bed.server
    loose = f"sed '/SystemCallFilter=~/d; /IPAddressDeny/d' {_UNIT} > /run/{KEEPER}"
    design.run(server, "sh", "-c", loose)
    table = design.run(server, "systemd-analyze", "security", "--no-pager", "--offline=true", f"/run/{KEEPER}")
    design.run(server, "rm", f"/run/{KEEPER}")
    assert exposure(table) > MOST_EXPOSURE


def test_a_keeper_that_watches_lines_is_hardly_more_exposed(design: Deployed) -> None:
    server = design.bed.server
    found = []
    for destinations in (["192.0.2.1", "2001:db8:f::1"], None):
        text = unit_text("/usr/bin/python3", destinations)
        design.run(server, "sh", "-c", f"cat > /run/{KEEPER} <<'END'\n{text}END")
        table = design.run(server, "systemd-analyze", "security", "--no-pager", "--offline=true", f"/run/{KEEPER}")
        design.run(server, "rm", f"/run/{KEEPER}")
        found.append(exposure(table))
    assert MOST_EXPOSURE < found[0] <= MOST_EXPOSURE_WATCHING
    assert found[0] < found[1] <= MOST_EXPOSURE_ANYWHERE


def test_with_its_privileges_it_watches_lines_and_the_unit_names_their_targets(design: Deployed) -> None:
    """Controls: a target without an answer is down, and without lines the unit is the one that was deployed."""
    server = design.bed.server
    deployed = design.run(server, "cat", _UNIT)
    [route, *_more] = json.loads(design.run(server, "ip", "-json", "-4", "route", "show", "table", "all", "default"))
    gateway = str(route["gateway"])
    [to_gateway] = json.loads(design.run(server, "ip", "-json", "route", "get", gateway))
    silent = "192.0.2.199"
    try:
        for target, state in ((gateway, "up"), (silent, "down")):
            line = {"name": "watched", "id": 99, "addresses": [to_gateway["prefsrc"]], "health": {"targets": [target]}}
            design.module(server, "multihome.linux.line_health", lines=[line])
            design.module(server, "multihome.linux.keeper")
            assert f"IPAddressDeny=any\nIPAddressAllow={target}\n" in design.run(server, "cat", _UNIT)
            assert checks.eventually(functools.partial(_differs, design, state), seconds=30) == []
    finally:
        design.module(server, "multihome.linux.line_health", lines=[])
        design.module(server, "multihome.linux.keeper")
    assert design.run(server, "cat", _UNIT) == deployed


def _differs(design: Deployed, state: str) -> list[str]:
    """What is known of the watched line, unless it is in this state."""
    text = design.run(design.bed.server, "cat", "/run/multihome/health.json", check=False)
    shown: dict[str, Any] = json.loads(text)["lines"]["watched"]["ipv4"] if text else {}
    return [] if shown.get("state") == state else [f"not {state}: {shown}"]
