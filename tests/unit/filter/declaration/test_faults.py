# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of a declaration is reported, all at once, at its place, and nothing else is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS

Path = tuple[str | int, ...]
REMOVED = object()
LINE, LINE2 = ("lines", 0), ("lines", 1)
SERVER, SERVICE = ("servers", 0), ("services", 0)
ALIASES = (*SERVER, "addresses", "unicom")
PORTS = (*SERVICE, "ports")
ENDS_HERE: dict[Path, object] = {(*LINE, "firewall"): REMOVED, (*LINE, "inside_addresses"): REMOVED}
ENDS_HERE_WHOLLY: dict[Path, object] = {
    **ENDS_HERE,
    (*LINE, "gateway"): ["203.0.113.1", "fe80::1"],
    (*SERVER, "addresses", "unicom"): REMOVED,
}
ONE_FIREWALL: dict[Path, object] = {
    (*LINE, "gateway"): ["203.0.113.1", "fe80::1"],
    (*LINE2, "firewall"): "fw-a",
    (*LINE2, "interface"): "wan1",
    (*LINE2, "gateway"): "198.51.100.1",
    (*LINE2, "inside_addresses"): ["192.168.168.11", "fd00:168::11"],
}
WEB2 = {"name": "web2", "interface": "eth0", "addresses": {"unicom": ["192.168.168.5/24"]}}


def changed(
    changes: dict[Path, object], declaration: declarations.Declaration | None = None
) -> declarations.Declaration:
    """A declaration, the seed's unless given, with a value put in, or REMOVED, at each path; index -1 appends."""
    outcome: Any = copy.deepcopy(declaration or declarations.seed())
    for path, value in changes.items():
        node = outcome
        for key in path[:-1]:
            node = node[key]
        if value is REMOVED:
            del node[path[-1]]
        elif path[-1] == -1:
            node.append(value)
        else:
            node[path[-1]] = value
    return dict(outcome)


def faults(declaration: object, groups: object = None) -> list[str]:
    """Every fault of a declaration."""
    return list(FILTERS["declaration_faults"](declaration, groups))


@pytest.mark.parametrize("name", declarations.ALL)
def test_a_sound_declaration_has_no_fault(name: str) -> None:
    assert faults(declarations.ALL[name]) == []


SOUND: dict[str, dict[Path, object]] = {
    "optional keys left out or null": {
        (*SERVICE, "lines"): None,
        (*SERVICE, "sources"): REMOVED,
        (*SERVICE, "domain"): REMOVED,
        (*LINE, "gateway"): None,
        (*LINE, "weight"): REMOVED,
    },
    "a family that only the line has is not offered": {ALIASES: ["192.168.168.1/24"]},
    "aliases of full prefix length, whose network nobody knows": {ALIASES: ["192.168.168.1/32", "fd00:168::1/128"]},
    "a point-to-point line": {(*LINE2, "public_addresses"): ["198.51.100.20/31"], (*LINE2, "gateway"): "198.51.100.21"},
    "a line whose public address the ISP translates": {
        (*LINE, "outside_addresses"): ["10.64.0.2/24"],
        (*LINE, "public_addresses"): ["203.0.113.10/32", "2001:db8:a::10/64"],
        (*LINE, "gateway"): ["10.64.0.1", "2001:db8:a::1"],
    },
    "the same private address on two firewalls": {
        (*LINE, "outside_addresses"): ["10.64.0.2/24"],
        (*LINE, "gateway"): "10.64.0.1",
        (*LINE2, "outside_addresses"): ["10.64.0.2/24"],
    },
    "a link-local gateway": {(*LINE, "gateway"): ["203.0.113.1", "fe80::1"]},
    "ports that touch but do not overlap": {PORTS: ["80-89/tcp", "90/tcp", "80/udp"]},
    "one port on two lines": {
        (*SERVICE, "lines"): ["unicom"],
        ("services", -1): {"name": "b", "server": "web1", "ports": ["80/tcp"], "lines": ["interlink"]},
    },
    "one port for sources that have nothing in common": {
        (*SERVICE, "sources"): ["192.0.2.0/24"],
        ("services", -1): {"name": "b", "server": "web1", "ports": ["80/tcp"], "sources": ["203.0.113.0/24"]},
    },
    "one firewall with two lines": ONE_FIREWALL,
    "one firewall with two lines, and one alias for both": {
        **ONE_FIREWALL,
        (*SERVER, "addresses", "interlink"): ["192.168.168.1/24"],
    },
    "one alias for lines of two firewalls": {(*SERVER, "addresses", "interlink"): ["192.168.168.1/24"]},
    "a line that ends on the only server": ENDS_HERE_WHOLLY,
    "a line that ends on a server which repeats its address": {
        **ENDS_HERE_WHOLLY,
        ALIASES: ["203.0.113.10/24"],
        (*SERVICE, "sources"): REMOVED,
    },
    "a line that ends on the server whose service names it": {**ENDS_HERE_WHOLLY, ("servers", -1): {"name": "web2"}},
    "one line, whose addresses two servers share": {
        **ENDS_HERE_WHOLLY,
        (*LINE, "public_addresses"): ["203.0.113.10/24", "203.0.113.11/24"],
        (*LINE, "gateway"): "203.0.113.1",
        ALIASES: ["203.0.113.10/24"],
        ("servers", -1): {"name": "web2", "addresses": {"unicom": ["203.0.113.11/24"]}},
    },
    "a port inside a range to verify": {PORTS: ["5000-6000/udp"], (*SERVICE, "verify_ports"): ["5353/udp"]},
    "numbers as text, and a name of digits for an interface": {
        (*LINE, "id"): "1",
        (*LINE, "weight"): "4",
        (*LINE, "interface"): 123,
    },
    "the longest names": {(*SERVICE, "name"): "a" * 128},
    "a network with its mask": {(*SERVICE, "sources"): ["192.0.2.0/255.255.255.0"]},
    "nothing to verify": {(*SERVICE, "verify_ports"): []},
    "nothing at all": {("lines",): [], ("servers",): [], ("services",): []},
}


@pytest.mark.parametrize("changes", SOUND.values(), ids=SOUND)
def test_what_is_unusual_but_sound_has_no_fault(changes: dict[Path, object]) -> None:
    assert faults(changed(changes)) == []


WRONG: list[tuple[dict[Path, object], str]] = [
    # public addresses that the ISP translates
    (
        {(*LINE, "outside_addresses"): ["10.64.0.2/24"], (*LINE, "onlink"): False},
        "multihome_lines[0] (unicom): gateway: 203.0.113.1 is not in a network of the line's outside addresses",
    ),
    (
        {(*LINE, "outside_addresses"): ["10.64.0.2/24"], (*LINE, "gateway"): "10.64.0.2"},
        "multihome_lines[0] (unicom): gateway: 10.64.0.2 is the line's own address",
    ),
    (
        {(*LINE, "outside_addresses"): ["10.64.0.2/24", "10.64.0.2/24"], (*LINE, "gateway"): REMOVED},
        "multihome_lines[0] (unicom): outside_addresses: 10.64.0.2 is listed twice",
    ),
    (
        {(*LINE, "outside_addresses"): ["10.64.0.2"]},
        'outside_addresses[0]: "10.64.0.2": needs a prefix length, such as 10.64.0.2/24',
    ),
    (
        {(*LINE2, "outside_addresses"): ["fd00:64::2/64"]},
        "multihome_lines[1] (interlink): outside_addresses: fd00:64::2 replaces no public IPv6 address",
    ),
    (
        {**ENDS_HERE_WHOLLY, (*LINE, "outside_addresses"): ["fd00:64::2/64"]},
        'multihome_lines[0] (unicom): "outside_addresses" belong to a firewall, and the line has none',
    ),
    (
        {(*LINE, "outside_addresses"): ["192.168.168.2/24"], (*LINE, "gateway"): REMOVED},
        'address 192.168.168.2 is taken by multihome_lines[0] (unicom), for line "unicom"',
    ),
    (
        {
            **ONE_FIREWALL,
            (*LINE, "outside_addresses"): ["10.64.0.2/24"],
            (*LINE, "gateway"): ["10.64.0.1", "fe80::1"],
            (*LINE2, "outside_addresses"): ["10.64.0.2/24"],
            (*LINE2, "gateway"): "10.64.0.1",
        },
        "multihome_lines[1] (interlink): address 10.64.0.2 is taken by multihome_lines[0] (unicom)",
    ),
    # names and numbers
    ({(*SERVICE, "lines"): ["unicon"]}, 'multihome_services[0] (web): line "unicon" is not in multihome_lines'),
    (
        {(*LINE2, "name"): "unicom", (*SERVICE, "lines"): REMOVED, (*SERVER, "addresses", "interlink"): REMOVED},
        'multihome_lines[1] (unicom): name "unicom" is taken by multihome_lines[0] (unicom)',
    ),
    ({(*LINE2, "id"): 1}, "multihome_lines[1] (interlink): id 1 is taken by multihome_lines[0] (unicom)"),
    ({(*LINE, "id"): 0}, 'multihome_lines[0] (unicom): id: "0": not within 1 to 250'),
    ({(*LINE, "id"): 251}, 'multihome_lines[0] (unicom): id: "251": not within 1 to 250'),
    ({(*LINE, "id"): True}, 'multihome_lines[0] (unicom): id: "true": not a whole number'),
    ({(*LINE, "id"): "one"}, 'multihome_lines[0] (unicom): id: "one": not a whole number'),
    ({(*LINE, "id"): REMOVED}, 'multihome_lines[0] (unicom): "id" is needed'),
    ({(*LINE, "weight"): 257}, 'multihome_lines[0] (unicom): weight: "257": not within 1 to 256'),
    ({(*LINE, "interface"): "wan0/1"}, 'multihome_lines[0] (unicom): interface: "wan0/1": not an interface name'),
    ({(*LINE, "interface"): "a" * 16}, "an interface name has at most 15 bytes"),
    ({(*LINE, "interface"): "é" * 8}, "an interface name has at most 15 bytes"),
    ({(*LINE, "interface"): "eth%0"}, '"eth%0": not an interface name'),
    ({(*LINE, "interface"): "br\x01"}, r'"br\x01": not a printable, non-empty string'),
    (
        {(*LINE, "name"): "a" * 65, ALIASES: REMOVED, (*SERVICE, "lines"): ["interlink"]},
        "a line's name has at most 64 characters",
    ),
    ({(*SERVICE, "name"): 'w"b'}, r'name: "w\"b": holds a character that it cannot: "'.replace("\\", "")),
    ({(*SERVICE, "name"): "é" * 65}, "longer than 128 bytes"),
    (
        {(*SERVICE, "name"): "a" * 117, PORTS: [{"public": "80-81", "private": "90-91", "protocol": "tcp"}]},
        "name: at most 116 bytes, as a range of its ports becomes another range",
    ),
    (
        {**ENDS_HERE_WHOLLY, ALIASES: "auto"},
        "addresses.unicom: auto is for a line whose public_addresses are auto",
    ),
    (
        {PORTS: [{"public": "1-65534", "private": "2-65535", "protocol": "udp"}]},
        "multihome_services: on fw-a, isp_firewall_forwards: with all addresses and sources 196602 ports of",
    ),
    ({ALIASES: "auto"}, "addresses.unicom: auto is for a line without firewall, which ends on the server"),
    (
        {(*SERVICE, "sources"): ["192.0.2.0/24", "192.0.2.0/255.255.255.0"]},
        'sources[1]: "192.0.2.0/255.255.255.0" is li',
    ),
    (
        {(*LINE, "firewall"): ["fw-a"]},
        'multihome_lines[0] (unicom): firewall: ["fw-a"]: not a printable, non-empty string',
    ),
    ({("servers", -1): {"name": "web1"}}, 'multihome_servers[1] (web1): name "web1" is taken by'),
    ({("services", -1): {"name": "web", "server": "web1", "ports": ["1/tcp"]}}, '(web): name "web" is taken by'),
    ({(*SERVICE, "server"): "web2"}, 'multihome_services[0] (web): server "web2" is not in multihome_servers'),
    ({(*SERVER, "addresses", "ghost"): ["192.168.168.9/24"]}, '(web1): line "ghost" is not in multihome_lines'),
    ({(*SERVER, "name"): "fw-a", (*SERVICE, "server"): "fw-a"}, "fw-a is the firewall of the line, and has its"),
    ({(*SERVICE, "domain"): "www..example.com"}, '"www..example.com": not a DNS name'),
    # keys and types
    ({(*SERVER, "adresses"): {}}, 'multihome_servers[0] (web1): unknown key "adresses", did you mean "addresses"?'),
    ({(*LINE, 7): 1}, 'multihome_lines[0] (unicom): unknown key "7"'),
    ({("lines", 0): "unicom"}, 'multihome_lines[0]: must be a dictionary, not "unicom"'),
    ({("lines",): {"unicom": {}}}, "multihome_lines: must be a list, not"),
    ({(*SERVICE, "lines"): 7}, 'multihome_services[0] (web): lines: must be a list, not "7"'),
    ({(*LINE, "public_addresses"): {}}, "public_addresses: must be a list, not"),
    ({(*SERVER, "addresses"): ["192.168.168.1/24"]}, "addresses: must be a dictionary from line to addresses"),
    ({("rules",): []}, 'the declaration has an unknown key "rules"'),
    # addresses
    ({ALIASES: ["192.168.168.300/24"]}, '(web1): addresses.unicom[0]: "192.168.168.300/24": not an IP address'),
    ({ALIASES: ["192.168.168.1/33"]}, '"192.168.168.1/33": prefix length is not within 1 to 32'),
    ({ALIASES: ["192.168.168.1"]}, "needs a prefix length, such as 192.168.168.1/24"),
    ({ALIASES: ["192.168.168.0/24"]}, "the address of the network 192.168.168.0/24, not of a host"),
    ({ALIASES: ["192.168.168.255/24"]}, "the broadcast address of 192.168.168.0/24, not of a host"),
    ({ALIASES: ["192.168.168.1/24", "fd00:168::/64"]}, "the address of the network fd00:168::/64, not of a host"),
    ({ALIASES: ["192.168.168.1/24", "fe80::5/64"]}, ": a link-local address"),
    ({ALIASES: ["127.0.0.1/8"]}, ": a loopback address"),
    ({ALIASES: ["224.0.0.5/24"]}, ": not the address of a host"),
    ({ALIASES: [3232278529]}, '"3232278529": not a printable, non-empty string'),
    ({ALIASES: []}, "addresses.unicom: needs at least 1 entry"),
    ({ALIASES: ["192.168.168.1/24"] * 2}, "addresses.unicom: 192.168.168.1 is listed twice"),
    (
        {("servers", -1): {**WEB2, "addresses": {"unicom": ["192.168.168.1/24"]}}},
        "multihome_servers[1] (web2): address 192.168.168.1 is taken by multihome_servers[0] (web1)",
    ),
    ({ALIASES: ["192.168.168.11/24"]}, "address 192.168.168.11 is taken by multihome_lines[0] (unicom)"),
    (
        {(*LINE2, "public_addresses"): ["203.0.113.10/24"]},
        "multihome_lines[1] (interlink): address 203.0.113.10 is taken by multihome_lines[0] (unicom)",
    ),
    (
        {(*LINE2, "inside_addresses"): ["192.168.168.11"], (*LINE2, "public_addresses"): ["198.51.100.20/24"]},
        "multihome_lines[1] (interlink): address 192.168.168.11 is taken by multihome_lines[0] (unicom)",
    ),
    # next hops
    (
        {(*LINE, "gateway"): "203.0.114.1", (*LINE, "onlink"): False},
        "gateway: 203.0.114.1 is not in a network of the line's public addresses, so onlink cannot be false",
    ),
    ({(*LINE, "gateway"): "203.0.113.10"}, "gateway: 203.0.113.10 is the line's own address"),
    (
        {(*LINE, "public_addresses"): "203.0.113.10/24", (*LINE, "gateway"): ["203.0.113.1", "2001:db8:a::1"]},
        "gateway: 2001:db8:a::1 is useless, the line has no public IPv6 address",
    ),
    ({(*LINE, "gateway"): ["203.0.113.1", "203.0.113.2"]}, "gateway: one per family is enough"),
    ({(*LINE, "gateway"): "203.0.113.1/24"}, "an address with a prefix length; leave the length out"),
    ({(*LINE, "inside_addresses"): REMOVED}, '(unicom): "inside_addresses" is needed'),
    ({(*LINE, "inside_addresses"): ["192.168.168.11"]}, 'has no IPv6 address in "inside_addresses"'),
    ({(*LINE, "inside_addresses"): ["10.0.0.11", "fd00:168::11"]}, "is in the network of the server's address"),
    ({(*LINE, "inside_addresses"): ["192.168.168.11", "192.168.168.13", "fd00:168::11"]}, "next hop is not clear"),
    (
        {(*SERVER, "addresses", "interlink", -1): "fd00:168::2/64"},
        'addresses.interlink: line "interlink" has no public IPv6 address, so fd00:168::2 cannot be its alias',
    ),
    ({(*SERVER, "interface"): REMOVED}, '(web1): "interface" is needed for the addresses of line "interlink"'),
    # one firewall of several lines
    (
        {**ONE_FIREWALL, (*LINE2, "gateway"): None},
        "multihome_lines[1] (interlink): is one of several lines of fw-a, so it needs the ISP's IPv4 gateway",
    ),
    (
        {**ONE_FIREWALL, (*LINE, "gateway"): "203.0.113.1"},
        "multihome_lines[0] (unicom): is one of several lines of fw-a, so it needs the ISP's IPv6 gateway",
    ),
    (
        {**ONE_FIREWALL, (*LINE2, "interface"): "wan0"},
        'multihome_lines[1] (interlink): interface "wan0" of fw-a is taken by multihome_lines[0] (unicom)',
    ),
    (
        {
            **ONE_FIREWALL,
            (*LINE2, "inside_addresses"): ["192.168.168.13"],
            (*SERVER, "addresses", "interlink"): ["192.168.168.1/24"],
        },
        'address 192.168.168.1 belongs to lines "unicom" and "interlink" of fw-a: give both the same inside addresses',
    ),
    # lines that end on a server
    ({**ENDS_HERE_WHOLLY, (*LINE, "gateway"): "203.0.113.1"}, "has no firewall, so it needs the ISP's IPv6 gateway"),
    ({**ENDS_HERE_WHOLLY, (*LINE, "inside_addresses"): ["192.168.168.11"]}, "belong to a firewall"),
    ({**ENDS_HERE_WHOLLY, ALIASES: ["203.0.113.99/24"]}, "203.0.113.99/24 is not a public address of the line"),
    (
        {**ENDS_HERE_WHOLLY, ("servers", -1): {"name": "web2"}, (*SERVICE, "lines"): REMOVED},
        "may end on several servers",
    ),
    (
        {**ENDS_HERE_WHOLLY, PORTS: [{"public": 8080, "private": 80, "protocol": "tcp"}]},
        "8080 cannot become 80 on line",
    ),
    ({**ENDS_HERE_WHOLLY, (*SERVICE, "sources"): ["192.0.2.0/24"]}, 'sources cannot be kept on line "unicom"'),
    # services
    ({("servers", -1): WEB2, (*SERVICE, "server"): "web2"}, 'server "web2" has no address on line "interlink"'),
    (
        {("servers", -1): {"name": "web2"}, (*SERVICE, "server"): "web2", (*SERVICE, "lines"): REMOVED},
        "offered nowhere",
    ),
    ({(*SERVICE, "sources"): ["2001:db8::/32"]}, 'cannot be offered on line "interlink": no family has'),
    ({(*SERVICE, "sources"): ["192.0.2.1/24"]}, "has host bits set; the prefix is 192.0.2.0/24, the host 192.0.2.1"),
    ({(*SERVICE, "sources"): []}, "sources: needs at least 1 entry"),
    ({(*SERVICE, "lines"): []}, "lines: needs at least 1 entry"),
    ({(*SERVICE, "lines", -1): "unicom"}, "lines: unicom is listed twice"),
    ({("services", -1): {"name": "b", "server": "web1", "ports": ["70-90/tcp"]}}, "is claimed by multihome_services"),
    (
        {
            (*SERVICE, "sources"): ["192.0.2.0/25"],
            ("services", -1): {"name": "b", "server": "web1", "ports": ["80/tcp"], "sources": ["192.0.2.0/24"]},
        },
        "80/tcp on 203.0.113.10 is claimed by multihome_services",
    ),
    # ports
    ({PORTS: []}, "ports: needs at least 1 entry"),
    ({PORTS: ["80"]}, '"80" needs a protocol, such as "80/tcp"'),
    ({PORTS: [80]}, 'must be "PORT/PROTOCOL" or a dictionary, not "80"'),
    ({PORTS: ["80/icmp"]}, '"80/icmp": protocol "icmp" is not one of tcp, udp, sctp'),
    ({PORTS: ["0/tcp"]}, '"0": port 0 is not within 1 to 65535'),
    ({PORTS: ["65536/tcp"]}, '"65536": port 65536 is not within 1 to 65535'),
    ({PORTS: ["90-80/tcp"]}, '"90-80": the range runs backwards'),
    ({PORTS: ["http/tcp"]}, '"http": not a port or a range FIRST-LAST'),
    ({PORTS: ["80/tcp", "70-90/tcp"]}, "ports: 80/tcp and 70-90/tcp overlap"),
    ({PORTS: [{"public": "1-3", "private": "1-2", "protocol": "tcp"}]}, "ranges of unequal length (3 and 2)"),
    ({PORTS: [{"public": 1, "private": 2}]}, 'ports[0]: "protocol" is needed'),
    ({PORTS: [{"public": 1, "privat": 2, "protocol": "tcp"}]}, 'unknown key "privat", did you mean "private"?'),
    ({PORTS: [{"public": 10**5000, "protocol": "tcp"}]}, ": not a port or a range FIRST-LAST"),
    ({(*SERVICE, "verify_ports"): ["81/tcp"]}, "verify_ports: 81/tcp is not among the ports of the service"),
    ({(*SERVICE, "verify_ports"): ["1-2/tcp"]}, "verify_ports: 1-2/tcp is not a single tcp or udp port"),
]


WRONG += [
    ({(*where, "interface"): f"eth{character}"}, "not every packet filter can match an interface of this name")
    for where in (LINE, SERVER)
    for character in '"*\\=[]?+'
]


@pytest.mark.parametrize(("changes", "fault"), WRONG, ids=[fault for _changes, fault in WRONG])
def test_a_fault_is_reported(changes: dict[Path, object], fault: str) -> None:
    assert fault in "\n".join(faults(changed(changes)))


def test_the_faults_of_many_entries_come_together_and_by_their_places() -> None:
    found = faults(changed({
        (*SERVICE, "lines"): ["unicon"],
        (*SERVICE, "ports"): ["0/tcp", "80/tpc"],
        (*SERVER, "addresses", "interlink"): ["192.168.168.300/24"],
        (*LINE2, "gatway"): "198.51.100.1",
        (*LINE, "id"): 999,
    }))  # fmt: skip
    assert found == [
        'multihome_lines[0] (unicom): id: "999": not within 1 to 250',
        'multihome_lines[1] (interlink): unknown key "gatway", did you mean "gateway"?',
        'multihome_servers[0] (web1): addresses.interlink[0]: "192.168.168.300/24": not an IP address',
        'multihome_services[0] (web): ports[0]: "0": port 0 is not within 1 to 65535',
        'multihome_services[0] (web): ports[1]: "80/tpc": protocol "tpc" is not one of tcp, udp, sctp',
        'multihome_services[0] (web): line "unicon" is not in multihome_lines',
    ]


def test_a_fault_causes_no_others() -> None:
    broken = changed({(*LINE, "public_addresses"): ["203.0.113.300/24"]})
    assert faults(broken) == ['multihome_lines[0] (unicom): public_addresses[0]: "203.0.113.300/24": not an IP address']


@pytest.mark.parametrize("name", ["isp_firewall_lines", "isp_firewall_forwards", "multihomed_web_lines"])
def test_every_filter_refuses_a_faulty_declaration_with_all_its_faults(name: str) -> None:
    broken = changed({(*LINE, "id"): 0, (*SERVICE, "lines"): ["unicon"]})
    with pytest.raises(AnsibleFilterError) as raised:
        FILTERS[name](broken, "fw-a")
    assert str(raised.value).splitlines() == faults(broken)
    assert len(faults(broken)) == 2


def test_hosts_must_be_in_the_groups_of_their_roles() -> None:
    good = {"isp_firewall": ["fw-a", "fw-b"], "multihomed_web": ["web1"]}
    assert faults(declarations.seed(), good) == []
    assert faults(declarations.seed(), {"isp_firewall": ["fw-a"]}) == [
        'multihome_lines[1] (interlink): firewall "fw-b" is not in inventory group isp_firewall',
        'multihome_servers[0] (web1): "web1" is not in inventory group multihomed_web',
    ]


def test_the_host_of_a_filter_is_a_name() -> None:
    with pytest.raises(AnsibleFilterError, match='the host must be a string, not "null"'):
        FILTERS["isp_firewall_lines"](declarations.seed(), None)
