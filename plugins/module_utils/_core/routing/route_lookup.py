# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the kernel (RTM_GETROUTE) which route a packet would take, and never computes it here.

Only the priority of the policy rule is found by comparing, as the kernel does not report it: it is the first rule that
selects the packet and looks up the table that the kernel reports.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from socket import htons
from typing import Any, Callable, Protocol

from .. import fields
from ..entries import Entry, Form, parse_fields, parse_list
from ..errors import InvalidInput
from ..netlink.rtnetlink import Message, Netlink, RequestFailed, attributes, interfaces
from . import rtnetlink_mapping
from .rule_walk import ANY_TRAFFIC, Found, ListedRule, Packet, Traffic, listed_rules, refusing_rule, which_rule

LOOKUP_TABLE, FIB_MATCH = 0x1000, 0x2000  # RTM_F_LOOKUP_TABLE, RTM_F_FIB_MATCH: linux/rtnetlink.h
_TYPES = {1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole", 7: "unreachable"}
_TYPES.update({8: "prohibit", 9: "throw"})
_LEAVES = ("unicast", "local", "broadcast", "anycast", "multicast")
_REFUSALS = {
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "no route, or a rule says unreachable",
    errno.EACCES: "prohibited",
}


@dataclass(frozen=True)
class Path:
    """A packet to ask about; ``mark`` is (mark, mask) as an entry gives it, of which the mark counts."""

    destination: str
    source: str | None = None
    mark: tuple[int, int] | None = None
    in_interface: str | None = None
    traffic: Traffic = ANY_TRAFFIC

    FIELDS = {
        "destination": fields.address,
        "source": fields.address,
        "mark": fields.mark,
        "in_interface": fields.interface,
    }

    @classmethod
    def parse(cls, entry: object) -> Path:
        """Return the path of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "destination", required=("destination",))
        families = {fields.family_of(values[name]) for name in ("destination", "source") if name in values}
        if len(families) > 1:
            faults.append("mixes IPv4 and IPv6")
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    @property
    def family(self) -> int:
        """4 or 6."""
        return fields.family_of(self.destination)

    @property
    def packet(self) -> Packet:
        """The packet as policy rules see it."""
        return Packet(self.destination, self.source, self.mark[0] if self.mark else 0, self.in_interface, self.traffic)


class LookUpSocket(Protocol):
    """The part of a netlink socket that is needed here."""

    def dump(self, kind: str) -> list[Message]:
        """Return every object of a kind."""

    def look_up(self, header: Mapping[str, int], attributes: Mapping[str, Any]) -> Message:
        """Return the kernel's answer for one packet."""


def parse_paths(paths: Sequence[object]) -> list[Entry[Path]]:
    """Return the parsed entries; asking the same twice is legal. Raises InvalidInput with every fault."""
    counter = iter(range(len(paths)))
    return parse_list(paths, "paths", Path.parse, "destination", lambda _path: next(counter))


def look_up(
    paths: Sequence[Entry[Path]],
    connect: Callable[[], AbstractContextManager[LookUpSocket]] = Netlink,
    list_interfaces: Callable[[], dict[str, int]] = interfaces,
) -> list[Form]:
    """Return one row a path, in order: where it leaves, or why it does not.

    Raises InvalidInput for an ``in_interface`` that this host does not have.
    """
    indexes = list_interfaces()
    names = {index: name for name, index in indexes.items()}
    unknown = [
        f'{entry.where}: interface "{entry.object.in_interface}" does not exist on this host'
        for entry in paths
        if entry.object.in_interface and entry.object.in_interface not in indexes
    ]
    if unknown:
        raise InvalidInput(unknown)
    with connect() as socket:
        rules = listed_rules(socket.dump("rule"))
        groups = groups_of(socket, rules)
        return [_row(socket, entry.object, rules, indexes, names, groups) for entry in paths]


def _row(
    socket: LookUpSocket,
    path: Path,
    rules: Sequence[ListedRule],
    indexes: Mapping[str, int],
    names: Mapping[int, str],
    groups: Mapping[int, int],
) -> Form:
    row: Form = {
        "destination": path.destination,
        "source": path.source,
        "mark": path.mark and fields.mark_text(path.mark),
        "in_interface": path.in_interface,
        "reachable": False,
        **dict.fromkeys(("type", "gateway", "interface", "table", "rule_priority", "preferred_source", "error")),
    }
    try:
        answer = socket.look_up(*question(path, indexes, LOOKUP_TABLE))
        kind = _TYPES.get(answer.header["type"], "unknown")
        row["type"] = kind
        if kind in _LEAVES:
            row.update(
                reachable=True,
                gateway=answer.get("RTA_GATEWAY"),
                interface=names.get(answer.get("RTA_OIF", 0)),
                table=answer.get("RTA_TABLE", answer.header["table"]),
                preferred_source=answer.get("RTA_PREFSRC"),
            )
            length = socket.look_up(*question(path, indexes, LOOKUP_TABLE | FIB_MATCH)).header["dst_len"]
            found = Found(row["table"], length, groups.get(answer.get("RTA_OIF", 0), 0))
            rule = which_rule(rules, path.packet, found)
            row["rule_priority"] = rule.priority if rule else None
            return row
        row["error"] = f"the route is of type {kind}"
    except RequestFailed as error:
        row["error"] = _REFUSALS.get(error.code, str(error))
        if error.code == errno.EINVAL and path.source and not path.in_interface:
            row["error"] = f"{path.source} is no address of this host; give in_interface for what it forwards"
    refusing = refusing_rule(rules, path.packet)
    row["rule_priority"] = refusing.priority if refusing else None
    return row


def groups_of(socket: LookUpSocket, rules: Sequence[ListedRule]) -> dict[int, int]:
    """Return the groups of the interfaces by index, if a rule looks at them."""
    if all(listed.rule is None or listed.rule.suppress_interface_group is None for listed in rules):
        return {}
    return {message.header["index"]: message.get("IFLA_GROUP", 0) for message in socket.dump("link")}


def question(path: Path, indexes: Mapping[str, int], flags: int) -> tuple[dict[str, int], dict[str, Any]]:
    """Return header and attributes of the request about one packet."""
    bits = 32 if path.family == 4 else 128
    traffic = path.traffic
    header = {
        "family": rtnetlink_mapping.AF[path.family],
        "dst_len": bits,
        "src_len": bits if path.source else 0,
        "tos": traffic.tos or 0,
        "flags": flags,
    }
    return header, attributes(
        (
            ("RTA_DST", path.destination),
            ("RTA_SRC", path.source),
            ("RTA_MARK", path.mark[0] if path.mark else None),
            ("RTA_IIF", indexes[path.in_interface] if path.in_interface else None),
            ("RTA_UID", traffic.user),
            ("RTA_IP_PROTO", traffic.ip_protocol),
            ("RTA_SPORT", _in_network_order(traffic.source_port)),
            ("RTA_DPORT", _in_network_order(traffic.destination_port)),
        )
    )


def _in_network_order(port: int | None) -> int | None:
    return None if port is None else htons(port)
