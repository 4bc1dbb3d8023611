# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab's declaration offers: each line, service, family and port, with the address that should answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..lab.declaration import declaration
from ..lab.topology import Topology
from ..lab.webserver import HTTP_PORT

FAMILIES = ("IPv4", "IPv6")  # in this order in all of the topology's tuples
CLIENT = "client1"


@dataclass(frozen=True)
class Offer:
    """One public address and port, and where a request to it should arrive."""

    line: str
    service: str
    family: str
    server: str
    public: str
    alias: str
    protocol: str
    port: int
    private_port: int

    @property
    def url(self) -> str:
        """The request that tests/lab/client.py understands."""
        return url(self.public, self.protocol, self.port, self.private_port)

    def __str__(self) -> str:
        return f"line {self.line}, {self.service} {self.family}, {self.url}"


def url(address: str, protocol: str = "tcp", port: int = HTTP_PORT, private_port: int = HTTP_PORT) -> str:
    """Return the request for a port of an address; the lab's servers speak HTTP on port 80, else they echo."""
    host = f"[{address}]" if ":" in address else address
    if private_port == HTTP_PORT:
        return f"http://{host}:{port}/"
    return f"{protocol}://{host}:{port}"


def plain(address: str) -> str:
    """Return an address without its prefix length."""
    return address.partition("/")[0]


def offers(topology: Topology, lines: Sequence[str] | None = None) -> list[Offer]:
    """Return all offers on ``lines`` (default all), of a range of ports its first and its last."""
    servers = {server.name: server for server in topology.servers}
    found = []
    for service in declaration(topology)["multihome_services"]:
        server = servers[service["server"]]
        for line in topology.lines:
            if line.name not in service.get("lines", server.addresses) or (lines and line.name not in lines):
                continue
            for place, family in enumerate(FAMILIES):
                public, alias = plain(line.public[place]), plain(server.addresses[line.name][place])
                for protocol, port, private in _ports(service["ports"]):
                    found.append(
                        Offer(line.name, service["name"], family, server.name, public, alias, protocol, port, private)
                    )
    return found


def _ports(entries: Sequence[object]) -> list[tuple[str, int, int]]:
    """Return (protocol, public port, private port) of each port to ask."""
    ports = []
    for entry in entries:
        if isinstance(entry, dict):
            ports.append((entry["protocol"], entry["public"], entry["private"]))
            continue
        numbers, _slash, protocol = str(entry).partition("/")
        first, _dash, last = numbers.partition("-")
        ports += [(protocol, port, port) for port in sorted({int(first), int(last or first)})]
    return ports
