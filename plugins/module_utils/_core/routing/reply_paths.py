# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does every reply leave by its own line? Asked of the kernel (RTM_GETROUTE), for any cause that there may be.

A reply goes to a far destination, to a client inside the network of another line, or to an inside network. To the first
two it has to leave by its line's own table and gateway, to inside networks by the main table. Anything else is a
finding, which names the rule and the route that take the reply, and the remedy.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Callable

from .. import fields
from ..errors import ReadFailed
from ..netlink.rtnetlink import Message, Netlink, RequestFailed, interfaces
from . import rtnetlink_mapping
from .computed_lookup import ComputedHost
from .model import LOCAL_TABLE, MAIN_TABLE, Rule
from .refusing_routes import described, refusing_route
from .reply_destinations import INSIDE, LINE, LINK, OUTSIDE, Destinations, host_of
from .reply_model import NOT_ASKED, POSSIBLE, REFUSED, TAKEN, Finding, Reply
from .reply_traffic import SelectedTraffic, conditional_traffic, selected_traffic
from .route_lookup import FIB_MATCH, LOOKUP_TABLE, LookUpSocket, Path, groups_of, question
from .rule_fields import LONGEST_DEFAULT
from .rule_walk import (
    ANY_TRAFFIC,
    Found,
    ListedRule,
    Traffic,
    listed_rules,
    refusing_rule,
    rule_of,
    which_rule,
)

_UNICAST, _LOCAL_TYPE = 1, 2  # RTN_UNICAST, RTN_LOCAL
# So many replies with the traffic of other programs' rules are asked for, and of more than these one in so many.
_MOST_SELECTED, _STEP = 20000, 20
# So many replies of a family are asked for with the mark of another program's rule.
_MOST_CONDITIONAL = 8


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
            sound: list[Reply] = []
            for listed in replies:
                reply = inquiry.coming_in(listed) if listed.forwarded and not listed.in_interface else listed
                if reply is None:
                    continue
                if reply.in_interface is not None and reply.in_interface not in indexes:
                    inquiry.not_asked(reply, f"interface {reply.in_interface} does not exist")
                    continue
                if all(inquiry.ask(reply, destination, expected) for destination, expected in places.of(reply)):
                    inquiry.ask_what_rules_select(reply, places)
                    sound.append(reply)
            inquiry.ask_under_conditions(sound, places)
            return inquiry.findings
    except RequestFailed as error:
        raise ReadFailed(f"cannot read the policy rules and routes of this host: {error}") from error


def _priority(finding: Finding) -> Any:
    return finding.rule.get("priority") if finding.rule else None


def _is_link_local(network: str) -> bool:
    return network.startswith(("fe80:", "169.254."))


class _Inquiry:
    """Asks, and gathers what is found."""

    def __init__(self, socket: LookUpSocket, indexes: Mapping[str, int], owner: int) -> None:
        self._socket, self._indexes, self._owner = socket, indexes, owner
        self._names = {index: name for name, index in indexes.items()}
        self._rules: list[ListedRule] = listed_rules(socket.dump("rule"))
        self._selected = selected_traffic(self._rules, owner)
        self._groups: Mapping[int, int] | None = None
        self._routes: Sequence[Message] | None = None
        self._computed: ComputedHost | None = None
        self._known: set[Any] = set()
        self._asked = 0
        self.findings: list[Finding] = []

    def ask(self, reply: Reply, destination: str, expected: str, traffic: Traffic = ANY_TRAFFIC) -> bool:
        """Ask for one reply; return whether it makes sense to ask for more of this reply."""
        path = reply.to(destination, traffic)
        try:
            answer = self._look_up(path)
        except RequestFailed as error:
            return self._refused(reply, path, error)
        table = answer.get("RTA_TABLE", answer.header["table"])
        if not self._is_right(reply, answer, table, expected):
            self._taken(reply, path, answer, table, expected)
        return True

    def ask_what_rules_select(self, reply: Reply, places: Destinations) -> None:
        """Ask for what rules of other programs select of a reply: a protocol, ports, a user, a narrow destination."""
        for selected in self._selected:
            # Of very many rules each is asked for some replies only, unless it is for one source.
            self._asked += 1
            if self._asked > _MOST_SELECTED and selected.rule.source is None and self._asked % _STEP:
                continue
            expected = OUTSIDE if selected.destination else LINE
            for destination in self._destinations(selected, reply, places):
                if reply.to(destination, selected.traffic).packet.selected_by(selected.rule):
                    self.ask(reply, destination, expected, selected.traffic)

    def ask_under_conditions(self, replies: Sequence[Reply], places: Destinations) -> None:
        """Ask for replies that carry the mark of another program's rule, or come in by its interface.

        Whether there are such replies is not known here. Of each rule one reply is enough, which it takes.
        """
        conditional = conditional_traffic(self._rules, self._owner)
        own = {reply.interface for reply in replies}
        for selected in conditional:
            rule = selected.rule
            of_family = [reply for reply in replies if reply.family == rule.family][:_MOST_CONDITIONAL]
            for changed in filter(None, (self._meeting(reply, rule, own) for reply in of_family)):
                before = len(self.findings)
                for destination in self._destinations(selected, changed, places):
                    if changed.to(destination, selected.traffic).packet.selected_by(rule):
                        self.ask(changed, destination, OUTSIDE if selected.destination else LINE, selected.traffic)
                found, self.findings[before:] = self.findings[before:], []
                by_this = [one for one in found if one.kind == TAKEN and _priority(one) == rule.priority]
                if by_this:
                    self.findings.append(replace(by_this[0], kind=POSSIBLE))
                    break

    def _meeting(self, reply: Reply, rule: Rule, own: Collection[str | None]) -> Reply | None:
        """Return the reply with the mark and the interface of a rule; None where no reply of the line is like that."""
        marked, given = reply, reply.mark or (0, 0)
        if rule.mark and rule.mark[0]:
            if rule.mark[1] & given[1]:
                # Its bits are ours: preflight's finding mark-in-use.
                return None
            marked = replace(reply, mark=(given[0] | rule.mark[0], given[1] | rule.mark[1]))
        name = rule.in_interface
        if name in (None, reply.in_interface or "lo"):
            return None if marked == reply else marked
        # Only what is routed by mark comes in elsewhere: from a container, or a server in another network.
        if reply.mark is None or name not in self._indexes or name in own:
            return None
        source = self._address_behind(name, reply.family)
        return replace(marked, source=source, in_interface=name) if source else None

    def _address_behind(self, interface: str, family: int) -> str | None:
        """Return an address in a network of an interface that is not the host's own."""
        if self._routes is None:
            self._routes = self._socket.dump("route")
        index = self._indexes[interface]
        for message in self._routes:
            header = message.header
            if message.get("RTA_OIF") == index and header["type"] == _UNICAST and not message.get("RTA_GATEWAY"):
                network = rtnetlink_mapping.destination_of(message)
                of_family = header["family"] == rtnetlink_mapping.AF[family]
                if of_family and header["dst_len"] and not _is_link_local(network):
                    return host_of(network, self._own_addresses())
        return None

    def _own_addresses(self) -> set[str]:
        return {message.get("RTA_DST", "") for message in self._routes or () if message.header["type"] == _LOCAL_TYPE}

    @staticmethod
    def _destinations(selected: SelectedTraffic, reply: Reply, places: Destinations) -> Sequence[str]:
        if selected.rule.family != reply.family:
            return ()
        if selected.destination is None:
            return places.far(reply.family)
        return [selected.destination] if places.is_outside(selected.destination) else ()

    def _look_up(self, path: Path, flags: int = LOOKUP_TABLE) -> Message:
        """Return the kernel's answer, or one computed for a protocol that it cannot be asked about."""
        asked = question(path, self._indexes, flags)
        try:
            return self._socket.look_up(*asked)
        except RequestFailed as error:
            if error.code != errno.EOPNOTSUPP or path.traffic.ip_protocol is None:
                raise
        if self._computed is None:
            dumped = [self._socket.dump(kind) for kind in ("rule", "route", "link")]
            self._computed = ComputedHost(dumped[0], dumped[1], dumped[2], self._indexes)
        return self._computed.look_up(*asked)

    def coming_in(self, reply: Reply) -> Reply | None:
        """Return a forwarded reply with the interface that leads to its source; None where there is none."""
        try:
            answer = self._look_up(Path(reply.source))
        except RequestFailed:
            rule = refusing_rule(self._rules, Path(reply.source).packet)
            if rule is None or rule.owner == self._owner:
                self.not_asked(reply, f"this host has no way to {reply.source} now")
            else:
                cause = f"{rule} of {fields.owner_name(rule.owner)} refuses the requests to it"
                remedy = "remove that rule, or give it a priority after ours"
                self._add(Finding(TAKEN, reply, "any destination", cause, remedy, rule_of(rule)))
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
            return expected not in (LINE, OUTSIDE) and table == LOCAL_TABLE
        if answer.header["type"] != _UNICAST:
            return False
        if expected == INSIDE and table == MAIN_TABLE:
            return True
        if expected == LINK and gateway is None:
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
        verb = "leads it past the rules of its line" if rule and rule.jumping else "refuses it"
        by = f"{rule} of {fields.owner_name(rule.owner)} {verb}" if rule else f"the kernel says: {error}"
        remedy = "remove that rule, or give it a priority after ours" if rule else "see ip rule and ip route"
        known = rule_of(rule) if rule else None
        self._add(Finding(TAKEN, reply, path.destination, by, remedy, known, traffic=path.traffic))
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
        self._add(Finding(TAKEN, reply, path.destination, cause, remedy, rule_of(rule), shown, path.traffic))
        return True

    def _has(self, address: str) -> bool:
        """Tell whether an address is one of this host."""
        try:
            answer = self._look_up(Path(address))
        except RequestFailed:
            return False
        return answer.header["type"] == _LOCAL_TYPE

    def _taken(self, reply: Reply, path: Path, answer: Message, table: int, expected: str) -> None:
        if self._groups is None:
            self._groups = groups_of(self._socket, self._rules)
        prefix, owner = f"{path.destination}/{answer.header['dst_len']}", 0
        try:
            route = self._look_up(path, LOOKUP_TABLE | FIB_MATCH)
            prefix, owner = rtnetlink_mapping.destination_of(route), route.header["proto"]
            length = route.header["dst_len"]
        except RequestFailed:
            length = answer.header["dst_len"]
        index = answer.get("RTA_OIF", 0)
        rule = which_rule(self._rules, path.packet, Found(table, length, self._groups.get(index, 0)))
        if expected == OUTSIDE and rule is not None and rule.owner == self._owner:
            return
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
        self._add(Finding(TAKEN, reply, path.destination, cause, remedy, known, shown, path.traffic))

    def _remedy(self, reply: Reply, rule: ListedRule | None, table: int, length: int, prefix: str) -> str:
        if table == reply.table:
            return f"remove the route {prefix} from table {table}: only the line's own routes belong there"
        if rule is not None and rule.owner == self._owner and table == MAIN_TABLE:
            longest = LONGEST_DEFAULT[reply.family]
            if length <= longest:
                return f"redeploy: the rule needs suppress_prefix_length {longest}, or remove the route"
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
