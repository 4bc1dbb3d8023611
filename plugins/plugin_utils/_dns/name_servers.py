# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Zones whose name servers are on the lines: the server of each host, and the records of the parent zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils._core.dns.model import TYPES
from ...module_utils._core.dns.name_server import TTL
from ...module_utils._core.dns.names import absolute, is_in
from .._declaration.model import Declaration, Line
from .._declaration.name_server_checks import host_of
from .._declaration.zones import Zone, zone_of
from . import assigned_lines, records

Options = dict[str, Any]


def _lines_of(declaration: Declaration, zone: Zone) -> list[tuple[str, Line]]:
    """The name of each name server with its line, by the lines' ids."""
    named = [(name, declaration.line_named[line]) for line, name in zone.nameservers.items()]
    return sorted(named, key=lambda pair: pair[1].id)


def serving(declaration: Declaration, host: str) -> list[Zone]:
    """The zones that a host has a name server for."""
    return [
        zone
        for zone in declaration.zones
        if zone.on_lines and any(host_of(declaration, line) == host for _name, line in _lines_of(declaration, zone))
    ]


def _servers(declaration: Declaration, zone: Zone) -> Mapping[str, list[str]]:
    """The public addresses by the names of the name servers."""
    found: dict[str, list[str]] = {}
    for name, line in _lines_of(declaration, zone):
        found.setdefault(name, []).extend(str(address.ip) for address in line.public_addresses)
    return found


def name_server(declaration: Declaration, host: str) -> Options:
    """The options of module name_server on one host; no zones where it has none."""
    zones = serving(declaration, host)
    listen: dict[str, None] = {}
    for zone in zones:
        for _name, line in _lines_of(declaration, zone):
            if host_of(declaration, line) == host:
                listen.update({str(address.ip): None for address in line.held_addresses})
    secrets = {zone.key.name: zone.key.secret for zone in zones if zone.key and zone.key.secret}
    return {
        "listen": list(listen),
        "zones": [_zone(declaration, zone) for zone in zones],
        "key_secrets": secrets,
    }


def _zone(declaration: Declaration, zone: Zone) -> Options:
    known = records.addresses(declaration.offers())
    return {
        "zone": zone.zone,
        "key_name": zone.key.name if zone.key else "",
        "key_algorithm": zone.key.algorithm if zone.key else None,
        "nameservers": [
            {"name": name, "addresses": addresses} for name, addresses in _servers(declaration, zone).items()
        ],
        "secondaries": [{"name": each.name, "addresses": list(each.addresses)} for each in zone.secondaries],
        "records": [
            records.record(domain, known[domain], zone.ttl) for domain in records.domains_in(declaration, zone, known)
        ],
    }


def delegation(declaration: Declaration) -> list[str]:
    """The records to enter in the parent zones: the delegations, with the addresses of their name servers."""
    rows = []
    for zone in declaration.zones:
        if not zone.on_lines:
            continue
        apex = absolute(zone.zone)
        lines = {name: line.name for name, line in _lines_of(declaration, zone)}
        servers = _servers(declaration, zone)
        rows += [(apex, str(TTL), "IN", "NS", absolute(name), f"; line {lines[name]}") for name in servers]
        rows += [(apex, str(TTL), "IN", "NS", absolute(each.name), "; elsewhere") for each in zone.secondaries]
        glue = {**servers, **{each.name: each.addresses for each in zone.secondaries if is_in(each.name, zone.zone)}}
        rows += [
            (absolute(name), str(TTL), "IN", TYPES[6 if ":" in address else 4], address, "; glue")
            for name, addresses in glue.items()
            for address in addresses
        ]
        hosts = {host_of(declaration, line) for _name, line in _lines_of(declaration, zone)}
        for domain, line, host in assigned_lines.not_followed(declaration, zone, sorted(hosts)):
            reason = f"only {host_of(declaration, line)} knows its address, not the name server of {host}"
            rows.append((f"; {absolute(domain)}", "", "", "", "", f"line {line.name}: {reason}"))
    return records.aligned(rows)


def zones_on_lines_only(declaration: Declaration, host: str) -> list[str]:
    """The zones of a host without any name server elsewhere."""
    return [zone.zone for zone in serving(declaration, host) if not zone.secondaries]


def other_lines(declaration: Declaration, host: str) -> list[Options]:
    """The lines of other hosts whose addresses the name server of a host publishes, as entries of line_health.

    They are asked from the host's own line. A host of several lines cannot tell whose fault a silence is.
    """
    own = [line for line in declaration.lines if host_of(declaration, line) == host]
    if len(own) != 1:
        return []
    found: dict[str, Options] = {}
    for zone in serving(declaration, host):
        for line, targets in _targets(declaration, zone).items():
            families = {6 if ":" in _address(target) else 4 for target in targets}
            sources = [str(each.ip) for each in own[0].held_addresses if each.version in families]
            other = declaration.line_named[line]
            if line != own[0].name and sources:
                entry = {"name": line, "id": other.id, "addresses": sources, "flows": "keep"}
                # Its own judgement of what is down after how long holds here too; its targets do not.
                health = {**(other.health or {}), "targets": targets, "quorum": 1}
                found.setdefault(line, {**entry, **({"drained": True} if other.drained else {}), "health": health})
    return [found[name] for name in sorted(found, key=lambda name: declaration.line_named[name].id)]


def _targets(declaration: Declaration, zone: Zone) -> Mapping[str, list[Options]]:
    """What answers on each line of a zone: its name server, else a service that everyone may use."""
    found: dict[str, list[Options]] = {}
    for line in zone.nameservers:
        addresses = [str(address.ip) for address in declaration.line_named[line].public_addresses]
        found[line] = [{"dns": address, "query": zone.zone} for address in addresses]
    for offer in declaration.offers():
        if (
            offer.line.name in zone.nameservers
            or not offer.public
            or not _is_in(offer.service.domain, declaration, zone)
        ):
            continue
        port = next((each.public.first for each in offer.ports if each.protocol == "tcp"), None)
        if port is not None and all(source.prefixlen == 0 for source in offer.sources):
            address = str(offer.public[0])
            written = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            target = {"tcp": written}
            if target not in found.setdefault(offer.line.name, []):
                found[offer.line.name].append(target)
    return found


def _is_in(domain: str, declaration: Declaration, zone: Zone) -> bool:
    return bool(domain) and zone_of(domain, declaration.zones) is zone


def _address(target: Options) -> str:
    return str(target.get("dns") or str(target.get("tcp")).rpartition(":")[0])
