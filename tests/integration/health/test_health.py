# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Line health on real lines: silent black holes, lost carriers, loss; and no probe ever leaves by another line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from ansible_collections.multihome.linux.tests.integration.health.lab import (
    ADDRESSES,
    FAMILIES,
    GATEWAYS,
    LINES,
    TARGETS,
    Lab,
    lab,
    line,
)
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

STATE = "/run/multihome/health.json"


@pytest.fixture(scope="module")
def made() -> Iterator[Lab]:
    with lab() as created:
        yield created


@pytest.fixture
def network(made: Lab) -> Iterator[Lab]:
    """The lab as it was made."""
    made.server.run("rm", "-rf", "/run/multihome")
    made.settle()
    yield made
    for name in LINES:
        made.heal(name)
        made.hosts[f"isp-{name}"].run("ip", "link", "set", "customer", "up")
    made.prefer("a")
    made.server.run("nft", "-f", "-", feed="table inet own\ndelete table inet own\n")


def test_a_silent_black_hole_is_found_in_time_and_the_other_line_stays(network: Lab) -> None:
    with network.watching() as watcher:
        watcher.all_up()
        died = network.kill("a")
        for family in FAMILIES:
            assert watcher.waits("a", family, "down", died) - died < 1.6
        assert watcher.usable(4) == watcher.usable(6) == ["b"]
        assert all(watcher.got("b", family, "down") is None for family in FAMILIES)
        healed = network.heal("a")
        for family in FAMILIES:
            assert watcher.waits("a", family, "recovering", healed) - healed < 1.0
            # The other line is up, so this one has to prove itself.
            assert 9.5 < watcher.waits("a", family, "up", healed, patience=30) - healed < 14


@pytest.mark.parametrize("family", FAMILIES)
def test_one_family_dies_alone(network: Lab, family: int) -> None:
    other = 10 - family
    with network.watching() as watcher:
        watcher.all_up()
        died = network.kill("b", family)
        watcher.waits("b", family, "down", died)
        time.sleep(1)
        assert watcher.got("b", other, "down") is None
        assert watcher.usable(other) == ["a", "b"]


def test_a_lost_carrier_is_down_at_once(network: Lab) -> None:
    with network.watching() as watcher:
        watcher.all_up()
        before = time.monotonic()
        network.hosts["isp-a"].run("ip", "link", "set", "customer", "down")
        after = time.monotonic()
        for family in FAMILIES:
            assert before <= watcher.waits("a", family, "down", before) < after + 0.1
        assert "no carrier" in json.dumps(watcher.said[-1])


def test_without_targets_carrier_and_gateway_are_all(network: Lab) -> None:
    with network.watching(line("a", health={}), line("b", health={})) as watcher:
        watcher.all_up()
        before = network.counted()
        network.kill("a")
        time.sleep(2)
        # Nobody is asked, so nothing is found, and nothing was sent either.
        assert watcher.state("a", 4) == "up"
        # Neighbour discovery of IPv6 is the kernel's.
        assert {key: n for key, n in network.counted().items() if "4 by" in key} == {
            key: n for key, n in before.items() if "4 by" in key
        }
        down = time.monotonic()
        network.hosts["isp-a"].run("ip", "link", "set", "customer", "down")
        assert watcher.waits("a", 4, "down", down) - down < 0.5


def test_ten_percent_of_loss_is_no_verdict(network: Lab) -> None:
    with network.watching() as watcher:
        watcher.all_up()
        network.lose_one_way("a", 10)
        begun = time.monotonic()
        time.sleep(30)
        assert all(watcher.got("a", family, "down", begun) is None for family in FAMILIES)
        # Control: with nothing left it is found at once.
        died = network.kill("a")
        watcher.waits("a", 4, "down", died)


PINS = {
    "address": {},
    "mark": {"mark": True},
    "interface": {"bind_interface": True},
}


# Each kind has sockets of its own; queries and requests are kept on their line by what ICMP and TCP are kept by.
KINDS: dict[str, str | dict[str, str]] = {
    "icmp": "{}",
    "tcp": {"tcp": "{}:9"},
    "dns": {"dns": "{}"},
    "http": {"http": "http://{}:9/"},
}
PINNED = [(kind, pin) for kind in ("icmp", "tcp") for pin in PINS] + [("dns", "mark"), ("http", "interface")]


def _target(kind: str, address: str) -> str | dict[str, str]:
    """A target of this kind."""
    form, host = KINDS[kind], f"[{address}]" if ":" in address and kind in ("tcp", "http") else address
    return form.format(host) if isinstance(form, str) else {name: text.format(host) for name, text in form.items()}


@pytest.mark.parametrize(("kind", "pin"), PINNED)
def test_no_probe_ever_leaves_by_another_line(network: Lab, kind: str, pin: str) -> None:
    """Not when both are well, not while one is dead, has no carrier, or has lost its routes."""
    targets = [_target(kind, address) for family in FAMILIES for address in TARGETS[family]]
    lines = []
    for number, name in enumerate(LINES, 1):
        extra: dict[str, object] = dict(PINS[pin])
        if pin == "mark":
            extra["mark"] = number
        lines.append(line(name, **extra, health={"targets": targets}))
    with network.watching(*lines) as watcher:
        eventually(lambda: bool(watcher.said))
        begin = network.counted()
        network.prefer("b")
        time.sleep(2)
        network.kill("a")
        time.sleep(2)
        network.heal("a")
        network.hosts["isp-a"].run("ip", "link", "set", "customer", "down")
        time.sleep(1)
        network.prefer("b")
        network.hosts["isp-a"].run("ip", "link", "set", "customer", "up")
        time.sleep(2)
        counted = {key: packets - begin[key] for key, packets in network.counted().items()}
    network.hosts["server"].run("ip", "-4", "route", "replace", "default", "via", GATEWAYS["a", 4], "table", "1001")
    network.hosts["server"].run("ip", "-6", "route", "replace", "default", "via", GATEWAYS["a", 6], "table", "1001")
    own = [counted[f"{name}{family} by {name}"] for name in LINES for family in FAMILIES]
    assert all(packets > 0 for packets in own), counted
    assert [counted[f"a{family} by b"] for family in FAMILIES] == [0, 0]
    assert [counted[f"b{family} by a"] for family in FAMILIES] == [0, 0]


def test_control_probes_of_a_line_without_its_rule_are_seen_on_the_other(network: Lab) -> None:
    """Kept by address alone, and with the rule of that address gone: the counters see it."""
    rule = ["from", ADDRESSES["b", 4], "lookup", "1002", "priority", "23010"]
    network.server.run("ip", "-4", "rule", "del", *rule)
    try:
        with network.watching() as watcher:
            begin = network.counted()
            eventually(lambda: bool(watcher.said))
            eventually(lambda: network.counted()["b4 by a"] > begin["b4 by a"])
    finally:
        network.server.run("ip", "-4", "rule", "add", *rule)


def test_a_filter_of_this_host_is_an_alarm_and_no_verdict(network: Lab) -> None:
    with network.watching() as watcher:
        watcher.all_up()
        begun = time.monotonic()
        chain = "chain out { type filter hook output priority 0; ip protocol icmp drop; }"
        network.server.run("nft", "-f", "-", feed=f"table inet own {{\n{chain}\n}}\n")
        watcher.waits("a", 4, "unknown", begun)
        time.sleep(2)
        assert watcher.state("a", 4) == "unknown"
        assert "packet filter of this host" in watcher.alarm("a", 4)
        assert watcher.usable(4) == ["a", "b"]
        assert watcher.state("a", 6) == "up"
        network.server.run("nft", "delete", "table", "inet", "own")
        watcher.waits("a", 4, "up", begun + 2)
        assert watcher.alarm("a", 4) == ""


def test_a_line_without_a_route_is_down_before_the_silence_is_over(network: Lab) -> None:
    with network.watching() as watcher:
        watcher.all_up()
        network.server.run("ip", "-4", "rule", "add", "from", ADDRESSES["a", 4], "unreachable", "priority", "23000")
        begun = time.monotonic()
        try:
            watcher.waits("a", 4, "down", begun - 0.2)
            assert "no route or address" in json.dumps(watcher.said)
        finally:
            network.server.run("ip", "-4", "rule", "del", "from", ADDRESSES["a", 4], "unreachable", "priority", "23000")


@pytest.mark.parametrize("family", FAMILIES)
def test_an_address_that_is_gone_is_no_route_into_a_black_hole(network: Lab, family: int) -> None:
    """The kernel may give one error for both; only the address is a lack of this host."""
    server = network.server
    # An address that no route depends on.
    other = {4: "203.0.113.88", 6: "2001:db8:a::88"}[family]
    host = f"{other}/{32 if family == 4 else 128}"
    server.run("ip", "address", "add", host, "dev", "a", *(["nodad"] if family == 6 else []))
    rule = ["ip", f"-{family}", "rule", "{}", "from", other, "lookup", "1001", "priority", "23010"]
    server.run(*(each.format("add") for each in rule))
    known = [other if each == ADDRESSES["a", family] else each for each in line("a")["addresses"]]
    try:
        with network.watching(line("a", addresses=known), line("b")) as watcher:
            watcher.all_up()
            gone = time.monotonic()
            server.run("ip", "address", "del", host, "dev", "a")
            watcher.waits("a", family, "down", gone)
            assert "no route or address" in json.dumps(watcher.said[-1])
            assert watcher.state("b", family) == "up"
            server.run("ip", "address", "add", host, "dev", "a", *(["nodad"] if family == 6 else []))
            watcher.waits("a", family, "up", gone, patience=30)
            # The control: the same error of the kernel, and the line is silent.
            lost = time.monotonic()
            server.run("ip", f"-{family}", "rule", "add", "from", other, "blackhole", "priority", "23000")
            watcher.waits("a", family, "down", lost)
            assert "no answer for" in json.dumps(watcher.said[-1])
    finally:
        server.run("ip", f"-{family}", "rule", "del", "from", other, "priority", "23000", check=False)
        server.run(*(each.format("del") for each in rule))
        server.run("ip", "address", "del", host, "dev", "a", check=False)


def test_lines_kept_by_their_address_share_one_socket_of_each_family(network: Lab) -> None:
    """The kernel compares each ICMP packet with each raw socket: one for each line would cost its square."""
    for lines, count in (
        ([line("a"), line("b")], 2),
        # Control: a mark is a property of the socket.
        ([line("a", mark=1), line("b", mark=2)], 4),
    ):
        network.server.run("rm", "-rf", "/run/multihome")
        with network.watching(*lines) as watcher:
            watcher.all_up()
            shown = network.server.run("cat", "/proc/net/raw", "/proc/net/raw6").stdout.splitlines()
            assert len([row for row in shown if ": " in row]) == count, shown


@pytest.mark.parametrize("family", FAMILIES)
def test_when_the_address_changes_probes_carry_the_new_one(network: Lab, family: int) -> None:
    new = {4: "203.0.113.77", 6: "2001:db8:a::77"}[family]
    server = network.server
    length = {4: 24, 6: 64}[family]
    with network.watching() as watcher:
        watcher.all_up()
        old = ADDRESSES["a", family]
        server.run("ip", "address", "add", f"{new}/{length}", "dev", "a", *(["nodad"] if family == 6 else []))
        server.run("ip", f"-{family}", "rule", "add", "from", new, "lookup", "1001", "priority", "23010")
        changed = time.monotonic()
        server.run("ip", "address", "del", f"{old}/{length}", "dev", "a")
        # IPv4 removes secondary addresses with their primary.
        server.run("ip", "address", "replace", f"{new}/{length}", "dev", "a", *(["nodad"] if family == 6 else []))
        server.run(
            "ip", f"-{family}", "route", "replace", "default", "via", GATEWAYS["a", family], "dev", "a", "table", "1001"
        )
        watcher.tell(address=["a", family, new])
        try:
            time.sleep(2)
            eventually(lambda: watcher.state("a", family) in ("up", "recovering"))
            assert watcher.usable(10 - family) == ["a", "b"]
            assert watcher.got("b", family, "down", changed) is None
            watcher.tell(address=["a", family, None])
            watcher.waits("a", family, "down", time.monotonic() - 0.1)
            assert "no address" in json.dumps(watcher.said[-1])
        finally:
            server.run("ip", "address", "del", f"{new}/{length}", "dev", "a")
            server.run("ip", "address", "add", f"{old}/{length}", "dev", "a", *(["nodad"] if family == 6 else []))
            server.run("ip", f"-{family}", "rule", "del", "from", new, "lookup", "1001", "priority", "23010")
            via = ["via", GATEWAYS["a", family], "dev", "a"]
            server.run("ip", f"-{family}", "route", "replace", "default", *via, "table", "1001")


def test_when_all_lines_are_dead_nothing_changes_and_the_first_answer_recovers(network: Lab) -> None:
    with network.watching() as watcher:
        watcher.all_up()
        network.kill("a")
        eventually(lambda: watcher.state("a", 4) == "down")
        died = network.kill("b")
        watcher.waits("b", 4, "down", died)
        assert watcher.usable(4) == ["b"]
        healed = network.heal("a")
        # No hold time: there is no other line.
        assert watcher.waits("a", 4, "up", healed) - healed < 1.0
        assert watcher.usable(4) == ["a"]


def test_a_restart_resumes_and_the_files_are_there(network: Lab) -> None:
    server = network.server
    with network.watching() as watcher:
        watcher.all_up()
        died = network.kill("a")
        watcher.waits("a", 4, "down", died)
        watcher.waits("a", 6, "down", died)
    mode = server.run("stat", "-c", "%a", STATE, "/run/multihome/metrics.prom", "/run/multihome").stdout.split()
    assert mode == ["600", "644", "700"]
    metrics = server.run("cat", "/run/multihome/metrics.prom").stdout
    assert 'multihome_line_up{line="a",family="ipv4"} 0' in metrics
    assert 'multihome_line_up{line="b",family="ipv6"} 1' in metrics
    with network.watching() as watcher:
        eventually(lambda: bool(watcher.said))
        first = watcher.said[0]
        assert (first["lines"]["a 4"][0], first["lines"]["b 4"][0]) == ("down", "up")
        assert first["usable"] == {"4": ["b"], "6": ["b"]}
        time.sleep(2)
        assert watcher.state("b", 4) == "up"
    # Control: without the file, it knows nothing.
    server.run("rm", STATE)
    with network.watching() as watcher:
        eventually(lambda: bool(watcher.said))
        assert watcher.said[0]["lines"]["a 4"][0] == "unknown"


def test_hooks_hear_of_it_and_a_slow_one_delays_nothing(network: Lab) -> None:
    server = network.server
    server.run("mkdir", "-p", "/run/hooks.d")
    script = '#!/bin/sh\necho "$1 $MULTIHOME_LINE $MULTIHOME_FAMILY" >> /run/heard\nsleep 600\n'
    server.run("sh", "-c", "cat > /run/hooks.d/10-slow && chmod 755 /run/hooks.d/10-slow", feed=script)
    with network.watching(hooks="/run/hooks.d") as watcher:
        watcher.all_up()
        died = network.kill("a")
        assert watcher.waits("a", 4, "down", died) - died < 1.6
        assert watcher.waits("a", 6, "down", died) - died < 1.6
        eventually(lambda: "down a ipv" in server.run("cat", "/run/heard", check=False).stdout)
    # What it left running ends with the service.
    eventually(lambda: server.run("pgrep", "-f", "10-slow", check=False).returncode != 0)


def test_draining_takes_a_line_out_and_its_inbound_is_not_our_business(network: Lab) -> None:
    with network.watching() as watcher:
        watcher.all_up()
        watcher.tell(drained=["a", True])
        eventually(lambda: watcher.usable(4) == ["b"])
        assert watcher.state("a", 4) == "drained"
        watcher.tell(drained=["a", False])
        eventually(lambda: watcher.usable(4) == ["a", "b"])
