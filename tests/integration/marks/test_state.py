# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""connection_marks as a module on a real kernel: what it reports, what it leaves alone, what it does when it cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.marks.lab import must
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.nat.programs import EVERY_NFT, NFT
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

OLDEST_PYROUTE2 = str(Path(__file__).resolve().parents[3] / ".venv" / "oldest")
GATEWAY = {4: "192.0.2.2", 6: "2001:db8::2"}
FIRST = "02:00:00:00:00:02"
SECOND = "02:00:00:00:00:99"
MARKS = [
    {"mark": 1, "in_interface": "wan0", "name": "unicom"},
    {"mark": 2, "gateway": GATEWAY[4], "name": "interlink; IPv4"},
    {"mark": 2, "gateway": GATEWAY[6]},
]
BALANCE = [
    {"mark": 1, "weight": 4, "sources": ["192.0.2.11", "2001:db8::11"], "name": "unicom"},
    {"mark": 2, "weight": 1, "sources": ["192.0.2.12"]},
]
SPREAD: dict[str, Any] = {
    "balance": BALANCE,
    "balance_from": ["192.0.0.8", "fd00::8"],
    "balance_exclude": ["10.1.0.0/16"],
}
TRANSLATIONS = [
    {"type": "dnat", "protocol": "tcp", "destination": "192.0.2.1", "destination_port": "80", "to_address": "10.0.0.2"},
    {"type": "masquerade", "family": "ipv4", "out_interface": "wan0"},
]
FOREIGN = """
table inet other {
  set marks_interfaces { type ifname; elements = { "wan0" }; }
  chain marks_prerouting { type filter hook prerouting priority mangle; iifname "wan0" counter; }
}
table ip nat {
  chain POSTROUTING { type nat hook postrouting priority srcnat; oifname "wan9" masquerade; }
}
"""


# What a test reads and writes, it does with Debian 13's nft as well.
WITH_EVERY_NFT = pytest.mark.parametrize("hosts", EVERY_NFT, indirect=True, ids=str)


@pytest.fixture
def hosts(request: pytest.FixtureRequest) -> Iterator[Hosts]:
    """A host with a gateway on its LAN; addresses that nobody has are asked for in vain."""
    programs = getattr(request, "param", NFT)
    with Hosts("host", "gateway") as made, programs.on(made["host"]):
        for name in made.names:
            # Addresses that are in use at once, or the first neighbours are asked for too early.
            made[name].sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        made.link("host", "eth0", "gateway", "eth0")
        made["gateway"].run("ip", "link", "set", "eth0", "address", FIRST)
        made["host"].address("eth0", "192.0.2.1/24", "2001:db8::1/64")
        made["gateway"].address("eth0", f"{GATEWAY[4]}/24", f"{GATEWAY[6]}/64")
        yield made


def rules(host: Host, *table: str) -> str:
    """What nft prints of a table, or of all."""
    return host.run("nft", "-s", "list", *(["table", *table] if table else ["ruleset"])).stdout


def quartet(host: Host, **options: Any) -> dict[str, Any]:
    """Check, real, check, real: the same is foretold and done, then nothing; return the real run's result."""
    before = rules(host)
    foretold = must(host, "connection_marks", check=True, **options)
    assert rules(host) == before
    done = must(host, "connection_marks", **options)
    for name in ("changed", "actions", "before", "after", "diff", "unresolved", "balance_before", "balance_after"):
        assert foretold.get(name) == done.get(name)
    assert done["changed"]
    configured = rules(host)
    for check in (True, False):
        again = must(host, "connection_marks", check=check, **options)
        assert (again["changed"], again["actions"]) == (False, [])
        assert again["before"] == again["after"]
    assert rules(host) == configured
    return done


def ordered(marks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries in the order in which the module returns them."""
    return sorted(marks, key=lambda mark: ("gateway" in mark, mark.get("gateway", ""), mark.get("in_interface", "")))


@WITH_EVERY_NFT
def test_everything_is_added_changed_and_purged_in_quartets(hosts: Hosts) -> None:
    host = hosts["host"]
    host.run("nft", "-f", "-", feed=FOREIGN)
    foreign = rules(host)
    added = quartet(host, marks=MARKS, **SPREAD)
    assert added["actions"] == [{"op": "add", "object": entry} for entry in [*MARKS, *BALANCE]]
    assert (added["before"], added["after"]) == ([], ordered(MARKS))
    assert (added["balance_before"], added["balance_after"]) == ([], BALANCE)
    assert added["unresolved"] == []
    # What is not listed stays without purge; another mark for the same match is a replacement.
    other = [{"mark": 3, "in_interface": "wan1"}, {**MARKS[0], "mark": 7}]
    changed = quartet(host, marks=other)
    assert changed["actions"] == [{"op": "add", "object": other[0]}, {"op": "replace", "object": other[1]}]
    assert changed["after"] == ordered([*other, *MARKS[1:]])
    # Another weight is a replacement; a list that is not given is left alone, with purge too.
    lighter = [{**BALANCE[0], "weight": 1}]
    spread = quartet(host, **{**SPREAD, "balance": lighter, "purge": True})
    assert spread["actions"] == [{"op": "replace", "object": lighter[0]}, {"op": "remove", "object": BALANCE[1]}]
    assert spread["after"] == changed["after"]
    gone = quartet(host, marks=MARKS[:1], purge=True)
    assert gone["after"] == MARKS[:1]
    assert sum(action["op"] == "remove" for action in gone["actions"]) == 3
    quartet(host, balance=[], marks=[], purge=True)
    assert rules(host) == foreign


def test_settings_that_change_are_actions_of_their_own(hosts: Hosts) -> None:
    host = hosts["host"]
    must(host, "connection_marks", marks=MARKS, **SPREAD)
    changed = quartet(host, marks=MARKS, **{**SPREAD, "mask": "0xf", "balance_from": ["192.0.0.8"]})
    assert changed["actions"] == [
        {"op": "replace", "object": {"mask": 15}},
        {"op": "replace", "object": {"balance_from": ["192.0.0.8"]}},
    ]
    assert changed["diff"]["before"].startswith("mask 0xff\n")
    assert changed["diff"]["after"].startswith("mask 0xf\n")


def test_a_gateway_that_does_not_answer_fails_nothing_and_is_completed_later(hosts: Hosts) -> None:
    host, silent = hosts["host"], {"mark": 5, "gateway": "192.0.2.77"}
    done = quartet(host, marks=[*MARKS, silent])
    assert done["unresolved"] == [{**silent, "reason": "no answer on eth0"}]
    assert "192.0.2.77" in json.dumps(done["warnings"])
    assert "hardware address unknown" in done["diff"]["after"]
    # Only what was found is looked up.
    assert FIRST in rules(host)
    hosts["gateway"].address("eth0", "192.0.2.77/24")
    completed = quartet(host, marks=[silent], purge=True)
    assert completed["unresolved"] == []
    assert {"op": "replace", "object": silent} in completed["actions"]
    assert f"{FIRST} on eth0" in completed["diff"]["after"]


def test_a_new_hardware_address_replaces_the_entry_and_the_diff_shows_it(hosts: Hosts) -> None:
    host, gateway = hosts["host"], hosts["gateway"]
    listed = [MARKS[1]]
    must(host, "connection_marks", marks=listed)
    gateway.run("ip", "link", "set", "eth0", "address", SECOND)
    # As the gateway does with its first packet.
    gateway.run("ip", "neigh", "flush", "dev", "eth0")
    host.run("ip", "neigh", "flush", "dev", "eth0")
    changed = quartet(host, marks=listed)
    assert changed["actions"] == [{"op": "replace", "object": listed[0]}]
    assert changed["before"] == changed["after"] == listed
    assert FIRST in changed["diff"]["before"]
    assert SECOND in changed["diff"]["after"]
    assert FIRST not in rules(host)
    # A gateway that falls silent is still known by what was learned.
    gateway.run("ip", "link", "set", "eth0", "down")
    host.run("ip", "neigh", "flush", "dev", "eth0")
    again = must(host, "connection_marks", marks=listed)
    assert not again["changed"]
    assert [entry["gateway"] for entry in again["unresolved"]] == [GATEWAY[4]]
    assert SECOND in rules(host)


def test_a_link_local_gateway_is_found_on_its_interface(hosts: Hosts) -> None:
    hosts["gateway"].address("eth0", "fe80::77/64")
    listed = [{"mark": 1, "gateway": "fe80::77", "in_interface": "eth0"}]
    done = quartet(hosts["host"], marks=listed)
    assert (done["after"], done["unresolved"]) == (listed, [])
    assert FIRST in rules(hosts["host"])


def test_a_next_hop_outside_every_connected_network_is_found_by_its_route(hosts: Hosts) -> None:
    host = hosts["host"]
    hosts["gateway"].address("eth0", "10.9.9.9/32")
    listed = [{"mark": 1, "gateway": "10.9.9.9"}]
    assert (
        must(host, "connection_marks", marks=listed)["unresolved"][0]["reason"] == "it is on the link of no interface"
    )
    host.run("ip", "route", "add", "default", "via", "10.9.9.9", "dev", "eth0", "onlink", "table", "1001")
    assert must(host, "connection_marks", marks=listed)["unresolved"] == []


def test_gateways_are_found_with_the_oldest_pyroute2(hosts: Hosts) -> None:
    host = hosts["host"]
    host.run("ip", "route", "add", "default", "via", GATEWAY[4], "table", "1001")
    listed = [MARKS[1], MARKS[2], {"mark": 5, "gateway": "10.9.9.9"}]
    result = run_module("connection_marks", {"marks": listed}, netns_prefix=host.prefix, path=[OLDEST_PYROUTE2])
    assert "failed" not in result, result.get("msg")
    assert [entry["gateway"] for entry in result["unresolved"]] == ["10.9.9.9"]
    assert not must(host, "connection_marks", marks=listed)["changed"]


def test_two_lines_behind_one_hardware_address_are_refused(hosts: Hosts) -> None:
    host = hosts["host"]
    before = rules(host)
    hosts["gateway"].address("eth0", "192.0.2.3/24")
    result = run_module(
        "connection_marks",
        {"marks": [{"mark": 1, "gateway": GATEWAY[4]}, {"mark": 2, "gateway": "192.0.2.3"}]},
        netns_prefix=host.prefix,
    )
    assert result["failed"]
    [fault] = result["faults"]
    gateways = f"marks[0] (1) and marks[1] (2): both gateways are {FIRST}"
    assert fault.startswith(f"{gateways}, so their connections look the same")
    assert rules(host) == before


@WITH_EVERY_NFT
@pytest.mark.parametrize("first", ["connection_marks", "nat_rules"])
def test_two_modules_share_the_table_and_know_nothing_of_each_other(hosts: Hosts, first: str) -> None:
    host = hosts["host"]
    options: dict[str, dict[str, Any]] = {
        "connection_marks": {"marks": MARKS, **SPREAD},
        "nat_rules": {"rules": TRANSLATIONS},
    }
    nothing: dict[str, dict[str, Any]] = {"connection_marks": {"marks": [], "balance": []}, "nat_rules": {"rules": []}}
    [second] = [name for name in options if name != first]
    must(host, first, **options[first])
    alone = rules(host)
    must(host, second, **options[second])
    for name, listed in options.items():
        assert not must(host, name, **listed, purge=True)["changed"]
    must(host, second, **nothing[second], purge=True)
    assert rules(host) == alone
    must(host, first, **nothing[first], purge=True)
    assert rules(host) == ""


@pytest.mark.parametrize(
    "damage",
    [
        "flush chain inet multihome marks_prerouting",
        "delete element inet multihome marks_packets { 2 }",
        "add element inet multihome marks_interfaces { lo : accept }",
        "insert rule inet multihome marks_output accept",
        "add chain inet multihome marks_stranger",
        "flush chain inet multihome marks_packet_1",
        "flush set inet multihome marks_from4",
        "flush map inet multihome marks_neighbours",
    ],
)
def test_damage_is_reported_and_repaired(hosts: Hosts, damage: str) -> None:
    host = hosts["host"]
    must(host, "connection_marks", marks=MARKS, **SPREAD)
    whole = rules(host)
    host.run("nft", damage)
    assert rules(host) != whole
    foretold = must(host, "connection_marks", check=True, marks=MARKS, **SPREAD)["actions"]
    assert foretold
    assert must(host, "connection_marks", marks=MARKS, **SPREAD)["actions"] == foretold
    assert rules(host) == whole


@WITH_EVERY_NFT
def test_a_chain_that_is_hooked_elsewhere_is_hooked_again(hosts: Hosts) -> None:
    host = hosts["host"]
    must(host, "connection_marks", marks=MARKS)
    whole = rules(host)
    chain = "inet multihome marks_output"
    hook = "{ type filter hook output priority 0; }"
    host.run("nft", "-f", "-", feed=f"flush chain {chain}\ndelete chain {chain}\nadd chain {chain} {hook}\n")
    assert quartet(host, marks=MARKS)["actions"] == [{"op": "replace", "object": {"table": "chain marks_output"}}]
    assert sorted(rules(host)) == sorted(whole)


def test_a_refused_transaction_leaves_everything_as_it_was(hosts: Hosts) -> None:
    host = hosts["host"]
    # A foreign chain that jumps to ours keeps it from being deleted.
    must(host, "connection_marks", marks=MARKS)
    host.run("nft", "-f", "-", feed="table inet multihome {\n chain other {\n jump marks_packet_1\n }\n}\n")
    before = rules(host)
    result = run_module("connection_marks", {"marks": [], "purge": True}, netns_prefix=host.prefix)
    assert result["failed"]
    assert "the host is as it was before" in result["msg"]
    assert rules(host) == before


def test_every_fault_is_reported_at_once(hosts: Hosts) -> None:
    options = {
        "marks": [
            {"mark": "x", "in_interface": "wan0"},
            {"mark": 256, "in_interface": "wan1"},
            {"mark": 1, "gateway": "192.0.2.300", "name": "unicom"},
            {"mark": 1},
            {"in_interface": "a/b"},
            {"mark": 1, "gateway": "fe80::1"},
        ],
        "balance": [{"mark": 1, "weight": 999, "sources": ["192.0.2.1", "192.0.2.2"]}, {"mark": 0}],
        "balance_from": ["192.0.2.0/24"],
        "balance_exclude": ["0.0.0.0/0", "192.0.2.1/24"],
        "mask": "0",
    }
    result = run_module("connection_marks", options, netns_prefix=hosts["host"].prefix)
    assert result["failed"]
    assert result["faults"] == [
        "marks[0] (x): not a whole number, decimal or 0x...",
        'marks[2] (unicom): gateway "192.0.2.300": not an IP address',
        "marks[3] (1): give in_interface, gateway or source, by which the line is known",
        'marks[4]: in_interface "a/b": not an interface name',
        "marks[4]: mark is missing",
        "marks[5] (1): gateway fe80::1 is link-local: give its in_interface",
        'balance[0] (1): weight "999": not within 0 to 256',
        "balance[0] (1): sources: 192.0.2.1 and 192.0.2.2: connections leave with one address of a family",
        "balance[1] (0): not within 1 to 0xffffffff; a mark of 0 is no mark",
        "balance[1] (0): sources is missing: the addresses that this line's connections leave with",
        'mask "0": not within 1 to 0xffffffff; a mark of 0 is no mark',
        "balance_from[0] (192.0.2.0/24): an address with a prefix length; leave the length out",
        "balance_exclude[0] (0.0.0.0/0): leaves nothing to balance; leave the list balance empty instead",
        "balance_exclude[1] (192.0.2.1/24): has host bits set; the prefix is 192.0.2.0/24, the host 192.0.2.1",
    ]
    outside = run_module("connection_marks", {"marks": [{"mark": 256, "in_interface": "w"}], "balance": [BALANCE[0]]})
    assert outside["faults"] == [
        "marks[0] (256): mark 0x100 has bits outside the mask 0xff",
        "balance_from is missing: from which source addresses are connections spread?",
    ]
    twice = run_module("connection_marks", {"marks": [MARKS[0], {"mark": 2, "in_interface": "wan0"}]})
    assert twice["faults"] == [
        "marks[0] (unicom) and marks[1] (2): two entries for one interface wan0; keep one of them"
    ]
