# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the fields of one translation contradict each other. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import fields
from . import protocols

DESTINATION, SOURCE = "destination", "source"
# The types that change where a connection goes.
TO_DESTINATION = ("dnat", "redirect")
Ports = tuple[int, int]


def span(ports: Ports) -> int:
    """Return how many ports a range holds."""
    return ports[1] - ports[0] + 1


def faults_of_fields(entry: Mapping[str, object], values: Mapping[str, Any]) -> list[str]:
    """Return the fields that the type of an entry cannot have, and those that it needs."""
    kind = values.get("type")
    if kind == "exempt":
        return _faults_of_exemption(entry, values)
    faults = []
    if kind in ("snat", "masquerade") and "in_interface" in values:
        faults.append(f"{kind} happens as a packet leaves: match out_interface instead of in_interface")
    if kind in TO_DESTINATION and "out_interface" in values:
        faults.append(f"{kind} happens as a packet comes in: match in_interface instead of out_interface")
    if "keeps" in values:
        faults.append("keeps is for exempt only")
    if kind == "masquerade" and "to_address" in values:
        faults.append("masquerade takes the interface's own address: leave to_address out, or use snat")
    if kind == "redirect" and "to_address" in values:
        faults.append("redirect goes to this host itself: leave to_address out, or use dnat")
    if kind in ("dnat", "snat") and entry.get("to_address") is None:
        faults.append(f"to_address is missing: {kind} needs the address to translate to")
    if fields.is_everything(values.get("to_address", "")):
        return ["to_address is every address: use type exempt to translate nothing"]
    return faults + (_faults_of_prefix(values) if "/" in values.get("to_address", "") else [])


def _faults_of_prefix(values: Mapping[str, Any]) -> list[str]:
    faults = []
    field = "destination" if values.get("type") == "dnat" else "source"
    length = values["to_address"].partition("/")[2]
    if values.get(field, "").partition("/")[2] != length:
        faults.append(f"to_address is a prefix: {field} must then be a prefix of the same length, /{length}")
    if "to_port" in values:
        faults.append("to_address is a prefix: ports are kept, leave to_port out")
    if values.get("random") or values.get("persistent"):
        faults.append("to_address is a prefix: each address has its counterpart, leave random and persistent out")
    return faults


def _faults_of_exemption(entry: Mapping[str, object], values: Mapping[str, Any]) -> list[str]:
    if any(entry.get(name) is not None for name in ("to_address", "to_port")):
        return ["exempt translates nothing: leave to_address and to_port out"]
    if values.get("random") or values.get("persistent"):
        return ["exempt translates nothing: leave random and persistent out"]
    if "in_interface" in values and "out_interface" in values:
        return [
            "exempt keeps the destination with in_interface, and the source with out_interface: give one entry each"
        ]
    wrong = {DESTINATION: "out_interface", SOURCE: "in_interface"}.get(values.get("keeps", ""), "")
    if wrong in values:
        return [f"exempt keeps the {values['keeps']}, which {wrong} cannot match"]
    return []


def faults_of_family(entry: Mapping[str, object], values: dict[str, Any]) -> list[str]:
    """Return the faults of the families; without one, put the entry's family in ``values``."""
    addresses = ("source", "destination", "to_address")
    found: dict[str, int] = {name: fields.family_of(values[name]) for name in addresses if name in values}
    if "family" in values:
        found["family"] = int(values["family"][3:])
    if values.get("protocol") in protocols.FAMILY_OF:
        found["protocol"] = protocols.FAMILY_OF[values["protocol"]]
    families = set(found.values())
    if len(families) > 1:
        return ["mixes IPv4 and IPv6: " + ", ".join(f"{name} is IPv{family}" for name, family in found.items())]
    if not families:
        # A malformed value has its own fault already; so has a missing to_address.
        given = any(entry.get(name) is not None for name in ("family", *addresses))
        needs_none = values.get("type") in ("masquerade", "exempt", "redirect")
        return ["nothing tells the family; give family: ipv4 or ipv6"] if needs_none and not given else []
    values["family"] = families.pop()
    if values["family"] == 6 and values.get("protocol") in protocols.IPV6_EXTENSIONS:
        return [f"protocol {values['protocol']} is an extension header of IPv6, which cannot be matched"]
    return []


def faults_of_ports(entry: Mapping[str, object], values: Mapping[str, Any]) -> list[str]:
    """Return the faults of the ports."""
    given = [name for name in ("source_port", "destination_port", "to_port") if name in values]
    is_malformed = entry.get("protocol") is not None and "protocol" not in values
    if given and not is_malformed and values.get("protocol", "any") not in protocols.WITH_PORTS:
        return [f"{' and '.join(given)} without a protocol that has ports: give protocol tcp, udp or sctp"]
    if "to_port" not in values:
        return []
    if values.get("type") in TO_DESTINATION:
        return _faults_of_mapped_ports(entry, values, values["to_port"])
    if "source_port" in values and (span(values["source_port"]), span(values["to_port"])) != (1, 1):
        return ["source_port together with to_port: only one port to one port has a meaning here"]
    return []


def _faults_of_mapped_ports(entry: Mapping[str, object], values: Mapping[str, Any], to_port: Ports) -> list[str]:
    if entry.get("destination_port") is None:
        return ["to_port without destination_port: say which ports are translated"]
    ports = values.get("destination_port")
    if ports and span(to_port) not in (1, span(ports)):
        longer = f"destination_port has {span(ports)} ports and to_port {span(to_port)}"
        return [f"{longer}: make them equally long, or give one port"]
    if values["type"] == "redirect" and to_port not in (ports, (to_port[0], to_port[0])):
        return ["redirect leads to one port: give one port as to_port, or none to keep the port"]
    given = " and ".join(name for name in ("random", "persistent") if values.get(name))
    if given and span(to_port) != 1:
        return [f"{given} with a range of ports as to_port: each port has its own counterpart, leave {given} out"]
    return []
