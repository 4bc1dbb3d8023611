# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Conflicts between two entries of the declaration that claim one address, or one public port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...module_utils._core.fields import shown
from .._input.addresses import family_name, is_everyone, is_link_local, overlap
from .._input.faults import Place
from .._input.ports import PortMapping
from .model import Declaration, Line, Service

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork


@dataclass(frozen=True)
class _Holder:
    """The holder of an address: a host, for one purpose, on one line; ``place`` is where that is declared.

    Without ``always`` another program gives it the address, such as a floating one, which several hosts share.
    """

    host: str
    purpose: str
    place: Place
    line: Line
    always: bool = True


def check_holders(declaration: Declaration) -> None:
    """One address, one host; on a server it may belong to several lines that end on firewalls."""
    seen: dict[IPAddress, _Holder] = {}
    for line in declaration.lines:
        if line.firewall:
            for address in line.public_addresses:
                _hold(seen, address.ip, _Holder(line.firewall, "public", line.entry.place, line))
            for address in line.outside_addresses:
                _hold(seen, address.ip, _Holder(line.firewall, "outside", line.entry.place, line))
            # A link-local address is one of many hosts, each on a link of its own.
            for address in (one for one in line.inside_addresses if not is_link_local(one.ip)):
                _hold(seen, address.ip, _Holder(line.firewall, "inside", line.entry.place, line))
    for server in declaration.servers:
        for line in declaration.served_lines(server):
            for address in server.addresses[line.name]:
                floating = any(address.ip == other.ip for other in server.not_held.get(line.name, ()))
                _hold(seen, address.ip, _Holder(server.name, "alias", server.entry.place, line, not floating))


def _hold(seen: dict[IPAddress, _Holder], address: IPAddress, holder: _Holder) -> None:
    other = seen.setdefault(address, holder)
    if other.host != holder.host and other.purpose == holder.purpose == "outside":
        return  # two devices of two ISPs may use the same private addresses
    if not other.always and not holder.always and other.line is holder.line:
        return
    same_host = other.host == holder.host and other.purpose == holder.purpose
    if same_host and (holder.purpose == "inside" or other.line is holder.line):
        return  # twice in one list is reported there
    if same_host and holder.purpose == "alias" and other.line.firewall and holder.line.firewall:
        # Replies are assigned by their firewall, or by marks; but both lines of one firewall are one neighbour.
        one, two = other.line, holder.line
        if one.firewall == two.firewall and set(one.inside_addresses) != set(two.inside_addresses):
            holder.place.fault(
                f"address {address} belongs to lines {shown(one.name)} and {shown(two.name)} of {one.firewall}:"
                " give both the same inside addresses"
            )
        return
    holder.place.fault(f"address {address} is taken by {other.place.text}, for line {shown(other.line.name)}")


@dataclass(frozen=True)
class _Claim:
    """A public port of one service."""

    service: Service
    mapping: PortMapping
    sources: tuple[IPNetwork, ...]

    @property
    def is_for_everyone(self) -> bool:
        """Whether it has no limit of sources."""
        return any(is_everyone(source) for source in self.sources)


def check_claims(declaration: Declaration) -> None:
    """No two services may claim the same public address, protocol and port for the same sources.

    One service that is for everyone has the sources that the others leave.
    """
    claims: dict[tuple[IPAddress | str, str], list[_Claim]] = {}
    for offer in declaration.offers():
        for mapping in offer.ports:
            # Of a line whose addresses only its firewall knows, all services have the same ones.
            for address in offer.public or (f"the {family_name(offer.family)} addresses of line {offer.line.name}",):
                claim = _Claim(offer.service, mapping, offer.sources)
                claims.setdefault((address, mapping.protocol), []).append(claim)
    for (address, _protocol), claimed in claims.items():
        claimed.sort(key=lambda claim: claim.mapping.public)
        open_claims: list[_Claim] = []
        for claim in claimed:
            first = claim.mapping.public.first
            open_claims = [other for other in open_claims if other.mapping.public.last >= first]
            for other in open_claims:
                _check_pair(address, other, claim)
            open_claims.append(claim)


def _check_pair(address: IPAddress | str, one: _Claim, other: _Claim) -> None:
    if one.service is other.service:
        return  # reported with the ports of that service
    if one.is_for_everyone != other.is_for_everyone:
        return
    if any(overlap(source, against) for source in one.sources for against in other.sources):
        other.service.entry.place.fault(
            f"{other.mapping} on {address} is claimed by {one.service.entry.place.text} too ({one.mapping})"
        )
