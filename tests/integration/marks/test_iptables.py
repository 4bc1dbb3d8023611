# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""connection_marks with iptables: the same options, the same packets, nothing of others touched."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.marks import lab as mark_lab
from ansible_collections.multihome.linux.tests.integration.marks.lab import (
    CLIENT,
    FAMILIES,
    LINES,
    MARKS,
    UNBOUND,
    alias,
    answering,
    asked,
    gateway,
    must,
)
from ansible_collections.multihome.linux.tests.integration.marks.test_balance import ASKING
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

FOREIGN = """*mangle
:theirs - [0:0]
-A PREROUTING -i wan9 -j theirs
-A PREROUTING -i wan8 -j MARK --set-xmark 0x4000/0x4000
-A theirs -m comment --comment "not \\"ours\\"" -j RETURN
COMMIT
*nat
-A POSTROUTING -o wan9 -j MASQUERADE
COMMIT
"""


@pytest.fixture(scope="module")
def network() -> Iterator[Hosts]:
    with Hosts(*mark_lab.NAMES) as made:
        mark_lab.build(made)
        yield made


@pytest.fixture
def hosts(network: Hosts) -> Iterator[Hosts]:
    for program in ("iptables-restore", "ip6tables-restore"):
        network["server"].run(program, feed=FOREIGN)
    marked(network["server"], marks=MARKS)
    yield network
    for program in ("iptables-restore", "ip6tables-restore"):
        network["server"].run(program, feed="*mangle\nCOMMIT\n*nat\nCOMMIT\n")


def marked(server: Host, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module with this backend."""
    return must(server, "connection_marks", check=check, backend="iptables", **options)


def rules(server: Host) -> list[str]:
    """What both programs print, without times and counters."""
    printed = server.run("iptables-save").stdout + server.run("ip6tables-save").stdout
    return [re.sub(r" \[\d+:\d+\]$", "", line) for line in printed.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_local_process_answers_by_the_line_it_was_asked_by(hosts: Hosts, family: int, protocol: str) -> None:
    assert asked(hosts, family, protocol, times=20) == {line: {None} for line in LINES}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_container_and_errors_take_the_line_too(hosts: Hosts, family: int) -> None:
    forward = ["-d", mark_lab.SERVER[family], "-p", "udp", "--dport", str(mark_lab.CONTAINER_PORT), "-j", "DNAT"]
    program = {4: "iptables", 6: "ip6tables"}[family]
    target = {4: f"{mark_lab.CONTAINER[4]}:7", 6: f"[{mark_lab.CONTAINER[6]}]:7"}[family]
    hosts["server"].run(program, "-t", "nat", "-A", "PREROUTING", *forward, "--to-destination", target)
    assert answering(hosts, family, port=mark_lab.CONTAINER_PORT) == list(LINES)
    assert asked(hosts, family, "udp", port=8) == {line: {"port unreachable"} for line in LINES}
    # Without the marks of packets that are routed through.
    hosts["server"].run(program, "-t", "mangle", "-D", "PREROUTING", "-j", "multihome_marks_pre")
    assert answering(hosts, family, port=mark_lab.CONTAINER_PORT) == [1]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_part_is_needed_and_repaired(hosts: Hosts, family: int) -> None:
    server = hosts["server"]
    program = {4: "iptables", 6: "ip6tables"}[family]
    whole = rules(server)
    for damage in (["-F", "multihome_marks_out"], ["-D", "OUTPUT", "-j", "multihome_marks_out"]):
        server.run(program, "-t", "mangle", *damage)
        assert answering(hosts, family) == [1]
        repaired = marked(server, marks=MARKS)
        assert repaired["actions"]
        assert all(action["object"]["table"].startswith(program) for action in repaired["actions"])
        assert rules(server) == whole
    assert answering(hosts, family) == [1, 2, 3]


def test_quartets_and_purge_leave_what_is_not_ours_byte_identical(hosts: Hosts) -> None:
    server = hosts["server"]
    shares = [
        {"mark": 1, "weight": 4, "sources": [alias(1, 4), alias(1, 6)], "name": "unicom; line 1"},
        {"mark": 2, "weight": 1, "sources": [alias(2, 4)]},
    ]
    spread = {"balance": shares, "balance_from": list(UNBOUND.values()), "balance_exclude": ["10.0.0.0/24", "fd00::/9"]}
    steps: list[dict[str, Any]] = [
        {"marks": MARKS, **spread},
        {"marks": [{**MARKS[0], "mark": 9, "name": "other"}, {"mark": 4, "in_interface": "wan4"}], "purge": True},
        {"marks": MARKS, "mask": "0xff00", "purge": True, "balance": []},
        {"marks": [], "balance": [], "purge": True},
    ]
    steps[2]["marks"] = [{**mark, "mark": mark["mark"] << 8} for mark in MARKS]
    for step in steps:
        before = rules(server)
        foretold = marked(server, check=True, **step)
        assert rules(server) == before
        done = marked(server, **step)
        assert done["changed"]
        assert all(foretold.get(name) == done.get(name) for name in ("actions", "before", "after", "diff"))
        configured = rules(server)
        for check in (True, False):
            assert not marked(server, check=check, **step)["changed"]
        assert rules(server) == configured
    server.run("iptables-restore", feed=FOREIGN)
    server.run("ip6tables-restore", feed=FOREIGN)
    assert configured == rules(server)


@pytest.mark.parametrize("family", FAMILIES)
def test_new_connections_are_spread_by_weight(hosts: Hosts, family: int) -> None:
    server = hosts["server"]
    server.address("lo", UNBOUND[family])
    defaults = [{"destination": "default", "gateway": gateway(1, family), "source": UNBOUND[family]}]
    must(server, "policy_routing", tables=[{"id": 254, "routes": defaults}])
    try:
        shares = [{"mark": line, "weight": 5 - 4 * (line > 1), "sources": [alias(line, family)]} for line in (1, 2, 3)]
        marked(server, balance=shares, balance_from=[UNBOUND[family]], purge=True)
        arguments = [str(family), "", CLIENT[family], "2000"]
        done = server.run("prlimit", "--nofile=4096:4096", sys.executable, "-c", ASKING, *arguments)
        found = json.loads(done.stdout)
        assert set(found) == {alias(line, family) for line in LINES}
        # By chance: five standard deviations are 94, and a seventh of the connections is 286.
        assert abs(found[alias(1, family)] - 2000 * 5 / 7) < 101
        assert sum(found.values()) == 2000
        arguments = [str(family), alias(2, family), CLIENT[family], "50"]
        assert json.loads(server.run(sys.executable, "-c", ASKING, *arguments).stdout) == {alias(2, family): 50}
    finally:
        defaults = [{**defaults[0], "source": mark_lab.SERVER[family]}]
        must(server, "policy_routing", tables=[{"id": 254, "routes": defaults}])
        server.run("ip", "address", "del", UNBOUND[family], "dev", "lo")


def test_a_host_moves_from_one_backend_to_the_other_and_back(hosts: Hosts) -> None:
    server = hosts["server"]
    configured = rules(server)
    for backend, other in (("nftables", "iptables"), ("iptables", "nftables")):
        moved = must(server, "connection_marks", marks=MARKS, backend=backend)
        assert moved["actions"] == [{"op": "replace", "object": {"table": f"marks kept by {other}"}}]
        assert (moved["backend"], moved["backend_reason"]) == (backend, f"backend: {backend} was asked for")
        assert not must(server, "connection_marks", marks=MARKS, backend=backend)["changed"]
        assert answering(hosts, 4) == list(LINES)
        tables = server.run("nft", "list", "tables").stdout
        assert ("inet multihome" in tables) == (backend == "nftables")
        assert any("multihome_marks" in rule for rule in rules(server)) == (backend == "iptables")
    assert rules(server) == configured


def test_a_name_that_chains_cannot_have_is_refused(hosts: Hosts) -> None:
    options = {"marks": MARKS, "backend": "iptables", "table": "multihomed_web"}
    result = run_module("connection_marks", options, netns_prefix=hosts["server"].prefix)
    assert result["failed"]
    assert "at most 9" in result["msg"]


def test_without_nft_iptables_is_used(hosts: Hosts) -> None:
    # A PATH without nft is not enough, as the system directories are searched too: hide the program.
    hidden = 'mount --bind /dev/null $(command -v nft) && exec "$@"'
    prefix = [*hosts["server"].prefix, "unshare", "--mount", "sh", "-c", hidden, "-"]
    result = run_module("connection_marks", {"marks": MARKS}, netns_prefix=prefix)
    assert (result["backend"], result["changed"]) == ("iptables", False)
