# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does every reply leave by its own line? Asked of the kernel (RTM_GETROUTE), for any cause that there may be.

A reply goes to a far destination, to a client inside the network of another line, or to an inside network. To the first
two it has to leave by its line's own table and gateway, to inside networks by the main table. Anything else is a
finding, which names the rule and the route that take the reply, and the remedy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from .. import fields
from ..entries import Entry, parse_fields, parse_list
from ..errors import InvalidInput, ReadFailed
from ..netlink.rtnetlink import Message, Netlink, RequestFailed, interfaces
from . import rtnetlink_mapping
from .model import MAIN_TABLE
from .refusing_routes import described, refusing_route
from .route_lookup import FIB_MATCH, LOOKUP_TABLE, LookUpSocket, Path, groups_of, question
from .rule_walk import LOCAL_TABLE, Found, ListedRule, listed_rules, refusing_rule, rule_of, which_rule

TAKEN, REFUSED, NOT_ASKED = "reply-taken", "reply-refused", "reply-not-asked"
# Routes that are a default in all but length cover a part of the address space: two destinations in each half of it.
# Nothing is ever sent to them. Each has a second one, for a host that has the first in a network of its own.
FAR: dict[int, tuple[tuple[str, str], ...]] = {
    4: (
        ("11.255.255.253", "21.255.255.253"),
        ("101.255.255.253", "91.255.255.253"),
        ("151.255.255.253", "161.255.255.253"),
        ("192.0.2.253", "214.255.255.253"),
    ),
    6: (
        ("2001:db8:ffff:ffff::fffd", "2001:db8:fffe:ffff::fffd"),
        ("2a0f:ffff:ffff:ffff::fffd", "2620:ffff:ffff:ffff::fffd"),
        ("3fff:fff:ffff:ffff::fffd", "3fff:ffe:ffff:ffff::fffd"),
    ),
}
# Each reply is asked for towards the networks of so many other lines at least, and of all where there are few lines.
_FEWEST, _ALL = 2, 400
_UNICAST, _LOCAL_TYPE = 1, 2  # RTN_UNICAST, RTN_LOCAL
_LONGEST = {4: 7, 6: 6}


def _list(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("not a list")
    return list(value)


@dataclass(frozen=True)
class Reply:
    """One kind of reply of one line: what it looks like when it is routed, and the way that it has to take.

    Without ``in_interface`` and ``forwarded`` the host itself sends it, from ``source``. With ``forwarded`` it comes in
    by the interface that leads to ``source``. ``interface`` and ``networks`` are the line's own on this host, where it
    has any.
    """

    line: str
    table: int
    source: str
    gateways: tuple[str, ...] = ()
    mark: tuple[int, int] | None = None
    in_interface: str | None = None
    interface: str | None = None
    networks: tuple[str, ...] = ()
    forwarded: bool = False

    FIELDS = {
        "line": fields.text,
        "table": fields.integer(1, 0xFFFFFFFF),
        "source": fields.host,
        "gateways": lambda value: tuple(fields.host(text) for text in _list(value)),
        "mark": fields.mark,
        "in_interface": fields.interface,
        "interface": fields.interface,
        "networks": lambda value: tuple(fields.prefix(text) for text in _list(value)),
        "forwarded": fields.boolean,
    }

    @classmethod
    def parse(cls, entry: Any) -> Reply:
        """Return the reply of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "line", required=("line", "table", "source"))
        if not faults and not values.get("gateways") and "interface" not in values:
            faults.append("needs gateways, or the interface of a line without one")
        if faults:
            raise InvalidInput(faults)
        family = fields.family_of(values["source"])
        for name in ("gateways", "networks"):
            values[name] = tuple(text for text in values.get(name, ()) if fields.family_of(text) == family)
        return cls(**values)

    @property
    def family(self) -> int:
        """4 or 6."""
        return fields.family_of(self.source)

    def to(self, destination: str) -> Path:
        """Return the path to ask for."""
        return Path(destination, self.source, self.mark, self.in_interface)

    def __str__(self) -> str:
        mark = f" with mark {fields.mark_text(self.mark)}" if self.mark else ""
        came = f" that came in by {self.in_interface}" if self.in_interface else ""
        return f"replies of line {self.line} from {self.source}{mark}{came}"


@dataclass(frozen=True)
class Finding:
    """A reply that does not leave by its line. ``rule`` and ``route`` are what takes it, where they could be found.

    ``kind`` is TAKEN, REFUSED where our own rules refuse it because the line's table has no way, or NOT_ASKED where
    the kernel cannot be asked, because the source is no address of this host.
    """

    kind: str
    reply: Reply
    destination: str
    cause: str
    remedy: str
    rule: Mapping[str, Any] | None = None
    route: Mapping[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The finding in one line."""
        return f"{self.reply} to {self.destination}: {self.cause}; {self.remedy}"

    def as_result(self) -> dict[str, Any]:
        """Return the finding as results tell it."""
        return {
            "id": self.kind,
            "line": self.reply.line,
            "family": f"ipv{self.reply.family}",
            "source": self.reply.source,
            "mark": self.reply.mark and fields.mark_text(self.reply.mark),
            "in_interface": self.reply.in_interface,
            "destination": self.destination,
            "rule": dict(self.rule) if self.rule else None,
            "route": dict(self.route),
            "message": self.message,
            "remedy": self.remedy,
        }


def parse_replies(entries: Sequence[Any]) -> list[Entry[Reply]]:
    """Return the parsed entries; raises InvalidInput with every fault."""
    counter = iter(range(len(entries)))
    return parse_list(entries, "replies", Reply.parse, "line", lambda _reply: next(counter))


def parse_networks(values: Sequence[Any]) -> list[str]:
    """Return inside networks; raises InvalidInput with every fault."""
    faults: list[str] = []
    networks: list[str] = []
    for index, value in enumerate(values):
        try:
            networks.append(fields.prefix(value))
        except ValueError as error:
            faults.append(f"inside_networks[{index}] ({value}): {error}")
    if faults:
        raise InvalidInput(faults)
    return networks


def check_replies(
    replies: Sequence[Reply],
    inside: Sequence[str] = (),
    owner: int = 109,
    connect: Callable[[], AbstractContextManager[LookUpSocket]] = Netlink,
    list_interfaces: Callable[[], dict[str, int]] = interfaces,
) -> list[Finding]:
    """Return the findings, at most one for each reply and cause; raises ReadFailed when the kernel does not answer."""
    indexes = list_interfaces()
    try:
        with connect() as socket:
            inquiry = _Inquiry(socket, indexes, owner)
            places = Destinations(replies, inside)
            for listed in replies:
                reply = inquiry.coming_in(listed) if listed.forwarded and not listed.in_interface else listed
                if reply is None:
                    continue
                if reply.in_interface is not None and reply.in_interface not in indexes:
                    inquiry.not_asked(reply, f"interface {reply.in_interface} does not exist")
                    continue
                for destination, expected in places.of(reply):
                    if not inquiry.ask(reply, destination, expected):
                        break
            return inquiry.findings
    except RequestFailed as error:
        raise ReadFailed(f"cannot read the policy rules and routes of this host: {error}") from error


class Destinations:
    """Where replies go to: far away, into the networks of lines, and to ``inside`` networks."""

    def __init__(self, replies: Sequence[Reply], inside: Sequence[str]) -> None:
        self._inside = {family: [n for n in inside if fields.family_of(n) == family] for family in (4, 6)}
        networks: dict[tuple[str, int], dict[str, None]] = {}
        for reply in replies:
            networks.setdefault((reply.line, reply.family), {}).update(dict.fromkeys(reply.networks))
        self._networks = networks
        self._lines = list(dict.fromkeys(reply.line for reply in replies))
        self._places = {line: place for place, line in enumerate(self._lines)}

    def of(self, reply: Reply) -> Iterator[tuple[str, str]]:
        """Give each destination with how the reply has to go there: ``line``, ``link`` or ``inside``."""
        inside, others = self._inside[reply.family], self._of_others(reply)
        known = [ipaddress.ip_network(network) for network in (*inside, *others, *reply.networks)]
        for choices in FAR[reply.family]:
            far = next((text for text in choices if not any(ipaddress.ip_address(text) in one for one in known)), None)
            if far is not None:
                yield far, "line"
        taken = {*reply.gateways, reply.source}
        for network in others:
            # Where lines share a network, as servers behind firewalls do, it is the line's own or an inside one.
            if network not in (*inside, *reply.networks):
                yield _host_of(network, taken), "line"
        for network in reply.networks:
            if network not in inside:
                yield _host_of(network, taken), "link"
        for network in inside:
            yield _host_of(network, taken), "inside"

    def _of_others(self, reply: Reply) -> list[str]:
        """Return networks of other lines: all, or where there are many those of the lines that follow this one."""
        lines, place = self._lines, self._places[reply.line]
        count = min(len(lines) - 1, max(_FEWEST, _ALL // len(lines)))
        following = (lines[(place + step) % len(lines)] for step in range(1, count + 1))
        found: dict[str, None] = {}
        for line in following:
            found.update(self._networks.get((line, reply.family), {}))
        return list(found)


def _host_of(network: str, taken: Iterable[str]) -> str:
    """Return an address of a network that is neither the gateway nor the line's own: one of the last."""
    known = ipaddress.ip_network(network)
    last = int(known.broadcast_address) - (1 if known.version == 4 and known.prefixlen < 31 else 0)
    for number in range(last, int(known.network_address) - 1, -1):
        text = str(type(known.network_address)(number))
        if text not in taken:
            return text
    return str(known.network_address)


class _Inquiry:
    """Asks, and gathers what is found."""

    def __init__(self, socket: LookUpSocket, indexes: Mapping[str, int], owner: int) -> None:
        self._socket, self._indexes, self._owner = socket, indexes, owner
        self._names = {index: name for name, index in indexes.items()}
        self._rules: list[ListedRule] = listed_rules(socket.dump("rule"))
        self._groups: Mapping[int, int] | None = None
        self._routes: Sequence[Message] | None = None
        self._known: set[Any] = set()
        self.findings: list[Finding] = []

    def ask(self, reply: Reply, destination: str, expected: str) -> bool:
        """Ask for one reply; return whether it makes sense to ask for more of this reply."""
        path = reply.to(destination)
        try:
            answer = self._socket.look_up(*question(path, self._indexes, LOOKUP_TABLE))
        except RequestFailed as error:
            return self._refused(reply, path, error)
        table = answer.get("RTA_TABLE", answer.header["table"])
        if not self._is_right(reply, answer, table, expected):
            self._taken(reply, path, answer, table)
        return True

    def coming_in(self, reply: Reply) -> Reply | None:
        """Return a forwarded reply with the interface that leads to its source; None where there is none."""
        try:
            answer = self._socket.look_up(*question(Path(reply.source), self._indexes, LOOKUP_TABLE))
        except RequestFailed:
            self.not_asked(reply, f"this host has no way to {reply.source} now")
            return None
        return replace(reply, in_interface=self._names.get(answer.get("RTA_OIF", 0)))

    def not_asked(self, reply: Reply, cause: str) -> None:
        """Note that the kernel cannot be asked for a reply."""
        self._add(Finding(NOT_ASKED, reply, "any destination", cause, "it can be asked once that is there"))

    def _is_right(self, reply: Reply, answer: Message, table: int, expected: str) -> bool:
        gateway = rtnetlink_mapping.gateway_of(answer)
        name = self._names.get(answer.get("RTA_OIF", 0))
        own_link = reply.interface in (None, name)
        if answer.header["type"] == _LOCAL_TYPE:
            return expected != "line" and table == LOCAL_TABLE
        if answer.header["type"] != _UNICAST:
            return False
        if expected == "inside" and table == MAIN_TABLE:
            return True
        if expected == "link" and gateway is None:
            return table in (reply.table, MAIN_TABLE) and own_link
        by_line = gateway in reply.gateways if reply.gateways else gateway is None
        return table == reply.table and by_line and own_link

    def _refused(self, reply: Reply, path: Path, error: RequestFailed) -> bool:
        rule = refusing_rule(self._rules, path.packet)
        # Asked for a source that is not its own, a kernel says that this is invalid, or that there is no way.
        if not reply.in_interface and (rule is None or rule.owner == self._owner) and not self._has(reply.source):
            self.not_asked(reply, f"{reply.source} is no address of this host now")
            return False
        if self._refused_by_route(reply, path):
            return True
        if rule and rule.owner == self._owner:
            cause = f"table {reply.table} has no way there, so {rule} refuses it, and no other line takes it"
            remedy = f"see whether the interface and the gateway of line {reply.line} are up"
            self._add(Finding(REFUSED, reply, path.destination, cause, remedy, rule_of(rule)))
            return True
        by = f"{rule} of {fields.owner_name(rule.owner)} refuses it" if rule else f"the kernel says: {error}"
        remedy = "remove that rule, or give it a priority after ours" if rule else "see ip rule and ip route"
        self._add(Finding(TAKEN, reply, path.destination, by, remedy, rule_of(rule) if rule else None))
        return True

    def _refused_by_route(self, reply: Reply, path: Path) -> bool:
        """Tell whether a route of type unreachable, prohibit or blackhole refuses a reply, and note it."""
        if self._groups is None:
            self._groups = groups_of(self._socket, self._rules)
        if self._routes is None:
            self._routes = self._socket.dump("route")
        found = refusing_route(self._rules, self._routes, path.packet, self._groups)
        if found is None:
            return False
        rule, route = found
        shown = {
            "table": route.get("RTA_TABLE", route.header["table"]),
            "destination": rtnetlink_mapping.destination_of(route),
            "gateway": None,
            "interface": None,
            "owner": fields.owner_name(route.header["proto"]),
        }
        cause = f"{rule} of {fields.owner_name(rule.owner)} leads it to the {described(route)}"
        remedy = "remove that route: no rule can pass over a route that refuses packets"
        self._add(Finding(TAKEN, reply, path.destination, cause, remedy, rule_of(rule), shown))
        return True

    def _has(self, address: str) -> bool:
        """Tell whether an address is one of this host."""
        try:
            answer = self._socket.look_up(*question(Path(address), self._indexes, LOOKUP_TABLE))
        except RequestFailed:
            return False
        return answer.header["type"] == _LOCAL_TYPE

    def _taken(self, reply: Reply, path: Path, answer: Message, table: int) -> None:
        if self._groups is None:
            self._groups = groups_of(self._socket, self._rules)
        prefix, owner = f"{path.destination}/{answer.header['dst_len']}", 0
        try:
            route = self._socket.look_up(*question(path, self._indexes, LOOKUP_TABLE | FIB_MATCH))
            prefix, owner = rtnetlink_mapping.destination_of(route), route.header["proto"]
            length = route.header["dst_len"]
        except RequestFailed:
            length = answer.header["dst_len"]
        index = answer.get("RTA_OIF", 0)
        rule = which_rule(self._rules, path.packet, Found(table, length, self._groups.get(index, 0)))
        name = self._names.get(index)
        shown = {
            "table": table,
            "destination": prefix,
            "gateway": rtnetlink_mapping.gateway_of(answer),
            "interface": name,
            "owner": fields.owner_name(owner),
        }
        way = " ".join(
            f"{word} {value}" for word, value in (("via", shown["gateway"]), ("dev", name)) if value is not None
        )
        by = f"{rule} of {fields.owner_name(rule.owner)}" if rule else "a rule that could not be found"
        cause = f"{by} gives it the route {prefix} {way} of table {table} ({fields.owner_name(owner)})"
        remedy = self._remedy(reply, rule, table, length, prefix)
        known = rule_of(rule) if rule else None
        self._add(Finding(TAKEN, reply, path.destination, cause, remedy, known, shown))

    def _remedy(self, reply: Reply, rule: ListedRule | None, table: int, length: int, prefix: str) -> str:
        if table == reply.table:
            return f"remove the route {prefix} from table {table}: only the line's own routes belong there"
        if rule is not None and rule.owner == self._owner and table == MAIN_TABLE:
            if length <= _LONGEST[reply.family]:
                return f"redeploy: the rule needs suppress_prefix_length {_LONGEST[reply.family]}, or remove the route"
            return "put the route's interface into the interface group of the lines, if it belongs to one, and redeploy"
        if rule is None:
            return "see ip rule"
        ours = [one.rule for one in self._rules if one.owner == self._owner and one.rule]
        if rule.owner == self._owner or all(one.table != reply.table for one in ours):
            return "redeploy: rules of this line are missing"
        return f"remove that rule, or give it a priority above {max(one.priority for one in ours)}"

    def _add(self, finding: Finding) -> None:
        rule = finding.rule or {}
        key = (
            finding.kind,
            finding.reply,
            rule.get("priority"),
            finding.route.get("table"),
            finding.route.get("destination"),
        )
        if key not in self._known:
            self._known.add(key)
            self.findings.append(finding)
