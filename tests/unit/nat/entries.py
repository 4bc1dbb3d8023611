# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random lists of translations and random packets, from a world so small that they meet often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import parse_rules
from ansible_collections.multihome.linux.tests.unit.nat.packets import Packet
from hypothesis import strategies as st

ADDRESSES = {4: ["10.0.0.1", "10.0.0.2", "10.0.1.1"], 6: ["fd00::1", "fd00::2", "fd00:0:0:1::1"]}
PREFIXES = {4: ["10.0.0.0/24", "10.0.0.0/16", "10.0.0.0/31"], 6: ["fd00::/64", "fd00::/48", "fd00::/127"]}
# Few negations, and of short prefixes: each is as many plain entries as its prefix has bits.
SEVERAL = {
    4: ["!10.0.0.0/8", "10.0.0.1-10.0.0.9", "10.0.0.2,10.0.1.0/24"],
    6: ["!fd00::/9", "fd00::1,fd00:0:0:1::/64", "fd00::-fd00::ffff"],
}
WITHOUT_PORTS = {4: ["gre", "icmp", "99"], 6: ["gre", "icmpv6", "99"]}
TARGETS = {4: ["192.168.0.1", "192.168.0.2"], 6: ["fd01::1", "fd01::2"]}
INTERFACES = ["wan0", "wan1"]
PORTS = [1, 2, 3, 4, 5]


@st.composite
def entry(draw: st.DrawFn) -> dict[str, Any]:
    """One entry, nearly always a legal one."""
    family = draw(st.sampled_from([4, 4, 4, 6]))
    kind = draw(st.sampled_from(["dnat", "dnat", "dnat", "redirect", "snat", "masquerade", "exempt"]))
    found: dict[str, Any] = {"type": kind}
    protocol = draw(st.sampled_from(["tcp", "tcp", "udp", None, *WITHOUT_PORTS[family]]))
    if protocol:
        found["protocol"] = protocol
    if protocol in WITHOUT_PORTS[family]:
        protocol = None
    for field in ("source", "destination"):
        value = draw(st.sampled_from([None, None, *ADDRESSES[family], *PREFIXES[family], *SEVERAL[family]]))
        if value and not (value.startswith("!") and "!" in str(found)):
            found[field] = value
    _interface_and_ports(draw, found, protocol)
    if draw(st.booleans()):
        found["name"] = draw(st.sampled_from(["web", "two words", "umläute \\ and 'more'", "22-23 misleading"]))
    if kind in ("masquerade", "exempt", "redirect"):
        found.update({} if {"source", "destination"} & set(found) else {"family": f"ipv{family}"})
    else:
        found["to_address"] = draw(st.sampled_from(TARGETS[family]))
        _prefix_to_prefix(draw, found, family)
    _result(draw, found, protocol)
    return found


def _interface_and_ports(draw: st.DrawFn, found: dict[str, Any], protocol: str | None) -> None:
    kind = found["type"]
    if draw(st.integers(0, 3)) == 0:
        incoming = kind in ("dnat", "redirect") or (kind == "exempt" and draw(st.booleans()))
        found["in_interface" if incoming else "out_interface"] = draw(st.sampled_from(INTERFACES))
    for field in ("source_port", "destination_port"):
        ports = draw(st.sampled_from([None, "1", "2", "3", "2-4", "1-2", "1,3", "4,1-2"]))
        if ports and protocol and (field == "destination_port" or draw(st.booleans())):
            found[field] = ports


def _result(draw: st.DrawFn, found: dict[str, Any], protocol: str | None) -> None:
    kind = found["type"]
    if kind == "exempt" and "interface" not in str(found) and draw(st.booleans()):
        found["keeps"] = draw(st.sampled_from(["destination", "source"]))
    if protocol and kind != "exempt" and "/" not in found.get("to_address", ""):
        _to_port(draw, found)
    if kind != "exempt" and "/" not in found.get("to_address", "") and "-" not in found.get("to_port", ""):
        # iptables has persistent for two types only.
        for flag in ("random", *(["persistent"] if kind in ("dnat", "snat") else [])):
            if draw(st.integers(0, 4)) == 0:
                found[flag] = True


def _prefix_to_prefix(draw: st.DrawFn, found: dict[str, Any], family: int) -> None:
    matched = found.get("destination" if found["type"] == "dnat" else "source", "")
    length = matched.partition("/")[2]
    if length.isdigit() and "!" not in matched and draw(st.booleans()):
        found["to_address"] = f"192.168.0.0/{length}" if family == 4 else f"fd01::/{length}"


def _to_port(draw: st.DrawFn, found: dict[str, Any]) -> None:
    if found["type"] in ("dnat", "redirect"):
        ports = found.get("destination_port", "")
        by_ports: dict[str, list[str | None]] = {
            "": [None],
            "2-4": [None, "12-14", "3-5", "80"],
            "1-2": [None, "2-3", "2"],
        }
        if found["type"] == "redirect":
            by_ports.update({"2-4": [None, "80"], "1-2": [None, "2"]})
        choices = by_ports.get(ports, [None, "1", "80"])
    else:
        choices = [None, "1024-2000", "53"] if "source_port" not in found else [None]
    to_port = draw(st.sampled_from(choices))
    if to_port:
        found["to_port"] = to_port


@st.composite
def entries(draw: st.DrawFn, most: int = 12) -> list[dict[str, Any]]:
    """A legal list."""
    result: list[dict[str, Any]] = []
    for candidate in draw(st.lists(entry(), max_size=most)):
        try:
            parse_rules([*result, candidate])
        except InvalidInput:
            continue
        result.append(candidate)
    return result


def plain(listed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the list with an entry for each combination of values, as the module reports it."""
    return [entry.object.as_input() for entry in parse_rules(listed)]


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    """A packet that the entries may be about."""
    family = draw(st.sampled_from([4, 4, 4, 6]))
    address = st.sampled_from([*ADDRESSES[family], "172.16.0.9" if family == 4 else "fd99::1"])
    return Packet(
        hook=draw(st.sampled_from(["destination", "destination", "source"])),
        family=family,
        protocol=draw(st.sampled_from(["tcp", "tcp", "udp", "icmp", "gre"])),
        source=draw(address),
        destination=draw(address),
        source_port=draw(st.sampled_from(PORTS)),
        destination_port=draw(st.sampled_from(PORTS)),
        interface=draw(st.sampled_from(INTERFACES)),
    )
