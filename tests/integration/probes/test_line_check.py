# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""line_check on real networks: a client, a server that answers on some ports, and everything that can be in the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.answering import answer
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

# The server's addresses, by family; .9 and ::9 are nobody's.
SERVER = {4: "192.0.2.2", 6: "2001:db8::2"}
CLIENT = {4: "192.0.2.1", 6: "2001:db8::1"}
SECOND = {4: "192.0.2.11", 6: "2001:db8::11"}
NOBODY = {4: "192.0.2.9", 6: "2001:db8::9"}
FAMILIES = (4, 6)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts("client", "server") as made:
        made.link("client", "eth0", "server", "eth0")
        made["client"].address("eth0", *(f"{CLIENT[f]}/24" if f == 4 else f"{CLIENT[f]}/64" for f in FAMILIES))
        made["client"].address("eth0", *(f"{SECOND[f]}/24" if f == 4 else f"{SECOND[f]}/64" for f in FAMILIES))
        made["server"].address("eth0", *(f"{SERVER[f]}/24" if f == 4 else f"{SERVER[f]}/64" for f in FAMILIES))
        answer(made["server"])
        yield made


def drop(host: Host, *rules: str, hook: str = "input") -> None:
    """Give a host a firewall of these nft rules."""
    lines = [f"type filter hook {hook} priority 0; policy accept;", *rules]
    host.run("nft", "-f", "-", feed="\n".join(["table inet test {", f"chain {hook} {{", *lines, "}", "}", ""]))


def target(family: int, protocol: str = "tcp", **fields: Any) -> dict[str, Any]:
    """A target on the server that answers."""
    port = {} if protocol == "icmp" else {"port": 7}
    entry = {"line": "unicom", "address": SERVER[family], "protocol": protocol, "timeout": 1, **port}
    return {**entry, **fields}


def check(host: Host, *targets: dict[str, Any], prefix: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
    """Run line_check on a host."""
    return run_module("line_check", {"targets": list(targets)}, netns_prefix=[*host.prefix, *prefix], **options)


def errors(result: dict[str, Any]) -> list[str | None]:
    """The error of each row."""
    return [row["error"] for row in result["rows"]]


EVERYTHING = [target(family, protocol) for family in FAMILIES for protocol in ("tcp", "udp", "icmp")]


@pytest.mark.parametrize("check_mode", [True, False])
def test_every_protocol_of_both_families_is_answered(hosts: Hosts, check_mode: bool) -> None:
    result = check(hosts["client"], *EVERYTHING, check=check_mode)
    assert "failed" not in result, result
    assert result["changed"] is False
    assert [(row["address"], row["protocol"], row["port"]) for row in result["rows"]] == [
        (entry["address"], entry["protocol"], entry.get("port")) for entry in EVERYTHING
    ]
    for row in result["rows"]:
        assert row["ok"] is True
        assert 0 < row["milliseconds"] < 1000
        assert (row["error"], row["hint"]) == (None, None)


def test_silence_on_the_way_fails_every_protocol(hosts: Hosts) -> None:
    # Not all of IPv6, whose neighbour discovery has to go on.
    drop(
        hosts["server"], "ip saddr 192.0.2.0/24 drop", "meta l4proto { tcp, udp } drop", "icmpv6 type echo-request drop"
    )
    result = check(hosts["client"], *EVERYTHING)
    assert result["failed"] is True
    assert errors(result) == ["no answer within 1 s"] * 6
    assert all(row["milliseconds"] is None and "reply path" in row["hint"] for row in result["rows"])
    assert result["msg"].splitlines()[:3] == [
        "6 of 6 targets did not answer:",
        "line    7/tcp IPv4  7/udp IPv4  icmp IPv4  7/tcp IPv6  7/udp IPv6  icmp IPv6",
        "unicom  FAILED      FAILED      FAILED     FAILED      FAILED      FAILED",
    ]


def test_one_that_fails_fails_the_module_and_no_other_row(hosts: Hosts) -> None:
    drop(hosts["server"], "ip protocol udp drop")
    result = check(hosts["client"], *EVERYTHING)
    assert result["failed"] is True
    assert errors(result) == [None, "no answer within 1 s", None, None, None, None]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_second_attempt_passes_where_the_first_packet_is_lost(hosts: Hosts, family: int) -> None:
    # One of 60 or 80 bytes is within the quota, two are not.
    lost = {4: "ip", 6: "ip6"}[family]
    once = target(family, timeout=0.5)
    drop(hosts["server"], f"{lost} daddr {SERVER[family]} tcp dport 7 quota until 100 bytes drop")
    result = check(hosts["client"], once)
    assert errors(result) == ["no answer within 0.5 s"]
    hosts["server"].run("nft", "flush", "ruleset")
    drop(hosts["server"], f"{lost} daddr {SERVER[family]} tcp dport 7 quota until 100 bytes drop")
    result = check(hosts["client"], {**once, "timeout": 0.9, "attempts": 2})
    assert errors(result) == [None]
    assert "failed" not in result


@pytest.mark.parametrize("family", FAMILIES)
def test_a_host_without_the_service_is_distinguished_from_silence(hosts: Hosts, family: int) -> None:
    result = check(hosts["client"], target(family, port=8, timeout=5), target(family, "udp", port=8, timeout=5))
    assert errors(result) == ["connection refused", "port unreachable"]
    assert all("the service does not listen" in row["hint"] for row in result["rows"])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_what_the_kernel_reports_about_the_way_is_said(hosts: Hosts, family: int, protocol: str) -> None:
    client = hosts["client"]
    ip = ["ip", f"-{family}", "route"]
    elsewhere = {4: "198.51.100.{}", 6: "2001:db8:ffff::{}"}[family]
    asked = [target(family, protocol, address=elsewhere.format(last), timeout=5) for last in (1, 2, 3)]
    assert errors(check(client, *asked)) == ["no route"] * 3
    for kind, entry in zip(("prohibit", "blackhole", "unreachable"), asked, strict=True):
        client.run(*ip, "add", kind, entry["address"])
    assert errors(check(client, *asked)) == ["prohibited", "discarded on this host", "no route to the host"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_neighbour_that_does_not_answer_is_said_before_the_time_is_over(hosts: Hosts, family: int) -> None:
    # Three requests for the neighbour's address, a second apart, are what Linux makes before it gives up.
    asked = [target(family, protocol, address=NOBODY[family], timeout=20) for protocol in ("tcp", "udp", "icmp")]
    assert errors(check(hosts["client"], *asked)) == ["no route to the host"] * 3


def test_the_own_firewall_is_distinguished_from_the_path(hosts: Hosts) -> None:
    drop(hosts["client"], "udp dport 7 drop", hook="output")
    assert errors(check(hosts["client"], target(4, "udp"), target(6, "udp"))) == ["dropped on this host"] * 2


@pytest.mark.parametrize("family", FAMILIES)
def test_the_source_is_the_one_asked_for(hosts: Hosts, family: int) -> None:
    client = hosts["client"]
    bound = [target(family, "udp", source=source[family], expect=source[family] + " ") for source in (CLIENT, SECOND)]
    result = check(client, *bound)
    assert errors(result) == [None, None]
    assert [row["source"] for row in result["rows"]] == [CLIENT[family], SECOND[family]]
    # The server tells the source: asked from one, it does not name the other.
    crossed = check(client, {**bound[0], "source": SECOND[family]})
    assert errors(crossed) == [f'the answer does not contain "{CLIENT[family]} "']


@pytest.mark.parametrize("protocol", ["tcp", "icmp"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_protocol_asks_from_the_source(hosts: Hosts, family: int, protocol: str) -> None:
    name = {4: "ip", 6: "ip6"}[family]
    matched = {"tcp": "tcp dport 7", "icmp": {4: "icmp type echo-request", 6: "icmpv6 type echo-request"}[family]}
    drop(hosts["server"], f"{name} saddr {SECOND[family]} {matched[protocol]} drop")
    asked = [target(family, protocol, source=source[family]) for source in (CLIENT, SECOND)]
    assert errors(check(hosts["client"], *asked)) == [None, "no answer within 1 s"]


@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_source_that_is_not_here_is_said(hosts: Hosts, family: int, protocol: str) -> None:
    result = check(hosts["client"], target(family, protocol, source=NOBODY[family]))
    assert errors(result) == [f"source {NOBODY[family]} is not an address of this host"]


def test_what_is_sent_and_what_has_to_come_back(hosts: Hosts) -> None:
    asked = target(4, "udp", send="\x01ping é", expect="\x01ping é")
    assert errors(check(hosts["client"], asked)) == [None]
    assert errors(check(hosts["client"], {**asked, "send": "pong"})) == ['the answer does not contain "\x01ping é"']


@pytest.mark.parametrize("protocol", ["udp", "icmp"])
def test_what_is_lost_once_is_sent_again(hosts: Hosts, protocol: str) -> None:
    # The first packet of the test is dropped, the second one passes.
    match = {"udp": "udp dport 7", "icmp": "icmp type echo-request"}[protocol]
    drop(hosts["server"], f"{match} numgen inc mod 2 0 drop")
    result = check(hosts["client"], target(4, protocol, timeout=5))
    assert errors(result) == [None]
    assert result["rows"][0]["milliseconds"] >= 1000
    assert errors(check(hosts["client"], target(4, protocol, timeout=0.8))) == ["no answer within 0.8 s"]


def test_the_reply_to_another_probe_is_not_taken(hosts: Hosts) -> None:
    # Two ask at once from one address; only the second request passes, and both hear its reply.
    drop(hosts["server"], "icmp type echo-request numgen inc mod 2 0 drop")
    result = check(hosts["client"], *[target(4, "icmp", timeout=0.8)] * 2)
    assert sorted(map(str, errors(result))) == ["None", "no answer within 0.8 s"]


NO_PRIVILEGE = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


def test_icmp_without_privilege_needs_the_group_range_and_says_so(hosts: Hosts) -> None:
    client = hosts["client"]
    asked = [target(family, "icmp") for family in FAMILIES]
    refused = check(client, *asked, prefix=NO_PRIVILEGE)
    assert errors(refused) == ["this user may not send ICMP echo"] * 2
    assert "net.ipv4.ping_group_range" in refused["rows"][0]["hint"]
    client.run("sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 0")
    assert errors(check(client, *asked, prefix=NO_PRIVILEGE)) == [None, None]
    assert errors(check(client, *asked)) == [None, None]


def test_a_thousand_silent_targets_take_as_long_as_one(hosts: Hosts) -> None:
    drop(hosts["server"], "tcp dport 8 drop", "udp dport 8 drop")
    silent = [target(4, ("tcp", "udp")[index % 2], port=8, timeout=2) for index in range(1000)]
    started = time.monotonic()
    result = check(hosts["client"], *silent, target(4), prefix=("prlimit", "--nofile=256:4096"))
    took = time.monotonic() - started
    assert errors(result) == ["no answer within 2 s"] * 1000 + [None]
    # In turns of as many as the limit of 256 descriptors lets through, it would be six times 2 s; one by one, 2,000 s.
    assert 2 <= took < 10


def test_more_targets_than_descriptors_are_asked_in_turns(hosts: Hosts) -> None:
    result = check(hosts["client"], *[target(6)] * 300, prefix=("prlimit", "--nofile=100:100"))
    assert errors(result) == [None] * 300


def test_bad_input_is_refused_with_every_fault_and_nothing_is_asked(hosts: Hosts) -> None:
    result = check(hosts["client"], target(4, address="192.0.2.300"), target(4, timeout="soon"))
    assert result["failed"] is True
    assert result["faults"] == [
        "targets[0] (192.0.2.300): not an IP address",
        'targets[1] (192.0.2.2): timeout "soon": not a number of seconds',
    ]
    assert "rows" not in result


def test_an_empty_list_asks_nothing(hosts: Hosts) -> None:
    result = check(hosts["client"])
    assert (result["changed"], result["rows"], "failed" in result) == (False, [], False)
