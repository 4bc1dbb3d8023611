# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Contradictions between the variables of a role in the inventory and what the lists give, on one host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._declaration.model import Declaration, sources_of_family
from .._firewall import checks as firewall_checks
from .._firewall import variables as firewall
from .._firewall.lines import FirewallLine, read_forwards, read_hairpins, read_lines, read_snat
from .._input.addresses import is_everyone, of_family, overlap, prefix_text
from .._input.faults import Place
from .._input.ports import PortMapping, mapping_of
from .._input.reading import Entry
from .._server import lines as server_lines
from .._server import variables as server
from .additions import FIREWALL, SERVER, additions, with_inventory
from .both_roles import both_role_faults

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork

Variables = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class _Claim:
    """An entry that leads ports of a public address to a server."""

    entry: Entry
    address: IPAddress
    mapping: PortMapping
    sources: tuple[IPNetwork, ...]

    @property
    def target(self) -> str:
        """Where it leads."""
        target = self.entry.values["to_address"]
        return f"{target} port {self.mapping.private}" if self.mapping.has_ports else str(target)

    @property
    def is_for_everyone(self) -> bool:
        """Whether it has no limit of sources."""
        return any(is_everyone(source) for source in self.sources)

    def contradicts(self, other: _Claim) -> bool:
        """Whether both are for the same packets, and lead these to different places."""
        if self.address != other.address:
            return False
        if not self.mapping.overlaps(other.mapping) or self.is_for_everyone != other.is_for_everyone:
            return False
        if not any(overlap(one, two) for one in self.sources for two in other.sources):
            return False
        return (self.target, self.mapping, self.sources) != (other.target, other.mapping, other.sources)

    def against(self, other: _Claim) -> str:
        """The fault, where ``other`` follows from the lists."""
        name = other.entry.values.get("name", "")
        return (
            f"{self.entry.place.text} leads {self.mapping} on {self.address} to {self.target}, and service {name} of"
            f" multihome_services leads {other.mapping} to {other.target}"
        )


def inventory_faults(declaration: Declaration, inventory: Mapping[str, object]) -> list[str]:
    """The faults of the roles' variables in the inventory beside what the lists give, by host."""
    firewalls = dict.fromkeys(line.firewall for line in declaration.lines if line.firewall)
    found = []
    for host in firewalls:
        found += both_role_faults(declaration, host, inventory.get(host))
        added = additions(inventory.get(host), "isp_firewall", FIREWALL)
        if any(added.values()):
            found += [f"{host}: {fault}" for fault in _firewall_faults(declaration, host, added)]
    for name in declaration.server_named:
        added = additions(inventory.get(name), "multihomed_web", SERVER)
        if any(added.values()):
            faults: list[str] = []
            server_lines.read_lines(_shown(with_inventory(server.lines(declaration, name), added["lines"])), faults)
            found += [f"{name}: {fault}" for fault in faults]
    return found


def _shown(lines: Iterable[Any]) -> list[Any]:
    """The lines whose addresses are known here; those with auto are known only to the server."""
    return [
        line
        for line in lines
        if not (isinstance(line, Mapping) and "auto" in (*(line.get("addresses") or ()), *(line.get("gateways") or ())))
    ]


def _firewall_faults(declaration: Declaration, host: str, added: Variables) -> list[str]:
    declared: dict[str, Sequence[Any]] = {
        "lines": firewall.lines(declaration, host),
        "forwards": firewall.forwards(declaration, host),
        "hairpins": firewall.hairpins(declaration, host),
        "snat": firewall.snat(declaration, host),
        "inside_networks": firewall.inside_networks(declaration, host),
        "networks": firewall.networks(declaration, host),
    }
    merged = {name: with_inventory(declared[name], added.get(name)) for name in FIREWALL}
    faults = firewall_checks.entry_faults(**merged)
    if faults:
        return faults
    named = {line.name: line for line in read_lines(merged["lines"], [])}
    old, new = (list(_claims(part, named)) for part in (declared, added))
    for claim in new:
        faults += [claim.against(other) for other in old if claim.contradicts(other)]
    faults += _leaving(declared["snat"], added.get("snat", ()))
    # Among those that are added, too.
    return faults or firewall_checks.together_faults(**merged)


def _claims(variables: Variables, named: Mapping[str, FirewallLine]) -> Iterator[_Claim]:
    for entry in read_forwards(variables.get("forwards"), []):
        line, target = named.get(entry.values["line"]), entry.values["to_address"]
        public = [address.ip for address in line.public_addresses] if line else []
        for address in of_family(entry.values.get("public_addresses", public), target.version):
            yield from _claim(entry, address)
    for entry in read_hairpins(variables.get("hairpins"), []):
        yield from _claim(entry, entry.values["public_address"])


def _claim(entry: Entry, address: IPAddress) -> Iterator[_Claim]:
    mapping = mapping_of(entry, "port", "to_port")
    if mapping is not None:
        yield _Claim(entry, address, mapping, tuple(sources_of_family(entry.values.get("sources"), address.version)))


def _leaving(declared: Sequence[Any], added: Sequence[Any]) -> list[str]:
    """Sources that leave a line with two public addresses."""
    faults: list[str] = []
    known = {_way(entry): entry for entry in read_snat(declared, [])}
    for entry in read_snat(added, []):
        other = known.get(_way(entry))
        mine = entry.values.get("to_address")
        if other is not None and other.values.get("to_address") != mine:
            its = other.values.get("to_address", "its first address")
            place = Place(entry.place.text, faults)
            place.fault(
                f"{prefix_text(entry.values['source'])} leaves line {entry.values['line']} by"
                f" {mine or 'its first address'}, and by {its} in multihome_servers"
            )
    return faults


def _way(entry: Entry) -> tuple[str, IPNetwork]:
    return entry.values["line"], entry.values["source"]
