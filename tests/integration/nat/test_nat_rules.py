# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nat_rules on a real kernel, beside other people's tables: as root, and in a user namespace as anybody."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.nat.programs import NFT, NFT_OF_DEBIAN_13
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

FOREIGN = """
table ip nat {
    map ports {
        type inet_service : ipv4_addr
        elements = { 80 : 10.1.1.1, 443 : 10.1.1.2 }
    }
    chain PREROUTING {
        type nat hook prerouting priority dstnat; policy accept;
        dnat to tcp dport map @ports
    }
    chain POSTROUTING {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "docker0" masquerade
    }
}
table inet filter {
    set banned {
        type ipv4_addr
        flags interval
        elements = { 192.0.2.0/24 }
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ip saddr @banned counter drop
    }
}
table inet multihome_other {
    chain nat_prerouting {
        type nat hook prerouting priority -90; policy accept;
        tcp dport 81 counter redirect to :82
    }
}
table ip6 multihome {
    chain nat_output {
        type nat hook output priority 0; policy accept;
    }
}
"""
WEB = {
    "name": "web",
    "type": "dnat",
    "protocol": "tcp",
    "destination": "203.0.113.10",
    "destination_port": "80",
    "to_address": "192.168.168.1",
}
RULES: list[dict[str, Any]] = [
    WEB,
    {**WEB, "name": "media", "protocol": "udp", "destination_port": "5000-6000"},
    {**WEB, "name": "each to its own", "destination_port": "7000-7010", "to_port": "8000-8010"},
    {**WEB, "name": "office", "source": "198.51.100.0/24", "destination_port": "22", "in_interface": "wan0"},
    {"type": "dnat", "destination": "2001:db8:a::/64", "to_address": "fd00:168::/64"},
    {"type": "snat", "source": "192.168.168.1", "out_interface": "wan0", "to_address": "203.0.113.10"},
    {"type": "masquerade", "family": "ipv4", "out_interface": "wan0"},
]


UNCHANGED = {"changed": False, "backend": "nftables", "backend_reason": "auto prefers nftables", "actions": []}


# Whether in a user namespace, and with which nft.
HOSTS = [(False, NFT), (True, NFT), (False, NFT_OF_DEBIAN_13)] if os.geteuid() == 0 else [(True, NFT)]


@pytest.fixture(params=HOSTS, ids=lambda kind: f"{'user' if kind[0] else 'root'}-{kind[1]}")
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    user_namespace, programs = request.param
    with Hosts("firewall", user_namespace=user_namespace) as hosts, programs.on(hosts["firewall"]):
        hosts["firewall"].run("nft", "-f", "-", feed=FOREIGN)
        yield hosts["firewall"]


def run(host: Host, rules: list[Any], **options: Any) -> dict[str, Any]:
    """Run the module; ``check`` and ``diff`` are run_module's."""
    how = {name: options.pop(name) for name in ("check", "diff") if name in options}
    result = run_module("nat_rules", {"rules": rules, **options}, netns_prefix=host.prefix, **how)
    result.pop("invocation", None)
    return result


def rule_set(host: Host) -> str:
    """Return everything that nft lists, with handles: an object that was made again has another."""
    return host.run("nft", "--handle", "list", "ruleset").stdout


def foreign(host: Host) -> str:
    """Return everything but our table."""
    return re.sub(r"^table inet multihome \{.*?^\}\n", "", rule_set(host), flags=re.DOTALL | re.MULTILINE)


def test_check_run_check_run(host: Host) -> None:
    before = rule_set(host)
    foretold = run(host, RULES, purge=True, check=True, diff=True)
    assert rule_set(host) == before
    done = run(host, RULES, purge=True, diff=True)
    assert foretold == done
    assert done["changed"]
    assert done["after"] == RULES
    assert done["backend"] == "nftables"
    after = rule_set(host)
    assert foreign(host) == before != after
    for check in (True, False):
        result = run(host, RULES, purge=True, check=check)
        assert result == UNCHANGED
    assert rule_set(host) == after


def test_purge_takes_ours_and_leaves_theirs(host: Host) -> None:
    before = rule_set(host)
    run(host, RULES)
    kept = run(host, [{**WEB, "to_address": "192.168.168.2"}], purge=False)
    assert [action["op"] for action in kept["actions"]] == ["replace"]
    assert len(kept["after"]) == len(RULES)
    purged = run(host, RULES[1:3], purge=True)
    assert sorted(action["op"] for action in purged["actions"]) == ["remove"] * (len(RULES) - 2)
    assert foreign(host) == before
    run(host, [], purge=True)
    assert rule_set(host) == before
    assert run(host, [], purge=True) == UNCHANGED


def test_an_update_leaves_every_other_object_as_it_is(host: Host) -> None:
    run(host, RULES)
    host.run("nft", "add", "rule", "inet", "multihome", "nat_prerouting", "counter", "comment", '"mine"')
    before = rule_set(host)
    run(host, [*RULES[:1], {**RULES[1], "to_address": "192.168.168.3"}, *RULES[2:]])
    old, new = (text.splitlines() for text in (before, rule_set(host)))
    changed = [(one, other) for one, other in zip(old, new, strict=True) if one != other]
    assert len(changed) == 1
    assert changed[0][0].replace("192.168.168.1", "192.168.168.3") == changed[0][1]


def test_a_transaction_that_nft_refuses_leaves_everything_as_it_was(host: Host) -> None:
    run(host, RULES)
    # Somebody uses one of our maps: it cannot be deleted, so the whole transaction cannot be carried out.
    host.run("nft", "add", "chain", "inet", "multihome", "theirs")
    host.run(
        *("nft", "add", "rule", "inet", "multihome", "theirs", "dnat", "ip", "to"),
        *("ip", "daddr", ".", "meta", "l4proto", ".", "th", "dport", "map", "@dnat_ipv4_daddr_proto_dports"),
    )
    before = rule_set(host)
    result = run(host, [RULES[0], {**WEB, "destination_port": "81"}], purge=True)
    assert result["failed"]
    assert "Device or resource busy" in result["msg"]
    assert "the host is as it was before" in result["msg"]
    assert rule_set(host) == before
    # Take the obstacle away, and the same run goes through.
    host.run("nft", "flush", "chain", "inet", "multihome", "theirs")
    assert run(host, [RULES[0], {**WEB, "destination_port": "81"}], purge=True)["changed"]
    assert "chain theirs" in rule_set(host)


def test_bad_input_and_a_word_of_nft_as_table_change_nothing(host: Host) -> None:
    before = rule_set(host)
    result = run(host, [WEB, WEB, {**WEB, "destination_port": "0"}])
    assert len(result["faults"]) == 2
    assert "nft reserves this word" in run(host, [WEB], table="dnat")["msg"]
    assert rule_set(host) == before


def test_every_kind_of_bad_input_is_refused_at_once_and_changes_nothing(host: Host) -> None:
    run(host, RULES)
    before = rule_set(host)
    other = {**WEB, "destination_port": "81"}
    bad: dict[str, dict[str, Any]] = {
        "has 10 ports and to_port 9": {**other, "destination_port": "90-99", "to_port": "90-98"},
        "mixes IPv4 and IPv6": {**other, "to_address": "fd00:168::1", "to_port": "90"},
        "destination_port without a protocol that has ports": {**other, "protocol": "any"},
        'protocol "ospf": not one of': {**other, "protocol": "ospf"},
        "port 0 is not within": {**other, "destination_port": "0"},
        "port 65536 is not within": {**other, "to_port": "65536"},
        "longer than the 128 bytes": {**other, "name": "x" * 129},
        "at most 15 bytes": {**other, "in_interface": "x" * 16},
    }
    faults = run(host, [*RULES, *bad.values()], purge=True)["faults"]
    assert len(faults) == len(bad)
    for place, (said, fault) in enumerate(zip(bad, faults, strict=True), len(RULES)):
        assert fault.startswith(f"rules[{place}]")
        assert said in fault
    overlapping = [{**other, "destination_port": ports} for ports in ("90-95", "95-99")]
    assert "the ranges 90-95 and 95-99 of destination_port overlap" in run(host, overlapping, purge=True)["msg"]
    many = run(host, [{}] * 100_001, purge=True)
    assert many["faults"] == ["rules has 100001 entries; at most 100000 are supported: use prefixes and ranges"]
    assert rule_set(host) == before


def test_a_thousand_entries_are_one_lookup(host: Host) -> None:
    many = [{**WEB, "name": f"number {port}", "destination_port": str(port)} for port in range(1, 1001)]
    assert len(run(host, many)["actions"]) == 1000
    listed = host.run("nft", "list", "chain", "inet", "multihome", "nat_destination").stdout
    assert listed.count("map @") == 1
    assert not run(host, many[::-1], purge=True)["changed"]
    result = run(host, [*many[:-1], {**many[-1], "to_port": "1"}])
    assert [action["object"]["destination_port"] for action in result["actions"]] == ["1000"]


def test_the_own_python_of_the_host_runs_it(host: Host) -> None:
    result = run_module("nat_rules", {"rules": RULES}, python="/usr/bin/python3", netns_prefix=host.prefix)
    assert result["changed"]
