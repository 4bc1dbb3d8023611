# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a packet by the rules that iptables-save prints, read as the kernel reads them.

Knows nothing of lists of entries, and nothing of the collection.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.multihome.linux.tests.unit.nat.packets import WITH_PORTS, Packet

# The words of each rule by chain.
Rules = Mapping[str, list[list[str]]]


def rules_of(saved: str) -> Rules:
    """Return the rules that iptables-save printed."""
    chains: dict[str, list[list[str]]] = {}
    for line in saved.splitlines():
        if line.startswith("["):
            _counted, _add, chain, *words = shlex.split(line)
            chains.setdefault(chain, []).append(words)
    return chains


def in_iptables(chains: Rules, packet: Packet) -> tuple[Any, ...] | None:
    """Return what becomes of a packet, as (type, address, ports), by the nat table of its family."""
    return _run(chains, "PREROUTING" if packet.hook == "destination" else "POSTROUTING", packet)


def _run(chains: Rules, chain: str, packet: Packet) -> tuple[Any, ...] | None:
    for rule in chains.get(chain, []):
        flags = [word for word in rule if word in ("--random", "--persistent")]
        words = [word for word in rule if word not in flags]
        options = dict(zip(words[::2], words[1::2], strict=False))
        if not _matches(options, packet):
            continue
        target = options["-j"]
        if target in chains:
            found = _run(chains, target, packet)
        else:
            found = (*_translated(target, options, packet), *(flag[2:] for flag in flags))
        if found is not None:
            return found
    return None


def _matches(options: dict[str, str], packet: Packet) -> bool:
    interface = options.get("-i", options.get("-o", packet.interface))
    return (
        options.get("-p", packet.protocol) == packet.protocol
        and interface == packet.interface
        and all(
            option not in options or ipaddress.ip_address(address) in ipaddress.ip_network(options[option])
            for option, address in (("-s", packet.source), ("-d", packet.destination))
        )
        and all(
            option not in options or _among(port, options[option])
            for option, port in (("--sport", packet.source_port), ("--dport", packet.destination_port))
        )
    )


def _among(port: int, written: str) -> bool:
    first, _colon, last = written.partition(":")
    return int(first) <= port <= int(last or first)


def _translated(target: str, options: dict[str, str], packet: Packet) -> tuple[Any, ...]:
    if target == "MASQUERADE":
        return "masquerade", None, options.get("--to-ports")
    if target == "REDIRECT":
        port = options.get("--to-ports", packet.destination_port if packet.protocol in WITH_PORTS else None)
        return "redirect", None, int(port) if port is not None else None
    if target == "NETMAP":
        kind, address = ("dnat", packet.destination) if packet.hook == "destination" else ("snat", packet.source)
        network = ipaddress.ip_network(options["--to"])
        host = int(ipaddress.ip_address(address)) & int(network.hostmask)
        return kind, str(network.network_address + host), None
    written = options["--to-destination" if target == "DNAT" else "--to-source"]
    bracketed = re.fullmatch(r"\[(.*)\](?::(.*))?", written)
    address, ports = (bracketed[1], bracketed[2]) if bracketed else (written, None)
    if not bracketed and written.count(":") == 1:
        address, _colon, ports = written.partition(":")
    if target == "SNAT":
        return "snat", address, ports
    if ports is None:
        return "dnat", address, packet.destination_port if packet.protocol in WITH_PORTS else None
    ports, _slash, base = ports.partition("/")
    first = int(ports.partition("-")[0])
    return "dnat", address, first + packet.destination_port - int(base) if base else first
