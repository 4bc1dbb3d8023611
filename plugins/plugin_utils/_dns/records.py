# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""From the declaration to record sets: each domain has the public addresses of all lines of its services.

Every address has the same share, because a record set holds an address once: DNS cannot express a line's weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils._core.dns.model import DEFAULT_TTL, TYPES
from ...module_utils._core.dns.name_server import LOOPBACK, LOOPBACK_PORT
from ...module_utils._core.dns.names import absolute, domain_name
from ...module_utils._core.references import reference
from .._declaration.model import Declaration, Offer, Server
from .._declaration.name_server_checks import host_of
from .._declaration.zones import Zone, zone_of
from .._input.addresses import of_family
from .._input.reading import Auto
from . import assigned_lines

Options = dict[str, Any]


def addresses(offers: Iterable[Offer]) -> Mapping[str, dict[str, str]]:
    """The lines by the public addresses, of each domain; in the order of the lines' ids."""
    found: dict[str, dict[str, str]] = {}
    for offer in offers:
        if offer.service.domain and offer.public:
            known = found.setdefault(domain_name(offer.service.domain), {})
            known.update({str(address): offer.line.name for address in offer.public})
    return {domain: found[domain] for domain in sorted(found)}


def publishers(declaration: Declaration) -> Mapping[str, set[str]]:
    """The servers that carry each domain: their keepers publish it."""
    found: dict[str, set[str]] = {}
    for domain, servers in assigned_lines.publishers(declaration).items():
        found.setdefault(domain, set()).update(servers)
    for offer in declaration.offers():
        if offer.service.domain and offer.public:
            found.setdefault(domain_name(offer.service.domain), set()).add(offer.server.name)
    return found


def zone_options(declaration: Declaration, host: str) -> list[Options]:
    """The options of dns_records on one host, an entry for each zone that it publishes a domain of.

    A zone is published by the servers that carry the domain, or by the hosts with a name server of it. A host on which
    a line ends whose addresses only it knows publishes these for the others.
    """
    return [*_served_here(declaration, host), *_updated(declaration, host)]


def _served_here(declaration: Declaration, host: str) -> list[Options]:
    """The zones whose name server is on the host itself; each is fed by its own host alone."""
    known = addresses(declaration.offers())
    found = []
    for zone in declaration.zones:
        here = any(host_of(declaration, declaration.line_named[line]) == host for line in zone.nameservers)
        entries = assigned_lines.entries(declaration, zone, host) if zone.on_lines and here else {}
        domains = domains_in(declaration, zone, {**known, **entries})
        if zone.on_lines and here and domains:
            records = [record(domain, known.get(domain, {}), zone.ttl, entries.get(domain, ())) for domain in domains]
            settings = {**_settings(zone), "servers": [LOOPBACK], "port": LOOPBACK_PORT}
            found.append({**settings, "publisher": "", "records": records, "sources": []})
    return found


def _updated(declaration: Declaration, host: str) -> list[Options]:
    """The zones on other servers, of the domains that this server carries."""
    carried = publishers(declaration)
    known = addresses(declaration.offers())
    found = []
    for zone in declaration.zones:
        if zone.on_lines:
            continue
        domains = [
            domain
            for domain, servers in carried.items()
            if host in servers and zone_of(domain, declaration.zones) is zone
        ]
        entries = assigned_lines.entries(declaration, zone, host) if domains else {}
        records = [
            record(domain, known.get(domain, {}), zone.ttl, entries.get(domain, ())) for domain in sorted(domains)
        ]
        names = assigned_lines.names(declaration, zone, host, carried)
        records += [record(name, {}, zone.ttl, listed) for name, listed in names.items()]
        if records:
            shared = any(len(carried[domain]) > 1 for domain in domains)
            found.append({**_settings(zone), "publisher": host if shared else "", "records": records})
    server = declaration.server_named.get(host)
    for options in found:
        options["sources"] = _sources(declaration, server) if server else []
    return found


def line_names(declaration: Declaration, host: str) -> list[str]:
    """The names that a host publishes for others: of its lines whose addresses only it knows."""
    carried = publishers(declaration)
    zones = [zone for zone in declaration.zones if not zone.on_lines]
    return [name for zone in zones for name in assigned_lines.names(declaration, zone, host, carried)]


def domains_in(declaration: Declaration, zone: Zone, known: Iterable[str]) -> list[str]:
    """The domains that are in a zone, by name."""
    return sorted(domain for domain in known if zone_of(domain, declaration.zones) is zone)


def record(domain: str, lines: Mapping[str, str], ttl: int, more: Iterable[Options] = ()) -> Options:
    """An entry of ``records``: the lines by their addresses, and entries for ``more`` lines."""
    listed = [{"address": address, "line": line} for address, line in lines.items()]
    return {"domain": domain, "addresses": [*listed, *more], "ttl": ttl}


def _settings(zone: Zone) -> Options:
    settings: Options = {
        "zone": zone.zone,
        "servers": list(zone.primary),
        "port": zone.port,
        "empty_family": zone.empty_family,
    }
    if zone.key:
        settings |= {"key_name": zone.key.name, "key_algorithm": zone.key.algorithm}
        if zone.key.secret:
            settings["key_secret"] = zone.key.secret
    return settings


def _sources(declaration: Declaration, server: Server) -> list[Options]:
    """The server's first address of each family on each line, where the address tells the line."""
    ambiguous = declaration.ambiguous(server)
    found = []
    for line in declaration.lines_of(server):
        if isinstance(server.addresses[line.name], Auto):
            found += [{"address": reference(line.interface, family), "line": line.name} for family in TYPES]
            continue
        for family in TYPES:
            own = [each.ip for each in of_family(server.addresses[line.name], family) if each.ip not in ambiguous]
            found += [{"address": str(address), "line": line.name} for address in own[:1]]
    return found


def zone_file(declaration: Declaration) -> list[str]:
    """The records of all domains as a part of a zone file, one line each; empty without any domain."""
    rows = []
    for domain, lines in addresses(declaration.offers()).items():
        zone = zone_of(domain, declaration.zones)
        ttl = zone.ttl if zone else DEFAULT_TTL
        for address, line in lines.items():
            kind = TYPES[6 if ":" in address else 4]
            rows.append((absolute(domain), str(ttl), "IN", kind, address, f"; line {line}"))
    for line_unknown, service in declaration.offers_unknown():
        if service.domain:
            name = absolute(domain_name(service.domain))
            rows.append((f"; {name}", "", "", "", "", f"line {line_unknown.name}: {_assigned_text(declaration, name)}"))
    return aligned(rows)


def _assigned_text(declaration: Declaration, name: str) -> str:
    if zone_of(name, declaration.zones):
        return "its ISP assigns the address, which the keeper publishes"
    return "its ISP assigns the address; with multihome_zones the keeper publishes it"


def unpublished(declaration: Declaration) -> list[str]:
    """The records to enter by hand: those of domains in no zone."""
    return [] if declaration.zones else zone_file(declaration)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as text, in columns."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
