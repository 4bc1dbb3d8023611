# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, routes and policy rules as plain, normalised, comparable values.

Two values that mean the same to the kernel are equal here: ``10.0.0.1`` and ``10.0.0.1/32`` as a rule's source,
``0x1`` and ``1`` as a mark, no selector and ``0.0.0.0/0``. ``key`` is an object's identity, ``as_input()`` its form
in a module's list, ``satisfied_by(other)`` whether an existing object is the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .. import fields
from ..entries import Form, parse_fields, without_none
from ..errors import InvalidInput
from .interface_names import interface_name
from .next_hops import NextHop, next_hops, way_faults
from .rule_fields import GROUP, NO_GOTO, SUPPRESSING, rule_action, type_of_service, user_ids

LOCAL_TABLE, MAIN_TABLE = 255, 254
TABLE_NAMES: dict[str, int] = {"local": LOCAL_TABLE, "main": MAIN_TABLE, "default": 253}
ROUTE_TYPES = ("unicast", "blackhole", "unreachable", "prohibit", "throw")
# Linux net/ipv6/route.c: IP6_RT_PRIO_USER is the metric of an IPv6 route that was given none.
DEFAULT_METRIC = {4: 0, 6: 1024}
_PREFERENCE = fields.integer(0, 0xFFFFFFFF)


def _never_preferred(value: object) -> int:
    if str(value) != "0" or isinstance(value, bool):
        raise ValueError("only 0 is meant to last; leave it out for an address that may be chosen as source")
    return 0


@dataclass(frozen=True)
class Alias:
    """An IP address on an interface. ``address`` is ``ADDRESS/LENGTH``; ``label`` exists for IPv4 only.

    ``preferred_lifetime`` exists for IPv6 only. 0 means deprecated (RFC 4862, section 5.5.4): never chosen as the
    source of what does not ask for it, as long as there is another one.
    """

    interface: str
    address: str
    label: str | None = None
    preferred_lifetime: int | None = None

    FIELDS = {
        "address": fields.host_address,
        "interface": interface_name,
        "label": fields.text,
        "preferred_lifetime": _never_preferred,
    }

    @classmethod
    def parse(cls, entry: object) -> Alias:
        """Return the alias of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "address", required=("address", "interface"))
        if "preferred_lifetime" in values and fields.family_of(values.get("address", ":")) == 4:
            faults.append(
                "preferred_lifetime: IPv4 chooses the first address of a subnet whatever its lifetime; add this one "
                "after another, or name the source in the routes"
            )
        label = values.get("label")
        if label is not None:
            if ":" in values.get("address", ""):
                faults.append(f"label {fields.shown(label)}: IPv6 addresses have no label")
            elif len(label.encode()) > 15:
                faults.append(f"label {fields.shown(label)}: a label has at most 15 bytes")
            elif "interface" in values and label.partition(":")[0] != values["interface"]:
                faults.append(
                    f'label {fields.shown(label)}: begin it with the interface, as in "{values["interface"]}:1"'
                )
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    @property
    def family(self) -> int:
        """4 or 6."""
        return fields.family_of(self.address)

    @property
    def bare(self) -> str:
        """The address without its prefix length."""
        return self.address.partition("/")[0]

    @property
    def key(self) -> tuple[object, ...]:
        """Interface, address and prefix length; no length for IPv6: an interface holds such an address only once."""
        return (self.interface, self.address if self.family == 4 else self.bare)

    def satisfied_by(self, other: Alias) -> bool:
        """Tell whether ``other``, of the same key, is what this entry asks for; no label asked for is any label."""
        same = (self.address, self.preferred_lifetime) == (other.address, other.preferred_lifetime)
        return same and self.label in (None, other.label)

    def as_input(self) -> Form:
        """Return the alias as an entry of ``aliases``; the kernel's default label, the interface, is left out."""
        label = None if self.label == self.interface else self.label
        return without_none(
            address=self.address, interface=self.interface, label=label, preferred_lifetime=self.preferred_lifetime
        )

    def __str__(self) -> str:
        return f"address {self.address} on {self.interface}"


@dataclass(frozen=True)
class Route:
    """A route. ``destination`` is a prefix (``0.0.0.0/0`` and ``::/0`` are the defaults); ``table`` a number."""

    table: int
    destination: str
    metric: int
    type: str = "unicast"
    gateway: str | None = None
    interface: str | None = None
    source: str | None = None
    mtu: int | None = None
    onlink: bool = False
    nexthops: tuple[NextHop, ...] = ()

    FIELDS = {
        "destination": fields.destination,
        "family": fields.choice("ipv4", "ipv6"),
        "gateway": fields.host,
        "interface": interface_name,
        "type": fields.choice(*ROUTE_TYPES),
        "metric": _PREFERENCE,
        "source": fields.host,
        # Linux net/ipv4/metrics.c cuts a larger one down to 65520.
        "mtu": fields.integer(68, 65520),
        "onlink": fields.boolean,
        "nexthops": next_hops,
    }

    @classmethod
    def parse(cls, entry: object, table: int) -> Route:
        """Return the route of one entry of ``routes`` in ``table``; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "destination", required=("destination",))
        written_family = values.pop("family", None)
        hops = values.get("nexthops", ())
        families = {
            fields.family_of(text)
            for text in (values.get("gateway"), values.get("source"), *(hop.gateway for hop in hops))
            if text
        }
        if values.get("destination") not in (None, "default"):
            families.add(fields.family_of(values["destination"]))
        if written_family:
            families.add(int(written_family[3:]))
        if len(families) > 1:
            faults.append("mixes IPv4 and IPv6")
        elif not families and not faults:
            faults.append('the family is missing; write destination "0.0.0.0/0" or "::/0", or give family')
        faults.extend(way_faults(values, hops, 6 in families, complete=not faults))
        if faults:
            raise InvalidInput(faults)
        if len(hops) == 1:
            # The kernel makes no difference between one next hop and a list of one; its weight has no meaning.
            values.update(gateway=hops[0].gateway, interface=hops[0].interface, nexthops=())
        family = families.pop()
        if values["destination"] == "default":
            values["destination"] = "0.0.0.0/0" if family == 4 else "::/0"
        # Linux treats metric 0 of IPv6 as "none given", and stores its default.
        metric = values.pop("metric", 0) or DEFAULT_METRIC[family]
        return cls(table=table, metric=metric, **values)

    @property
    def family(self) -> int:
        """4 or 6."""
        return fields.family_of(self.destination)

    @property
    def key(self) -> tuple[object, ...]:
        """Table, destination and metric."""
        return (self.table, self.destination, self.metric)

    def satisfied_by(self, other: Route) -> bool:
        """Tell whether ``other``, of the same key, goes the same way; an interface left out is the kernel's choice."""
        mine = (self.type, self.gateway, self.source, self.mtu, self.onlink, len(self.nexthops))
        theirs = (other.type, other.gateway, other.source, other.mtu, other.onlink, len(other.nexthops))
        return (
            mine == theirs
            and self.interface in (None, other.interface)
            and all(hop.satisfied_by(there) for hop, there in zip(self.nexthops, other.nexthops))
        )

    def as_input(self) -> Form:
        """Return the route as an entry of ``routes``, with its ``table`` beside it."""
        tells_family = self.gateway or self.source or any(hop.gateway for hop in self.nexthops)
        default = fields.is_everything(self.destination) and tells_family
        return without_none(
            table=self.table,
            destination="default" if default else self.destination,
            type=None if self.type == "unicast" else self.type,
            gateway=self.gateway,
            interface=self.interface,
            metric=None if self.metric == DEFAULT_METRIC[self.family] else self.metric,
            source=self.source,
            mtu=self.mtu,
            onlink=self.onlink or None,
            nexthops=[hop.as_input() for hop in self.nexthops] or None,
        )

    def __str__(self) -> str:
        metric = "" if self.metric == DEFAULT_METRIC[self.family] else f" metric {self.metric}"
        return f"route {self.destination}{metric} in table {self.table}"

    @property
    def described(self) -> str:
        """The route with the way it goes, for messages about what the kernel refuses."""
        hops = self.nexthops or (NextHop(self.gateway, self.interface),)
        ways = [
            " ".join(f"{word} {value}" for word, value in (("via", hop.gateway), ("dev", hop.interface)) if value)
            for hop in hops
        ]
        destination = "default" if fields.is_everything(self.destination) else self.destination
        kind = "" if self.type == "unicast" else f"{self.type} "
        parts = [
            f"route {kind}{destination}",
            " and ".join(way for way in ways if way),
            "onlink" if self.onlink else "",
        ]
        parts += [f"from {self.source}" if self.source else "", f"in table {self.table}"]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Rule:
    """A policy rule. ``None`` selects everything; ``mark`` is (mark, mask), ports and user IDs are (first, last)."""

    priority: int
    family: int
    source: str | None = None
    destination: str | None = None
    in_interface: str | None = None
    out_interface: str | None = None
    mark: tuple[int, int] | None = None
    ip_protocol: int | None = None
    source_port: tuple[int, int] | None = None
    destination_port: tuple[int, int] | None = None
    tos: int | None = None
    uid_range: tuple[int, int] | None = None
    invert: bool = False
    action: str = "lookup"
    table: int | None = None
    suppress_prefix_length: int | None = None
    suppress_interface_group: int | None = None

    FIELDS = {
        "priority": _PREFERENCE,
        "family": fields.choice("ipv4", "ipv6"),
        "source": fields.prefix,
        "destination": fields.prefix,
        "in_interface": interface_name,
        "out_interface": interface_name,
        "mark": fields.mark,
        "ip_protocol": fields.ip_protocol,
        "source_port": fields.rule_port_range,
        "destination_port": fields.rule_port_range,
        "tos": type_of_service,
        "uid_range": user_ids,
        "invert": fields.boolean,
        "action": rule_action,
        "suppress_prefix_length": fields.integer(0, 128),
        "suppress_interface_group": GROUP,
    }

    @classmethod
    def parse(cls, entry: object, table_names: Mapping[str, int] | None = None) -> Rule:
        """Return the policy rule of one entry; ``table_names`` resolves ``table``. Raises InvalidInput."""
        parsers = dict(cls.FIELDS, table=table_parser(TABLE_NAMES if table_names is None else table_names))
        if isinstance(entry, Mapping) and entry.get("goto") is not None:
            raise InvalidInput([NO_GOTO])
        values, faults = parse_fields(entry, parsers, "priority", required=("priority",))
        families = {fields.family_of(values[name]) for name in ("source", "destination") if name in values}
        if "family" in values:
            families.add(int(values.pop("family")[3:]))
        if len(families) > 1:
            faults.append("mixes IPv4 and IPv6")
        elif not families and not faults:
            faults.append("the family is missing; give family: ipv4 or ipv6")
        if families == {4} and values.get("suppress_prefix_length", 0) > 32:
            faults.append("suppress_prefix_length: IPv4 prefixes have at most 32 bits")
        if values.get("action", "lookup") == "lookup" and "table" not in values and not faults:
            faults.append("a rule that looks up needs a table")
        faults += _without_lookup(values)
        if ("source_port" in values or "destination_port" in values) and "ip_protocol" not in values:
            faults.append("a port selects nothing without ip_protocol")
        if faults:
            raise InvalidInput(faults)
        for name in ("source", "destination"):
            if name in values and fields.is_everything(values[name]):
                del values[name]
        if not values.get("tos", True):
            del values["tos"]  # Linux takes 0 for every type of service
        return cls(family=families.pop(), **values)

    @property
    def key(self) -> tuple[object, ...]:
        """Family, priority and the whole selector."""
        return (
            self.family,
            self.priority,
            self.source,
            self.destination,
            self.in_interface,
            self.out_interface,
            self.mark,
            self.ip_protocol,
            self.source_port,
            self.destination_port,
            self.tos,
            self.uid_range,
            self.invert,
        )

    def satisfied_by(self, other: Rule) -> bool:
        """Tell whether ``other``, of the same key, does the same."""
        return self == other

    def as_input(self) -> Form:
        """Return the rule as an entry of ``rules``."""
        return without_none(
            priority=self.priority,
            family=f"ipv{self.family}",
            source=self.source and fields.short_prefix(self.source),
            destination=self.destination and fields.short_prefix(self.destination),
            in_interface=self.in_interface,
            out_interface=self.out_interface,
            mark=self.mark and fields.mark_text(self.mark),
            ip_protocol=self.ip_protocol and fields.ip_protocol_text(self.ip_protocol),
            source_port=self.source_port and fields.port_text(self.source_port),
            destination_port=self.destination_port and fields.port_text(self.destination_port),
            tos=self.tos and f"0x{self.tos:02x}",
            uid_range=self.uid_range and fields.port_text(self.uid_range),
            invert=self.invert or None,
            action=None if self.action == "lookup" else self.action,
            table=self.table,
            suppress_prefix_length=self.suppress_prefix_length,
            suppress_interface_group=self.suppress_interface_group,
        )

    def __str__(self) -> str:
        shown = {name: value for name, value in self.as_input().items() if name not in ("priority", "family")}
        return f"IPv{self.family} rule {self.priority} ({', '.join(f'{k} {v}' for k, v in shown.items())})"


def table_parser(table_names: Mapping[str, int]) -> fields.Parser:
    """Return a parser of a routing table given by number (1 to 4294967295) or by a name of ``table_names``."""
    number = fields.integer(1, 0xFFFFFFFF)

    def parse(value: object) -> int:
        if isinstance(value, str) and value in table_names:
            return table_names[value]
        try:
            return int(number(value))
        except ValueError as error:
            if isinstance(value, str) and not value.lstrip("-").isdecimal():
                raise ValueError("no table of this name is declared in tables") from None
            raise ValueError(f"table number {error}") from None

    return parse


def _without_lookup(values: Mapping[str, object]) -> list[str]:
    """Return the fault of a rule that looks up no route and says where to look."""
    action = values.get("action", "lookup")
    without_meaning = [name for name in ("table", *SUPPRESSING) if name in values and action != "lookup"]
    return [f"action {action} looks up no route; leave out {', '.join(without_meaning)}"] if without_meaning else []


@dataclass(frozen=True)
class Neighbour:
    """A host on the link: the interface that reaches it, and its hardware address."""

    interface: str
    address: str
