# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running keeper finds translations of other programs that take connections of a stored entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.keeper_installation import unit as keeper_unit

from .host import NAT, Kept, kept

# Seconds for the keeper to look; on a machine that has nothing else to do it needs about two.
PATIENCE = 30
TABLE = """
table ip other {
    chain destinations { type nat hook prerouting priority -150; tcp dport 80 dnat to 10.9.9.9; }
}
"""
SOURCES = """
table ip more {
    chain sources { type nat hook postrouting priority 50; oifname "eth0" snat to 10.9.9.8; }
}
"""
# Table and condition of the rules that come before the jumps of this collection.
INSERTED = {
    "PREROUTING": ("-p", "tcp", "--dport", "80", "-j", "DNAT", "--to-destination", "10.9.9.9"),
    "POSTROUTING": ("-o", "eth0", "-j", "SNAT", "--to-source", "10.9.9.8"),
}


@pytest.fixture(params=["nftables", "iptables"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """A host with a running keeper, and its translations in one of the packet filters."""
    with kept(tmp_path) as made:
        changed = made.run("nat_rules", **NAT, backend=request.param)
        assert not changed.get("failed"), changed
        made.start()
        yield made
        made.stop()


def found(host: Kept) -> list[dict[str, Any]]:
    """The findings in the keeper's report, which the metrics, the command and multihome_info read."""
    listed: list[dict[str, Any]] = host.said("taken_translations")
    return listed


def status(host: Kept) -> dict[str, Any]:
    """What `multihome status --json` prints."""
    text = keeper_unit.command_text("/usr/bin/python3").replace(keeper_unit.LIBRARY, str(host.program.parent))
    command = host.program.parent / "multihome"
    command.write_text(text)
    command.chmod(0o755)
    shown: dict[str, Any] = json.loads(host.host.run(str(command), "status", "--json", check=False).stdout)
    return shown


def add(host: Kept, backend: str, hook: str) -> None:
    """Add a translation that is asked before those of this collection, at a hook."""
    if backend == "iptables":
        host.host.run("iptables", "-t", "nat", "-I", hook, *INSERTED[hook])
    else:
        host.host.run("nft", "-f", "-", feed=TABLE if hook == "PREROUTING" else SOURCES)


def remove(host: Kept, backend: str, hook: str) -> None:
    """Remove it."""
    if backend == "iptables":
        host.host.run("iptables", "-t", "nat", "-D", hook, *INSERTED[hook])
    else:
        host.host.run("nft", "delete", "table", "ip", "other" if hook == "PREROUTING" else "more")


def test_a_translation_is_found_logged_once_shown_and_cleared(host: Kept, request: pytest.FixtureRequest) -> None:
    backend: str = request.node.callspec.params["host"]
    # The control: nobody else translates.
    assert found(host) == []
    problems = len(status(host)["problems"])

    add(host, backend, "PREROUTING")
    host.eventually(lambda: len(found(host)) == 1, PATIENCE)
    [one] = found(host)
    assert one["place"].endswith("chain destinations" if backend == "nftables" else "table nat, chain PREROUTING")
    assert one["order"] == "first"
    assert one["entry"]["destination_port"] == "80"
    assert "have the program that wrote it use another port" in one["remedy"]
    assert host.info()["taken_translations"] == [one]
    shown = status(host)["problems"]
    assert len(shown) == problems + 1
    assert {"level": "critical", "text": one["message"], "remedy": one["remedy"]} in shown

    # The next look, after another one has come, does not log the first again.
    add(host, backend, "POSTROUTING")
    host.eventually(lambda: len(found(host)) == 2, PATIENCE)
    assert host.log().count(one["message"]) == 1

    remove(host, backend, "PREROUTING")
    host.eventually(lambda: len(found(host)) == 1, PATIENCE)
    remove(host, backend, "POSTROUTING")
    host.eventually(lambda: found(host) == [], PATIENCE)
    assert host.info()["taken_translations"] == []
    assert len(status(host)["problems"]) == problems
    assert host.log().count("takes no connection of an entry any more") == 2


def test_one_that_is_asked_later_is_no_finding(host: Kept, request: pytest.FixtureRequest) -> None:
    backend: str = request.node.callspec.params["host"]
    host.host.run("iptables", "-t", "nat", "-A", "PREROUTING", *INSERTED["PREROUTING"])
    # Found after it, so that the keeper has looked since.
    add(host, backend, "POSTROUTING")
    host.eventually(lambda: found(host), PATIENCE)
    assert ["POSTROUTING" in one["place"] or "sources" in one["place"] for one in found(host)] == [True]
