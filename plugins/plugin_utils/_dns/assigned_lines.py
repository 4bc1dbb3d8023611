# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Lines whose addresses only one host knows, in the record sets of domains.

The host that a line ends on refers to its interface. It publishes the addresses under a name of the line, which other
publishers of a domain follow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ...module_utils._core.dns.names import domain_name
from ...module_utils._core.references import reference
from .._declaration.model import Declaration, Line, Service
from .._declaration.name_server_checks import host_of
from .._declaration.zones import Zone, line_name, zone_of
from .._input.addresses import FAMILIES

Options = dict[str, Any]
# The name of a family in options, by its number.
_FAMILY = {4: "ipv4", 6: "ipv6"}


def assigned(declaration: Declaration) -> list[tuple[Line, Service]]:
    """The services with a domain, on the lines whose addresses only one host knows."""
    return [(line, service) for line, service in declaration.offers_unknown() if service.domain]


def publishers(declaration: Declaration) -> Mapping[str, set[str]]:
    """The servers that carry a domain on such a line, by domain."""
    found: dict[str, set[str]] = {}
    for _line, service in assigned(declaration):
        found.setdefault(domain_name(service.domain), set()).add(service.server)
    return found


def entries(declaration: Declaration, zone: Zone, host: str) -> Mapping[str, list[Options]]:
    """The entries of ``addresses`` on one host for such lines, by domain."""
    found: dict[str, list[Options]] = {}
    for line, service in assigned(declaration):
        if zone_of(service.domain, declaration.zones) is not zone:
            continue
        listed = found.setdefault(domain_name(service.domain), [])
        for family in _families(declaration, line, service):
            if host_of(declaration, line) == host:
                entry = {"address": reference(line.interface, family), "line": line.name}
            elif zone.on_lines:
                # Its name server is fed by this host alone.
                continue
            else:
                entry = {"address": line_name(line.id, zone), "line": line.name, "family": _FAMILY[family]}
            if entry not in listed:
                listed.append(entry)
    return {domain: listed for domain, listed in found.items() if listed}


def names(
    declaration: Declaration, zone: Zone, host: str, carried: Mapping[str, Collection[str]]
) -> Mapping[str, list[Options]]:
    """The names of this host's lines that other publishers follow, with their entries of ``addresses``."""
    followed = {
        line.name: line
        for line, service in assigned(declaration)
        if host_of(declaration, line) == host
        and zone_of(service.domain, declaration.zones) is zone
        and set(carried[domain_name(service.domain)]) - {host}
    }
    return {
        line_name(line.id, zone): [{"address": reference(line.interface, family)} for family in FAMILIES]
        for line in sorted(followed.values(), key=lambda line: line.id)
    }


def not_followed(declaration: Declaration, zone: Zone, hosts: Iterable[str]) -> list[tuple[str, Line, str]]:
    """The domains of a zone with a line that the name server of a host does not know, with the line and that host."""
    return [
        (domain_name(service.domain), line, host)
        for line, service in assigned(declaration)
        for host in hosts
        if zone_of(service.domain, declaration.zones) is zone and host_of(declaration, line) != host
    ]


def _families(declaration: Declaration, line: Line, service: Service) -> list[int]:
    """The families in which clients may reach a service by a line."""
    if line.firewall:
        return sorted(
            {
                offer.family
                for offer in declaration.offers()
                if offer.line is line and offer.service is service and not offer.public
            }
        )
    return [
        family
        for family in FAMILIES
        if service.sources_of(family) and (not service.ports or any(each.exists_in(family) for each in service.ports))
    ]
