# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Checks of one service: its lines, addresses and ports."""

from __future__ import annotations

from collections.abc import Iterable

from ...module_utils._core.fields import shown
from .._input.addresses import FAMILIES, is_everyone, of_family, outside_of
from .._input.ports import LONGEST_SHIFTED_NAME
from .._input.reading import Auto, report_twice
from .model import Declaration, Line, Server, Service, offers_on


def check_service(service: Service, declaration: Declaration) -> None:
    """The fields of one service, and what they name."""
    place, broken = service.entry.place, service.entry.broken
    for name in service.lines or ():
        if name not in declaration.line_named:
            place.fault(f"line {shown(name)} is not in multihome_lines")
    report_twice(place, "lines", service.lines or ())
    report_twice(place, "public_addresses", service.public_addresses or ())
    _check_own_ports(service)
    server = declaration.server_named.get(service.server)
    if server is None and "server" not in broken:
        place.fault(f"server {shown(service.server)} is not in multihome_servers")
    if server is None or broken & {"lines", "sources"} or "addresses" in server.entry.broken:
        return
    names = server.addresses if service.lines is None else service.lines
    _check_public_addresses(service, [declaration.line_named[n] for n in names if n in declaration.line_named])
    # A list, not a generator: each line is checked, also after one that carries the service.
    carried = [
        _check_on_line(service, declaration.line_named[name], server, declaration)
        for name in names
        if name in declaration.line_named
    ]
    unknown = any(_open_end(line, declaration) for line in declaration.lines)
    if service.lines is None and not unknown and not any(carried):
        place.fault(f"is offered nowhere: server {shown(server.name)} has no line that could carry it")


def _check_public_addresses(service: Service, lines: Iterable[Line]) -> None:
    """Each public address that a service chooses is one of its lines'."""
    if service.public_addresses is None or "public_addresses" in service.entry.broken:
        return
    of_lines = list(lines)
    if any("public_addresses" in line.entry.broken or isinstance(line.public_addresses, Auto) for line in of_lines):
        return
    known = {address.ip for line in of_lines for address in line.public_addresses}
    for address in service.public_addresses:
        if address not in known:
            service.entry.place.fault(f"public_addresses: {address} is not a public address of its lines")
    for line in of_lines:
        for family in FAMILIES if line.firewall else ():
            chosen = [address for address in of_family(service.public_addresses, family) if address in known]
            if chosen and not outside_of(line.public_addresses, line.outside_addresses, family):
                service.entry.place.fault(
                    f"public_addresses: line {shown(line.name)} needs as many outside_addresses as public ones, in the"
                    f" same order, so that {chosen[0]} has one of its own"
                )


def _check_on_line(service: Service, line: Line, server: Server, declaration: Declaration) -> bool:
    """Whether a line carries a service, as far as faults elsewhere allow an answer."""
    place = service.entry.place
    if line.name not in server.addresses:
        if not _open_end(line, declaration):
            place.fault(f"server {shown(server.name)} has no address on line {shown(line.name)}")
        return False
    if line.entry.broken & {"firewall", "public_addresses"}:
        return True
    alone = not line.firewall or line.ends_on_firewall(server)
    if isinstance(line.public_addresses, Auto) and alone:
        _check_without_firewall(service, line)
        return True
    offered = offers_on(service, line, server)
    if not offered and service.lines is not None:
        place.fault(
            f"cannot be offered on line {shown(line.name)}: no family has a public address there,"
            f" an address of server {shown(server.name)} for it, and a source"
        )
    if offered and alone:
        _check_without_firewall(service, line)
    for offer in offered if line.firewall else ():
        for mapping in offer.ports:
            if mapping.is_extension_header(offer.family):
                place.fault(
                    f"ports: {mapping} cannot be matched in IPv6, where it is an extension header:"
                    f" limit the service to IPv4 by public_addresses (line {shown(line.name)})"
                )
    return bool(offered)


def _open_end(line: Line, declaration: Declaration) -> bool:
    """Whether it is reported elsewhere that a line ends on no known server."""
    return "firewall" in line.entry.broken or (not line.firewall and not declaration.servers_of(line))


def _check_own_ports(service: Service) -> None:
    """The ports of one service among themselves, and the ports to verify against them."""
    place = service.entry.place
    for index, mapping in enumerate(service.ports):
        for other in service.ports[:index]:
            if mapping.overlaps(other):
                both = f"{other} and {mapping} overlap" if mapping.has_ports else f"{mapping} is listed twice"
                place.fault(f"ports: {both}")
    if any(mapping.shifts for mapping in service.ports) and len(service.name.encode()) > LONGEST_SHIFTED_NAME:
        place.fault(f"name: at most {LONGEST_SHIFTED_NAME} bytes, as a range of its ports becomes another range")
    for port in service.verify_ports or ():
        if port.protocol not in ("tcp", "udp") or len(port.public) > 1:
            place.fault(f"verify_ports: {port} is not a single tcp or udp port")
        elif "ports" not in service.entry.broken and not any(port.is_part_of(mapping) for mapping in service.ports):
            place.fault(f"verify_ports: {port} is not among the ports of the service")


def _check_without_firewall(service: Service, line: Line) -> None:
    """Where a line ends on the server, nothing translates ports and nothing filters sources."""
    reason = f"which {service.server} terminates itself" if line.firewall else "which has no firewall"
    for mapping in service.ports:
        if mapping.public != mapping.private:
            service.entry.place.fault(
                f"port {mapping.public} cannot become {mapping.private} on line {shown(line.name)},"
                f" {reason}{'' if line.firewall else ' to translate it'}"
            )
    if not all(is_everyone(source) for source in service.sources or ()):
        service.entry.place.fault(f"sources cannot be kept on line {shown(line.name)}, {reason}")
