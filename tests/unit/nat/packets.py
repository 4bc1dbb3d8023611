# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a packet: by the list of entries read plainly, and by nft's JSON as the kernel reads it.

The one knows nothing of maps, the other nothing of lists; both know nothing of the collection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.multihome.linux.tests.unit.nat.fake_nft_language import share

WITH_PORTS = ("tcp", "udp")
FAMILY_OF = {"icmp": "ipv4", "icmpv6": "ipv6"}


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection, at one hook: "destination" or "source"."""

    hook: str
    family: int
    protocol: str
    source: str
    destination: str
    source_port: int
    destination_port: int
    interface: str


def first_match(entries: Sequence[Mapping[str, Any]], packet: Packet) -> tuple[Any, ...] | None:
    """Return what the first entry that matches does, as (type, address, ports), or None."""
    for entry in entries:
        if _matches(entry, packet):
            return _translation(entry, packet)
    return None


def _matches(entry: Mapping[str, Any], packet: Packet) -> bool:
    found = [entry[name] for name in ("source", "destination", "to_address") if name in entry]
    written = entry.get("family") or FAMILY_OF.get(str(entry.get("protocol")), "")
    family = (6 if ":" in found[0] else 4) if found else int(written[3:])
    interface = entry.get("in_interface", entry.get("out_interface", packet.interface))
    return (
        family == packet.family
        and packet.hook in hooks(entry)
        and entry.get("protocol", "any") in ("any", packet.protocol)
        and interface == packet.interface
        and _within(packet.source, entry.get("source"))
        and _within(packet.destination, entry.get("destination"))
        and _among(packet.source_port, entry.get("source_port"))
        and _among(packet.destination_port, entry.get("destination_port"))
    )


def hooks(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return whether an entry concerns destinations, sources or both."""
    if entry["type"] != "exempt":
        return ("destination",) if entry["type"] in ("dnat", "redirect") else ("source",)
    if "in_interface" in entry or "out_interface" in entry:
        return ("destination",) if "in_interface" in entry else ("source",)
    return (entry["keeps"],) if "keeps" in entry else ("destination", "source")


def _within(address: str, written: str | None) -> bool:
    if written is None:
        return True
    if written.startswith("!"):
        return not _within(address, written[1:])
    return any(_in_one(address, part) for part in written.split(","))


def _in_one(address: str, part: str) -> bool:
    first, dash, last = part.partition("-")
    if not dash:
        return ipaddress.ip_address(address) in ipaddress.ip_network(part)
    return int(ipaddress.ip_address(first)) <= int(ipaddress.ip_address(address)) <= int(ipaddress.ip_address(last))


def _among(port: int, ports: str | None) -> bool:
    if ports is None:
        return True
    limits = [part.partition("-") for part in ports.split(",")]
    return any(int(first) <= port <= int(last or first) for first, _dash, last in limits)


def _translation(entry: Mapping[str, Any], packet: Packet) -> tuple[Any, ...]:
    kind, target, to_port = entry["type"], entry.get("to_address"), entry.get("to_port")
    if kind == "exempt":
        # Translated to itself: no other program translates it then.
        at_destination = packet.hook == "destination"
        return ("dnat", packet.destination, None) if at_destination else ("snat", packet.source, None)
    if target and "/" in target:
        return kind, _moved(packet.destination if kind == "dnat" else packet.source, target), None
    flags = tuple(flag for flag in ("random", "persistent") if entry.get(flag))
    if kind in ("snat", "masquerade"):
        return kind, target, to_port, *flags
    return *_to_destination(entry, packet), *flags


def _to_destination(entry: Mapping[str, Any], packet: Packet) -> tuple[Any, ...]:
    kind, target, to_port = entry["type"], entry.get("to_address"), entry.get("to_port")
    if to_port is None:
        return kind, target, packet.destination_port if packet.protocol in WITH_PORTS else None
    if "-" not in to_port:
        return kind, target, int(to_port)
    begin = int(to_port.partition("-")[0])
    return kind, target, begin + packet.destination_port - int(entry["destination_port"].partition("-")[0])


def _moved(address: str, prefix: str) -> str:
    network = ipaddress.ip_network(prefix)
    host = int(ipaddress.ip_address(address)) & int(network.hostmask)
    return str(network.network_address + host)


def in_kernel(objects: Sequence[Mapping[str, Any]], packet: Packet) -> tuple[Any, ...] | None:
    """Return the same for the objects of ``nft -j list table``, beginning at the chain hooked for the packet."""
    hook = "prerouting" if packet.hook == "destination" else "postrouting"
    chains = [o["chain"]["name"] for o in objects if o.get("chain", {}).get("hook") == hook]
    return _run(objects, chains[0], packet) if chains else None


def _run(objects: Sequence[Mapping[str, Any]], chain: str, packet: Packet) -> tuple[Any, ...] | None:
    for listed in objects:
        if listed.get("rule", {}).get("chain") == chain:
            done = _rule(objects, listed["rule"]["expr"], packet)
            if done is not None:
                return done
    return None


def _rule(
    objects: Sequence[Mapping[str, Any]], expressions: Sequence[Mapping[str, Any]], packet: Packet
) -> tuple[Any, ...] | None:
    for expression in expressions:
        [(kind, content)] = expression.items()
        if kind == "match":
            value = _value(content["left"], packet)
            right = content["right"]
            wanted = right["set"] if isinstance(right, dict) and "set" in right else [right]
            if value is None or not any(share(value, one) for one in wanted):
                return None
        elif kind == "jump":
            return _run(objects, content["target"], packet)
        elif kind in ("dnat", "snat", "masquerade", "redirect"):
            return _statement(objects, kind, content or {}, packet)
    return None


def _statement(
    objects: Sequence[Mapping[str, Any]], kind: str, content: Mapping[str, Any], packet: Packet
) -> tuple[Any, ...] | None:
    if "family" in content and content["family"] != ("ip6" if packet.family == 6 else "ip"):
        return None
    address, ports = content.get("addr"), content.get("port")
    flags = content.get("flags", [])
    flags = [flags] if isinstance(flags, str) else flags
    if isinstance(ports, dict) and "map" in ports:
        ports = _looked_up(objects, ports["map"], packet)
        if ports is None:
            return None
    if isinstance(address, dict) and "map" in address:
        found = _looked_up(objects, address["map"], packet)
        if found is None:
            return None
        address, ports = found["concat"] if isinstance(found, dict) else (found, None)
    elif isinstance(address, dict):
        prefix = f"{address['prefix']['addr']}/{address['prefix']['len']}"
        return kind, _moved(packet.destination if kind == "dnat" else packet.source, prefix), None
    if isinstance(ports, dict):
        ports = "-".join(map(str, ports["range"]))
    to_destination = kind in ("dnat", "redirect")
    if to_destination and ports is None and packet.protocol in WITH_PORTS:
        ports = packet.destination_port
    return kind, address, str(ports) if not to_destination and ports is not None else ports, *flags


def _looked_up(objects: Sequence[Mapping[str, Any]], lookup: Mapping[str, Any], packet: Packet) -> Any:
    expressions = lookup["key"].get("concat", [lookup["key"]])
    values = [_value(expression, packet) for expression in expressions]
    held = next(o["map"] for o in objects if o.get("map", {}).get("name") == lookup["data"].lstrip("@"))
    for element, result in held.get("elem", []):
        key = element["elem"]["val"]
        parts = key["concat"] if isinstance(key, dict) and "concat" in key else [key]
        if None not in values and all(map(share, values, parts)):
            return result
    return None


def _value(left: Mapping[str, Any], packet: Packet) -> Any:
    """Return what an expression reads from a packet, or None where it has no such thing."""
    if "meta" in left:
        key = left["meta"]["key"]
        interface = {"iifname": "destination", "oifname": "source"}
        if key in interface:
            return packet.interface if interface[key] == packet.hook else None
        return f"ipv{packet.family}" if key == "nfproto" else packet.protocol
    protocol, name = left["payload"]["protocol"], left["payload"]["field"]
    if protocol in ("ip", "ip6"):
        same = (protocol == "ip6") == (packet.family == 6)
        return (packet.source if name == "saddr" else packet.destination) if same else None
    if packet.protocol not in WITH_PORTS or protocol not in ("th", packet.protocol):
        return None
    return packet.source_port if name == "sport" else packet.destination_port
