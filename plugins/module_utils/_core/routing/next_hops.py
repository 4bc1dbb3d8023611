# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The next hops of a route: a gateway, an interface, or several of them, as plain, comparable values."""

from __future__ import annotations

from dataclasses import dataclass

from .. import fields
from ..entries import Form, Options, parse_fields, without_none
from .interface_names import interface_name


@dataclass(frozen=True)
class NextHop:
    """One of several next hops of a route. ``weight`` is 1 to 256."""

    gateway: str | None = None
    interface: str | None = None
    weight: int = 1

    FIELDS = {"gateway": fields.host, "interface": interface_name, "weight": fields.integer(1, 256)}

    @classmethod
    def parse(cls, entry: object) -> NextHop:
        """Return one next hop; raises ValueError with the reason."""
        values, faults = parse_fields(entry, cls.FIELDS, "gateway")
        if not faults and not ("gateway" in values or "interface" in values):
            faults.append("needs a gateway, an interface or both")
        faults.extend(_link_local_faults(values))
        if faults:
            raise ValueError("; ".join(faults))
        return cls(**values)

    def satisfied_by(self, other: NextHop) -> bool:
        """Tell whether ``other`` is this next hop; if it has no interface, the kernel chooses one."""
        same_way = self.gateway == other.gateway and self.weight == other.weight
        return same_way and (self.interface in (None, other.interface))

    def as_input(self) -> Form:
        """Return the next hop as an entry of ``nexthops``."""
        return without_none(gateway=self.gateway, interface=self.interface, weight=self.weight)


def next_hops(value: object) -> tuple[NextHop, ...]:
    """Return the next hops of a list, sorted; raises ValueError with every reason."""
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError("not a list of next hops")
    hops: list[NextHop] = []
    faults: list[str] = []
    for index, entry in enumerate(value):
        try:
            hops.append(NextHop.parse(entry))
        except ValueError as error:
            faults.append(f"[{index}] {error}")
    if len({(hop.gateway, hop.interface) for hop in hops}) < len(hops):
        faults.append("the same next hop twice; give it a weight instead")
    if faults:
        raise ValueError("; ".join(faults))
    # The kernel keeps next hops in the given order, but it has no meaning: sort them, so that it causes no change.
    return tuple(sorted(hops, key=lambda hop: (hop.gateway or "", hop.interface or "", hop.weight)))


def way_faults(values: Options, hops: tuple[NextHop, ...], ipv6: bool, complete: bool) -> list[str]:
    """Return the faults of a route's next hops; ``complete`` tells that every field of it could be read."""
    has_hop = "gateway" in values or "interface" in values
    kind = values.get("type", "unicast")
    if kind != "unicast":
        return [f"a route of type {kind} has no next hop"] if hops or has_hop or values.get("onlink") else []
    faults: list[str] = []
    if hops and has_hop:
        faults.append("has nexthops beside a gateway or interface; use one of them")
    elif not hops and not has_hop and complete:
        faults.append("needs a gateway, an interface or nexthops")
    if values.get("onlink") and not ("gateway" in values and "interface" in values):
        faults.append("onlink needs both a gateway and an interface")
    if len(hops) > 1 and ipv6 and not all(hop.gateway for hop in hops):
        faults.append("each of several IPv6 next hops needs a gateway")
    return faults + _link_local_faults(values)


def _link_local_faults(values: Options) -> list[str]:
    if fields.is_link_local(values.get("gateway", "")) and "interface" not in values:
        return [f'gateway "{values["gateway"]}": is on every link; name the interface too']
    return []
