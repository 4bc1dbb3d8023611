# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The input of preflight: the lines of a host, and what the roles will configure for them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from .. import fields
from ..entries import Faults, objects, parse_fields, parse_list
from ..errors import InvalidInput
from ..filters.nftables import DEFAULT_TABLE
from ..health.targets import parse_targets
from ..host.kernel_parameter_file import Parameter
from ..host.kernel_parameters import DEFAULT_FILE, parse_file_name
from ..marks.model import parse_addresses, parse_mask
from ..nat.model import NatRule, parse_rules
from ..routing.lists import RoutingLists
from ..routing.reply_model import Reply, parse_networks, parse_replies
from .mapped_ports import TakenPort, parse_taken_ports

FIREWALL, SERVER = "firewall", "server"
NEVER = "never"
AUTO = "auto"  # an address or gateway that DHCP or PPPoE assigns
_LARGEST_ID = 250

_NO_ROUTING = RoutingLists.parse([], [])

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def _targets(health: object) -> tuple[str, ...]:
    """Return the addresses of a health check's targets; what line_health refuses is not reported here, too."""
    found, _faults = parse_targets(health.get("targets") or ()) if isinstance(health, Mapping) else ((), [])
    return tuple(dict.fromkeys(target.host for target in found if target.family is not None))


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
                raise ValueError(f"{fields.short(written)}: {error}") from None
        return tuple(parsed)

    return parse


@dataclass(frozen=True)
class Line:
    """A line as it ends on this host. Addresses are ``ADDRESS/LENGTH``; ``dynamic`` when some are assigned later.

    ``left_out`` is the reason why it cannot be used now. Another program manages the addresses in ``not_held``.
    ``targets`` are the addresses that its health check asks.
    """

    id: int
    interface: str
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    name: str = ""
    dynamic: bool = False
    left_out: str = ""
    not_held: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    FIELDS = {
        "id": fields.integer(1, _LARGEST_ID),
        "interface": fields.interface,
        "addresses": _texts(fields.host_address),
        "outside_addresses": _texts(fields.host_address),
        "gateways": _texts(fields.host),
        "left_out": fields.text,
        "not_held": _texts(fields.host_address),
        "health": lambda value: value,
    }
    # The names of the same fields in the declaration and in the list of role isp_firewall.
    ALIASES = {"public_addresses": "addresses", "gateway": "gateways"}
    # The fields of the roles' lists that preflight ignores.
    IGNORED: tuple[str, ...] = ("weight", "without_gateway", "learned", "onlink", "mss", "ends_here", "untranslated")
    IGNORED += ("drained", "flows")

    @classmethod
    def parse(cls, entry: Any) -> Line:
        """Return the line of one entry; raises InvalidInput with bare reasons."""
        known = entry
        if isinstance(entry, Mapping):
            known = {cls.ALIASES.get(name, name): value for name, value in entry.items() if name not in cls.IGNORED}
        values, faults = parse_fields(known, cls.FIELDS, "id", required=("id", "interface"))
        if faults:
            raise InvalidInput(faults)
        # Of addresses that the ISP translates, the host has the outside addresses of their family instead.
        outside = values.pop("outside_addresses", ())
        values["targets"] = _targets(values.pop("health", None))
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
class Desired:
    """The options of preflight. ``protocol``, ``table`` (of nft) and ``file`` tell what this collection owns.

    ``servers`` are the addresses that a firewall maps to. ``kernel_parameters`` are those that the caller will set,
    path below /proc/sys to value. ``routing`` are the lists that the caller will give to policy_routing, and
    ``skips_unavailable`` says whether it lets routes wait for their interface. ``replies`` have to leave by their line;
    ``auto_reply`` says that the caller uses marks where other programs translate destinations here, ``reply_taken``
    whether one that does not is an error (``fail``) or a warning (``warn``). ``nat_rules`` are the translations that
    the caller will give to nat_rules, and ``nat_backend`` its option ``backend``. ``taken_ports`` are
    those of the host itself that lead to a server. Nothing from ``translated_networks`` may leave by a line with the
    address that it has. ``zones_on_lines_only`` have no name server elsewhere.
    """

    lines: tuple[Line, ...]
    role: str
    servers: tuple[str, ...] = ()
    uses_marks: bool = True
    mark_mask: int = 0xFF
    protocol: int = 109
    table: str = DEFAULT_TABLE
    file: str = DEFAULT_FILE
    kernel_parameters: Mapping[str, str] = field(default_factory=dict)
    manages_networkd: bool = False
    manages_forwarding: bool = False
    probe_timeout: float = 1.0
    routing: RoutingLists = _NO_ROUTING
    purge: bool = False
    replies: tuple[Reply, ...] = ()
    inside_networks: tuple[str, ...] = ()
    reply_taken: str = "fail"
    skips_unavailable: bool = False
    auto_reply: bool = False
    nat_rules: tuple[NatRule, ...] = ()
    nat_backend: str = AUTO
    taken_ports: tuple[TakenPort, ...] = ()
    translated_networks: tuple[str, ...] = ()
    zones_on_lines_only: tuple[str, ...] = ()

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
        """Whether the role needs a packet filter, to translate addresses or to mark connections."""
        return self.role == FIREWALL or self.uses_marks

    @property
    def managed(self) -> list[str]:
        """The options by which the caller says that it will fix findings, apart from kernel parameters."""
        return [name for name in ("manages_networkd", "manages_forwarding") if getattr(self, name)]

    def mark_of(self, line: Line) -> int:
        """Return the mark of a line: its id, in the bits of the mask."""
        return line.id * (self.mark_mask & -self.mark_mask)


def parse_desired(options: Mapping[str, Any]) -> Desired:
    """Return the parsed options; raises InvalidInput with every fault of the list and of the numbers."""
    names: tuple[str, ...] = ("role", "uses_marks", "protocol", "table", "purge", "reply_taken", "probe_timeout")
    names += ("manages_networkd", "manages_forwarding", "skips_unavailable", "auto_reply")
    faults = Faults()
    lines = faults.take(lambda: _parse_lines(options["lines"]))
    mask = faults.take(lambda: parse_mask(options["mark_mask"]))
    servers = faults.take(lambda: parse_addresses(options["servers"], "servers"))
    parameters = faults.take(lambda: _parse_parameters(options["kernel_parameters"]))
    file = faults.take(lambda: parse_file_name(options["file"]))
    routing = faults.take(lambda: RoutingLists.parse(options["tables"], options["rules"], options["interface_groups"]))
    replies = faults.take(lambda: objects(parse_replies(options["replies"].get("replies") or ())))
    inside = faults.take(lambda: parse_networks(options["replies"].get("inside_networks") or ()))
    nat_rules = faults.take(lambda: objects(parse_rules(options.get("nat_rules"), "nat_rules")))
    networks = faults.take(lambda: parse_networks(options["translated_networks"], "translated_networks"))
    taken = faults.take(lambda: parse_taken_ports(options["taken_ports"]))
    faults.refuse()
    return Desired(
        lines=lines.value,
        mark_mask=mask.value,
        servers=servers.value,
        kernel_parameters=parameters.value,
        file=file.value,
        routing=routing.value,
        replies=tuple(replies.value),
        inside_networks=tuple(inside.value),
        nat_rules=tuple(nat_rules.value),
        nat_backend=options.get("nat_backend", AUTO),
        taken_ports=taken.value,
        translated_networks=tuple(dict.fromkeys(networks.value)),
        zones_on_lines_only=tuple(options["zones_on_lines_only"]),
        **{name: options[name] for name in names},
    )


def _parse_lines(entries: Sequence[Any]) -> tuple[Line, ...]:
    parsed = parse_list(entries, "lines", Line.parse, "id", lambda line: line.id, lambda line: f"line id {line.id}")
    return tuple(objects(parsed))


def _parse_parameters(entries: Sequence[Any]) -> dict[str, str]:
    called = "kernel_parameters"
    parsed = parse_list(entries, called, Parameter.parse, "name", lambda item: item.path, lambda item: item.name)
    return {item.path: item.value for item in objects(parsed)}
