# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's three lists, and the inventory groups, for a lab's topology."""

from __future__ import annotations

from typing import Any

from .topology import Line, Server, Topology

GROUPS = {
    "isp_firewall": ("firewall",),
    "multihomed_web": ("server",),
    "multihome_vantage": ("client",),
    "lan_clients": ("lan_client",),
    "lab_infrastructure": ("internet", "isp", "switch"),
}


def groups(topology: Topology) -> dict[str, list[str]]:
    """Return each inventory group's hosts."""
    return {
        group: [host.name for host in topology.hosts.values() if host.role in roles] for group, roles in GROUPS.items()
    }


def declaration(topology: Topology) -> dict[str, list[dict[str, Any]]]:
    """Return `multihome_lines`, `multihome_servers` and `multihome_services` as a user would write them."""
    return {
        "multihome_lines": [_line(line, topology) for line in topology.lines],
        "multihome_servers": [_server(server, topology) for server in topology.servers],
        "multihome_services": [service for server in topology.servers for service in _services(server, topology)],
    }


def _line(line: Line, topology: Topology) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": line.name, "id": line.id}
    if topology.options.shape != "C":
        entry["firewall"] = line.end
    entry.update(interface=line.interface, public_addresses=list(line.public), gateway=list(line.gateways))
    if line.inside:
        entry["inside_addresses"] = list(line.inside)
    return {**entry, "weight": line.weight}


def _server(server: Server, topology: Topology) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": server.name}
    if topology.options.shape != "C":
        entry["interface"] = "eth0"
    # One server that ends every line itself: its addresses are the lines' own, so nothing is left to say.
    if topology.options.shape != "C" or len(topology.servers) > 1:
        entry["addresses"] = {name: list(addresses) for name, addresses in server.addresses.items()}
    return entry


def _services(server: Server, topology: Topology) -> list[dict[str, Any]]:
    """Return the server's services. Servers behind the same public addresses need different public ports."""
    if server.number > 1:
        port: object = {"public": 8080 + server.number, "private": 80, "protocol": "tcp"}
        ports = ["80/tcp"] if topology.options.shape == "C" else [port]
        return [{"name": f"web-{server.number}", "server": server.name, "ports": ports}]
    services: list[dict[str, Any]] = [
        {"name": "web", "server": server.name, "ports": ["80/tcp"]},
        {"name": "echo", "server": server.name, "ports": ["5000-5010/tcp"]},
        {"name": "query", "server": server.name, "ports": ["53/udp"], "verify_ports": ["53/udp"]},
    ]
    if topology.options.shape == "D":
        services[1]["lines"] = list(server.addresses)[:1]
    return services
