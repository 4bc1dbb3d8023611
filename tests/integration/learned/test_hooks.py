# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks by the keeper itself: each event runs them, one that hangs is killed with its children and delays nothing."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.learned.lab import (
    ANYWHERE,
    CLIENTS,
    FAMILIES,
    FIXED,
    GATEWAYS,
    NEW,
    OLD,
    Site,
    site,
)

_RECORD = """#!/bin/sh
echo "$1 $MULTIHOME_LINE $MULTIHOME_FAMILY $MULTIHOME_ADDRESS" >> /run/hooked
"""
_HANG = """#!/bin/sh
[ "$1" = down ] || exit 0
setsid sleep 1000 &
echo $$ $! > /run/hanging
wait
"""
DIRECTORY = "/etc/multihome/hooks.d"


def _lines() -> list[dict[str, Any]]:
    known = {
        "a": ([FIXED[4], FIXED[6]], [GATEWAYS["a"][4], GATEWAYS["a"][6]]),
        "b": (["auto:b:ipv4", "auto:b:ipv6"], ["auto:b:ipv4", "auto:b:ipv6"]),
    }
    health = {"up_after": 0, "degraded": {"loss": 20}}
    return [
        {
            "name": name,
            "id": number,
            "interface": name,
            "addresses": addresses,
            "gateways": gateways,
            "health": {**health, "targets": [each[f] for each in (CLIENTS[name], ANYWHERE) for f in FAMILIES]},
        }
        for number, (name, (addresses, gateways)) in enumerate(known.items(), 1)
    ]


def _routing() -> dict[str, Any]:
    """A table and a rule for each line, and main's default routes: better than those of the ISPs, line b first."""
    main, tables, rules = [], [], []
    for number, name in ((1, "a"), (2, "b")):
        routes = []
        for family in FAMILIES:
            address = FIXED[family] if name == "a" else f"auto:b:ipv{family}"
            gateway = GATEWAYS["a"][family] if name == "a" else f"auto:b:ipv{family}"
            way = {"destination": "default", "gateway": gateway, "interface": name}
            routes.append(way)
            main.append({**way, "metric": 10 * (3 - number), "source": address})
            rules.append({"priority": 23000 + 10 * number, "source": address, "table": 2000 + number})
        tables.append({"id": 2000 + number, "routes": routes})
    tables.append({"id": 254, "routes": main})
    groups = [{"interface": name, "group": 109} for name in ("a", "b")]
    return {"tables": tables, "rules": rules, "interface_groups": groups}


@pytest.fixture
def hooked(tmp_path: Path) -> Iterator[Site]:
    """The deployed server with hooks, its keeper, and both lines up."""
    with site(tmp_path) as made:
        made.yield_defaults()
        made.run("policy_routing", **_routing(), purge=True, persist=True)
        made.run("line_health", lines=_lines())
        made.host.run("mkdir", "-p", DIRECTORY)
        for name, text in (("10-record", _RECORD), ("20-hang", _HANG)):
            made.host.run("sh", "-c", f"cat > {DIRECTORY}/{name} && chmod 700 {DIRECTORY}/{name}", feed=text)
        made.start()
        for name in ("a", "b"):
            for family in FAMILIES:
                made.eventually(functools.partial(_is, made, name, family, "up"), f"{name} {family} up")
        yield made


def _is(made: Site, name: str, family: int, state: str) -> bool:
    return made.health(name, family).get("state") == state


def _ran(made: Site) -> list[list[str]]:
    return [row.split() for row in made.host.run("cat", "/run/hooked", check=False).stdout.splitlines()]


def _has_run(made: Site, *words: str) -> bool:
    return list(words) in _ran(made)


def _answers(made: Site, rule: str) -> None:
    """Have the router of line b drop what a rule says; nothing where it is empty."""
    made.hosts["isp-b"].run("sh", "-c", "nft delete table inet test 2>/dev/null; true")
    if rule:
        text = f"table inet test {{\nchain in {{\ntype filter hook prerouting priority -400;\n{rule};\n}}\n}}\n"
        made.hosts["isp-b"].run("nft", "-f", "-", feed=text)


def _leaves_by(made: Site) -> str:
    (found,) = json.loads(made.host.run("ip", "-json", "route", "get", "192.0.2.200").stdout)
    return str(found["dev"])


def _alive(made: Site) -> list[str]:
    """The processes of the hook that hangs."""
    written = made.host.run("cat", "/run/hanging", check=False).stdout.split()
    return [pid for pid in written if made.host.run("test", "-d", f"/proc/{pid}", check=False).returncode == 0]


def test_a_hook_that_hangs_delays_no_switch_and_is_killed_with_its_children(hooked: Site) -> None:
    assert _leaves_by(hooked) == "b"
    _answers(hooked, 'iifname "customer" drop')
    hooked.eventually(lambda: len(_alive(hooked)) == 2, "the hook of the first family hangs")
    # While it does: routes have switched, and the healed line is found.
    hooked.eventually(lambda: _leaves_by(hooked) == "a", "the switch")
    assert len(_alive(hooked)) == 2
    first = _alive(hooked)
    _answers(hooked, "")
    hooked.eventually(lambda: _leaves_by(hooked) == "b", "the way back")
    hooked.eventually(lambda: not set(first) & set(_alive(hooked)), "it is killed")
    assert "was killed: it took more than 10 s" in hooked.log()
    for family in ("ipv4", "ipv6"):
        hooked.eventually(functools.partial(_has_run, hooked, "down", "b", family, OLD[int(family[-1])]), "down")
        hooked.eventually(functools.partial(_has_run, hooked, "up", "b", family, OLD[int(family[-1])]), "up")


def test_loss_a_new_address_and_a_reply_that_is_taken_run_the_hooks(hooked: Site) -> None:
    _answers(hooked, 'iifname "customer" meta l4proto { icmp, ipv6-icmp } numgen random mod 100 < 45 drop')
    hooked.eventually(functools.partial(_has_run, hooked, "degraded", "b", "ipv4", OLD[4]), "degraded")
    _answers(hooked, "")
    hooked.assign(NEW, "new", OLD)
    for family in FAMILIES:
        hooked.eventually(functools.partial(_has_run, hooked, "address", "b", f"ipv{family}", NEW[family]), "address")
    assert [words for words in _ran(hooked) if words[0] in ("address", "taken") and words[1] == "a"] == []
    # Another program sends replies of line a by line b.
    way = ("default", "via", GATEWAYS["new"][4], "dev", "b", "table", "77")
    hooked.host.run("ip", "route", "add", *way)
    hooked.host.run("ip", "rule", "add", "from", FIXED[4], "lookup", "77", "priority", "100")
    hooked.eventually(functools.partial(_has_run, hooked, "taken", "2001", "ipv4", FIXED[4]), "taken")


def test_control_without_hooks_none_run(hooked: Site) -> None:
    hooked.host.run("chmod", "600", f"{DIRECTORY}/10-record")
    _answers(hooked, 'iifname "customer" drop')
    hooked.eventually(lambda: _leaves_by(hooked) == "a", "the switch")
    hooked.eventually(lambda: "hook 10-record is not run: not executable" in hooked.log(), "it is said")
    assert [words for words in _ran(hooked) if words[0] == "down"] == []
