# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`multihome explain` on a real kernel: it names each cause that a line's service does not answer, and no other."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.command.terminal import WIDTH
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from .site import FAR, LINES, Site, routing, site

# Seconds until the server, or a line, answers again.
_PATIENCE = 30.0


@pytest.fixture(scope="module")
def firewall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site")) as made:
        eventually(lambda: made.answers("a") and made.answers("b"))
        yield made


@pytest.fixture(autouse=True)
def _no_older_connections(firewall: Site) -> None:
    firewall.delete_connections()


def faults(shown: dict[str, Any], line: str | None = None, family: str = "ipv4") -> list[str]:
    return [
        f"{fault['text']} | {fault['remedy']}"
        for case in shown["cases"]
        if case["family"] == family and line in (None, case["line"])
        for fault in case["faults"]
    ]


@dataclass(frozen=True)
class Break:
    """Something that stops the service by line b: ``make`` and ``unmake`` run on ``host``; ``cause`` is found then."""

    name: str
    make: Sequence[str]
    unmake: Sequence[str]
    cause: str
    host: str = "firewall"
    # Whether line a suffers as well.
    both: bool = False
    restore: dict[str, Any] = field(default_factory=dict)


_DROP = "add table inet foo; add chain inet foo gate { type filter hook forward priority 0; policy drop; };"
# As firewalld has it for IPv6.
_WAY_BACK = (
    "add table inet foo; add chain inet foo gate { type filter hook prerouting priority %d; };"
    "add rule inet foo gate meta l4proto tcp fib saddr . mark . iif oif missing drop"
)
BREAKS = (
    Break(
        "a rule of another program for what comes from the server",
        [
            "ip rule add priority 100 iif lan0 fwmark 0x2/0xff lookup 200",
            "ip route add default via 203.0.113.1 table 200",
        ],
        ["ip rule del priority 100", "ip route flush table 200"],
        r"IPv4 rule 100 \(in_interface lan0, mark 0x2/0xff, table 200\).*203\.0\.113\.1.*remove that rule",
    ),
    Break(
        "a rule of another program for the service's port",
        ["ip rule add priority 100 ipproto tcp sport 80 fwmark 0x2/0xff prohibit"],
        ["ip rule del priority 100"],
        r"IPv4 rule 100 .*(refuses it|leads it nowhere)",
    ),
    Break(
        "a rule of another program that refuses",
        ["ip rule add priority 100 iif lan0 prohibit"],
        ["ip rule del priority 100"],
        r"IPv4 rule 100 .*refuses it|leads it nowhere",
        both=True,
    ),
    Break(
        "a gateway that does not answer",
        ["ip link set line0 arp off"],
        ["ip link set line0 arp on"],
        r"the gateway 198\.51\.100\.1 of line b does not answer on wan1 \(ARP\)",
        host="isp-b",
    ),
    Break(
        "no carrier",
        ["ip link set line0 down"],
        ["ip link set line0 up", "ip -6 address replace 2001:db8:b::1/64 dev line0 nodad"],
        r"the interface wan1 of line b has no carrier",
        host="isp-b",
    ),
    Break(
        "strict reverse path filtering",
        ["sysctl -qw net.ipv4.conf.wan1.rp_filter=1"],
        ["sysctl -qw net.ipv4.conf.wan1.rp_filter=0"],
        r"strict reverse path filtering on wan1 drops it \(rp_filter 1\).*leads by wan0.*rp_filter=2",
    ),
    Break(
        "no forwarding",
        ["sysctl -qw net.ipv4.ip_forward=0"],
        ["sysctl -qw net.ipv4.ip_forward=1"],
        r"this host does not forward IPv4 \(net\.ipv4\.ip_forward is 0\)",
        both=True,
    ),
    Break(
        "a packet filter of another program",
        ["nft " + _DROP],
        ["nft delete table inet foo"],
        r"nft table inet foo, chain gate, drops it: its policy is drop",
        both=True,
    ),
    Break(
        "a reverse path filter of another program",
        ["nft " + _WAY_BACK % 10],
        ["nft delete table inet foo"],
        r"nft table inet foo, chain gate, drops it: the way back leads by wan0, and it arrives by wan1",
    ),
    Break(
        "a server that is off",
        ["ip link set eth0 arp off"],
        ["ip link set eth0 arp on"],
        r"the server 192\.168\.168\.1 does not answer on lan0 \(ARP\)",
        host="server",
        both=True,
    ),
)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda each: each.name)
def test_the_cause_is_named_and_packets_agree(firewall: Site, broken: Break) -> None:
    host = firewall.hosts[broken.host]
    before = firewall.run("explain", "web", "-4", "--json")
    assert (before.returncode, faults(json.loads(before.stdout))) == (0, []), before.stdout
    try:
        for command in broken.make:
            host.run(*(command.split(None, 1) if command.startswith("nft add") else command.split()))
        firewall.firewall.run("ip", "neighbour", "flush", "all")
        done = firewall.run("explain", "web", "-4", "--json", "--from", FAR)
        found = json.loads(done.stdout)
        assert done.returncode == 1
        assert any(re.search(broken.cause, text) for text in faults(found, "b")), faults(found)
        assert bool(faults(found, "a")) == broken.both
        # Packets decide: line b is broken, and line a only where that was said.
        assert not firewall.answers("b", patience=2.5)
        if not broken.both:
            eventually(lambda: firewall.answers("a"))
    finally:
        for command in broken.unmake:
            host.run(*command.split())
    eventually(lambda: firewall.answers("b"))


def test_a_reverse_path_filter_that_sees_the_public_address_drops_nothing(firewall: Site) -> None:
    firewall.firewall.run("nft", _WAY_BACK % -150)
    try:
        eventually(lambda: firewall.answers("a") and firewall.answers("b"))
        assert faults(firewall.json("explain", "web", "-4")) == []
    finally:
        firewall.firewall.run("nft", "delete", "table", "inet", "foo")


def test_objects_that_are_missing_are_named_and_repair_restores_them(firewall: Site) -> None:
    firewall.firewall.run("nft", "flush", "chain", "inet", "multihome", "marks_prerouting")
    shown = firewall.json("explain", "web")
    assert list(shown["missing"]) == ["connection_marks"]
    assert not firewall.answers("b", patience=2.5)
    assert firewall.run("repair", "--dry-run").returncode == 1
    done = firewall.run("repair")
    assert done.returncode == 0, done.stdout
    assert "chain marks_prerouting" in done.stdout
    assert "Everything is restored" in done.stdout
    assert firewall.answers("b")
    again = firewall.run("repair")
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, "Nothing is missing.")


def test_translations_and_marks_that_another_program_removed(firewall: Site) -> None:
    firewall.firewall.run("nft", "delete", "table", "inet", "multihome")
    found = faults(firewall.json("explain", "web"), "b")
    assert any("the translation of 198.51.100.20 to 192.168.168.1 is not configured" in text for text in found)
    assert any("no connection of line b gets its mark 0x2/0xff" in text for text in found)
    assert firewall.run("repair").returncode == 0
    assert faults(firewall.json("explain", "web")) == []
    assert firewall.answers("b")


def test_an_address_that_is_gone(firewall: Site) -> None:
    host = firewall.firewall
    host.run("ip", "address", "del", "198.51.100.20/24", "dev", "wan1")
    found = faults(firewall.json("explain", "web"), "b")
    assert found
    assert "198.51.100.20 is no address of this host" in found[0]
    line = firewall.json("explain", "b", "-4")
    assert "line b has no IPv4 address on this host (198.51.100.20)" in faults(line)[0]
    host.run("ip", "address", "add", "198.51.100.20/24", "dev", "wan1")
    assert firewall.run("repair").returncode == 0
    assert faults(firewall.json("explain", "b", "-4")) == []


def test_connections_older_than_the_marks(firewall: Site) -> None:
    """A connection without a mark is answered by the wrong line until its entry is deleted."""
    host = firewall.firewall
    host.run("nft", "flush", "chain", "inet", "multihome", "marks_prerouting")
    assert not firewall.answers("b", patience=2.5)
    assert firewall.run("repair").returncode == 0
    found = faults(firewall.json("explain", "web"), "b")
    assert any(re.search(r"1 of \d+ tracked connections have no mark instead of 0x2", text) for text in found), found
    firewall.delete_connections()
    assert faults(firewall.json("explain", "web"), "b") == []


@pytest.mark.parametrize("table", [1001, 1002])
def test_the_answer_is_the_kernels_own(firewall: Site, table: int) -> None:
    line = LINES[table - 1001]
    shown = firewall.json("explain", "web", "-4")
    [case] = [case for case in shown["cases"] if case["line"] == line[0]]
    way_in, way_out = case["ways"]
    assert way_in["answer"]["interface"] == "lan0"
    assert (way_out["answer"]["table"], way_out["answer"]["gateway"]) == (table, line[3])
    decided = way_out["rules"][-1]
    assert (decided["outcome"], decided["rule"]["priority"]) == ("taken", 20000 + 10 * (table - 1000))
    assert [each["rule"]["priority"] for each in way_out["rules"]][:2] == [0, 20000]
    packet = way_out["packet"]
    got = firewall.firewall.run(
        "ip", "-json", "route", "get", packet["destination"], "from", packet["source"], "iif", "lan0", "mark",
        packet["mark"].partition("/")[0],
    )  # fmt: skip
    assert json.loads(got.stdout)[0]["gateway"] == line[3]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("192.0.2.99", ["from this host", "by line a", "by line b"]),
        ("203.0.113.10", ["203.0.113.10, tcp port 80", "by line a"]),
        ("192.168.168.1", ["203.0.113.10", "198.51.100.20"]),
        ("80/tcp", ["203.0.113.10", "2001:db8:b::20"]),
        ("b", ["198.51.100.20"]),
        ("2001:db8:a::10", ["IPv6 by line a"]),
    ],
)
def test_targets_of_every_kind_on_80_columns(firewall: Site, target: str, words: list[str]) -> None:
    for arguments in ((), ("--all-rules",), ("--brief",)):
        done = firewall.run("explain", target, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert max(map(len, done.stdout.splitlines())) <= WIDTH
        for word in words:
            assert word in done.stdout


@pytest.mark.parametrize("arguments", [("explain", "wbe"), ("explain", "web", "--from", "2001:db8::1", "-4")])
def test_a_target_that_nobody_knows(firewall: Site, arguments: tuple[str, ...]) -> None:
    done = firewall.run(*arguments)
    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("multihome: ")
    if "wbe" in arguments:
        assert "services: web" in done.stderr
        assert "lines: a, b" in done.stderr


def test_a_line_that_is_down_although_this_host_is_in_order(firewall: Site) -> None:
    """The keeper's verdict is the cause only where nothing here explains it."""
    host = firewall.firewall
    boot = host.run("cat", "/proc/sys/kernel/random/boot_id").stdout.strip()
    shown = {"state": "down", "usable": False, "reason": "no answer for 1.2 s", "seconds": 12.0}
    health = {"version": 1, "boot": boot, "at": time.monotonic(), "lines": {"b": {"ipv4": shown}}}
    host.run("tee", "/run/multihome/health.json", feed=json.dumps(health))
    try:
        found = faults(firewall.json("explain", "web"), "b")
        assert len(found) == 1
        assert "everything on this host is in order: the fault is beyond the gateway 198.51.100.1" in found[0]
        host.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
        found = faults(firewall.json("explain", "web"), "b")
        assert not any("beyond the gateway" in text for text in found)
    finally:
        host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        host.run("rm", "/run/multihome/health.json")


def test_a_rule_of_this_collection_that_is_missing(firewall: Site) -> None:
    host = firewall.firewall
    host.run("ip", "rule", "del", "priority", "20020")
    shown = firewall.json("explain", "web")
    assert any("rule 20020" in name for name in shown["missing"]["policy_routing"])
    assert faults(shown, "b")
    assert not firewall.answers("b", patience=2.5)
    assert firewall.run("repair").returncode == 0
    assert firewall.answers("b")
    assert {rule["priority"] for rule in routing()["rules"]} >= {20020}


def test_the_running_keeper_is_asked_to_look(firewall: Site) -> None:
    with (firewall.command.parent / "log").open("w") as log:
        keeper = firewall.firewall.start("/usr/bin/python3", "-I", str(firewall.keeper), stderr=log)
        try:
            eventually(lambda: firewall.json("status")["keeper"].get("since") is not None)
            shown = firewall.json("repair")
            assert shown["by"] == f"the keeper (process {keeper.pid})"
            done = firewall.run("status")
            assert (done.returncode, done.stdout.splitlines()[0].split()[0]) == (0, "OK"), done.stdout
            assert "without health check: a, b" in done.stdout
        finally:
            keeper.terminate()
            keeper.wait(10)
    done = firewall.run("status")
    assert done.returncode == 3
    assert "does not run" in done.stdout
