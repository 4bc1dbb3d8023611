# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight is asked: the lines of a host, and what the roles are going to use of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Union

from .. import fields
from ..entries import Faults, objects, parse_fields, parse_list
from ..errors import InvalidInput
from ..filters.nftables import DEFAULT_TABLE
from ..host.kernel_parameter_file import Parameter
from ..host.kernel_parameters import DEFAULT_FILE, parse_file_name
from ..marks.model import parse_addresses, parse_mask
from ..routing.model import MAIN_TABLE, Route, Rule

FIREWALL, SERVER = "firewall", "server"
NEVER = "never"
AUTO = "auto"  # an address or gateway that DHCP or PPPoE gives
_LARGEST_ID = 250
_BAND = 10  # priorities of one line, in each of the two bands

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def _texts(parser: fields.Parser) -> fields.Parser:
    def parse(value: Any) -> tuple[str, ...]:
        # As Ansible turns text into a list.
        values = value.split(",") if isinstance(value, str) else value
        if not isinstance(values, (list, tuple)):
            raise ValueError("not a list of addresses")
        parsed = []
        for written in values:
            try:
                parsed.append(AUTO if written == AUTO else parser(written))
            except ValueError as error:
                raise ValueError(f"{written}: {error}") from None
        return tuple(parsed)

    return parse


@dataclass(frozen=True)
class Line:
    """A line as it ends on this host. Addresses are ``ADDRESS/LENGTH``; ``dynamic`` when some are not known before.

    ``left_out`` is why it cannot be used now, if so.
    """

    id: int
    interface: str
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    name: str = ""
    dynamic: bool = False
    left_out: str = ""

    FIELDS = {
        "id": fields.integer(1, _LARGEST_ID),
        "interface": fields.interface,
        "addresses": _texts(fields.host_address),
        "outside_addresses": _texts(fields.host_address),
        "gateways": _texts(fields.host),
        "left_out": fields.text,
    }
    # The names of the same fields in the declaration and in the list of role isp_firewall.
    ALIASES = {"public_addresses": "addresses", "gateway": "gateways"}
    # The fields of the roles' lists that preflight ignores.
    IGNORED = ("weight", "without_gateway", "learned")

    @classmethod
    def parse(cls, entry: Any) -> Line:
        """Return the line of one entry; raises InvalidInput with bare reasons."""
        known = entry
        if isinstance(entry, Mapping):
            known = {cls.ALIASES.get(name, name): value for name, value in entry.items() if name not in cls.IGNORED}
        values, faults = parse_fields(known, cls.FIELDS, "id", required=("id", "interface"))
        if faults:
            raise InvalidInput(faults)
        # What the ISP translates is not held: the addresses that it is translated to are, of their family.
        outside = values.pop("outside_addresses", ())
        families = {fields.family_of(address) for address in outside}
        held = [address for address in values.get("addresses", ()) if fields.family_of(address) not in families]
        values["addresses"] = (*outside, *held)
        everything = (*values.get("addresses", ()), *values.get("gateways", ()))
        for name in ("addresses", "gateways"):
            values[name] = tuple(value for value in values.get(name, ()) if value != AUTO)
        return cls(name=str(entry.get("name") or ""), dynamic=AUTO in everything, **values)

    @property
    def families(self) -> tuple[int, ...]:
        """The families that the line has an address or a gateway of."""
        return tuple(sorted({fields.family_of(text) for text in (*self.addresses, *self.gateways)}))

    def networks(self, family: int) -> list[Network]:
        """Return the networks that the line's addresses make directly reachable."""
        return [ipaddress.ip_interface(text).network for text in self.addresses if fields.family_of(text) == family]

    def __str__(self) -> str:
        return f"line {self.name or self.id}"


@dataclass(frozen=True)
class Wanted:
    """The options of preflight. What is ours is known by ``protocol``, by ``table`` (of nft) and by ``file``.

    ``servers`` are the addresses that a firewall maps to; ``kernel_parameters`` are those that are going to be set,
    path below /proc/sys to value.
    """

    lines: tuple[Line, ...]
    role: str
    servers: tuple[str, ...] = ()
    uses_marks: bool = True
    table_base: int = 1000
    priority_base: int = 20000
    source_priority_base: int = 23000
    mark_mask: int = 0xFF
    protocol: int = 109
    table: str = DEFAULT_TABLE
    file: str = DEFAULT_FILE
    kernel_parameters: Mapping[str, str] = field(default_factory=dict)
    manages_networkd: bool = False
    manages_forwarding: bool = False
    probe_timeout: float = 1.0

    @property
    def interfaces(self) -> dict[str, list[Line]]:
        """The interfaces of the lines, each with its lines."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            found.setdefault(line.interface, []).append(line)
        return found

    @property
    def families(self) -> tuple[int, ...]:
        """The families that any line has."""
        return tuple(sorted({family for line in self.lines for family in line.families}))

    @property
    def filters_packets(self) -> bool:
        """Whether the role needs a packet filter: to translate addresses, or to mark connections."""
        return self.role == FIREWALL or self.uses_marks

    @property
    def managed(self) -> list[str]:
        """The options that say that something is going to be mended, kernel parameters apart."""
        return [name for name in ("manages_networkd", "manages_forwarding") if getattr(self, name)]

    @property
    def routes_by_policy(self) -> bool:
        """Whether the lines get routing tables and policy rules of their own; a firewall's only line needs none."""
        return self.role == SERVER or len(self.lines) > 1

    def mark_of(self, line: Line) -> int:
        """Return the mark of a line: its id, in the bits of the mask."""
        return line.id * (self.mark_mask & -self.mark_mask)

    @property
    def priorities(self) -> tuple[int, int]:
        """The first and last priority between which only our policy rules may stand."""
        bases = (self.priority_base, self.source_priority_base)
        return min(bases), max(bases) + _BAND * _LARGEST_ID + _BAND - 1

    def own_rules(self) -> set[Rule]:
        """Return the policy rules that the lines need, whoever set them."""
        found = {Rule(self.priority_base, f, table=MAIN_TABLE, suppress_prefix_length=0) for f in self.families}
        for line in self.lines:
            number, offset = self.table_base + line.id, _BAND * line.id
            mark = (self.mark_of(line), self.mark_mask)
            rules = [Rule(self.priority_base + offset, f, mark=mark, table=number) for f in line.families]
            for address in line.addresses:
                host = str(ipaddress.ip_network(address.partition("/")[0]))
                priority = self.source_priority_base + offset
                rules.append(Rule(priority, fields.family_of(host), source=host, table=number))
            found.update(rules)
            found.update(replace(r, priority=r.priority + 1, action="unreachable", table=None) for r in rules)
        return found

    def own_routes(self) -> set[Route]:
        """Return the default routes that the lines' tables need, whoever set them."""
        return {
            Route.parse(
                {"destination": "default", "gateway": gateway, "interface": line.interface}, self.table_base + line.id
            )
            for line in self.lines
            for gateway in line.gateways
        }


def parse_wanted(options: Mapping[str, Any]) -> Wanted:
    """Return the parsed options; raises InvalidInput with every fault of the list and of the numbers."""
    names = ("role", "uses_marks", "protocol", "table", "manages_networkd", "manages_forwarding", "probe_timeout")
    faults = Faults()
    lines = faults.take(lambda: _parse_lines(options["lines"]))
    mask = faults.take(lambda: parse_mask(options["mark_mask"]))
    servers = faults.take(lambda: parse_addresses(options["servers"], "servers"))
    parameters = faults.take(lambda: _parse_parameters(options["kernel_parameters"]))
    file = faults.take(lambda: parse_file_name(options["file"]))
    table_base, priority_base, source_priority_base = (
        faults.take(partial(_number, options[name], name))
        for name in ("table_base", "priority_base", "source_priority_base")
    )
    faults.refuse()
    return Wanted(
        lines=lines.value,
        mark_mask=mask.value,
        servers=servers.value,
        kernel_parameters=parameters.value,
        file=file.value,
        table_base=table_base.value,
        priority_base=priority_base.value,
        source_priority_base=source_priority_base.value,
        **{name: options[name] for name in names},
    )


def _parse_lines(entries: Sequence[Any]) -> tuple[Line, ...]:
    parsed = parse_list(entries, "lines", Line.parse, "id", lambda line: line.id, lambda line: f"line id {line.id}")
    return tuple(objects(parsed))


def _parse_parameters(entries: Sequence[Any]) -> dict[str, str]:
    called = "kernel_parameters"
    parsed = parse_list(entries, called, Parameter.parse, "name", lambda item: item.path, lambda item: item.name)
    return {item.path: item.value for item in objects(parsed)}


def _number(value: Any, option: str) -> int:
    try:
        return int(fields.integer(0, 0xFFFFFFFF - _LARGEST_ID)(value))
    except ValueError as error:
        raise InvalidInput([f'{option} "{value}": {error}']) from None
