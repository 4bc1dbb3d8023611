# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""A firewall that is a server on lines of other firewalls too: their part of the lists of its modules.

One role configures such a host, with one list for each module. So nothing that it removes or replaces belongs to
another role. Packets from an address that stands for a line of another firewall are sent to that firewall.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils._core.fields import shown
from .._input.faults import DeclarationError
from .._roles import line_routing
from .._roles.line_health import HEALTH_FIELDS, WatchedLine, watched
from .._roles.module_lists import Alias, InterfaceGroup, KernelParameter, ReplyLists, Rule, Table
from .._server import interfaces, replies, routing
from .._server.lines import ROLE as SERVER_ROLE
from .._server.lines import ServerLine, read_lines
from .._server.prefix_cover import FEW
from .lines import ROLE

NAME = f"{ROLE}_server_lines"


def flagged(lines: object) -> Any:
    """The firewall's own lines, each as one of several: those of other firewalls are a choice too."""
    if not isinstance(lines, list):
        return lines
    return [{**line, "one_of_several": True} if isinstance(line, Mapping) else line for line in lines]


class ServerLines:
    """The lines of other firewalls on which this host is a server, beside its ``own`` lines.

    ``numbers`` are ``table_base``, ``priority_base`` and ``source_priority_base`` of the role, ``inside`` its networks.
    """

    def __init__(
        self, lines: object, own: object, inside: object, numbers: Mapping[str, Any], mask: object, group: object
    ) -> None:
        self._lines, self._inside = lines, inside
        self._own = [line for line in own if isinstance(line, Mapping)] if isinstance(own, list) else []
        self._numbers, self._mask, self._group = numbers, mask, group

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._lines)

    def faults(self) -> list[str]:
        """Every fault of these lines, alone and beside the own ones."""
        if not self:
            return []
        found, faults = self._read()
        if not self._own:
            faults.append(f"{NAME}: this host terminates no line, so it is a server alone: use role {SERVER_ROLE}")
        for line in found:
            self._check(line, found)
        wrong = [line.get("drained") for line in self._own] + [line.drained for line in found]
        if wrong and all(wrong):
            faults.append(f"{NAME}: drained: every line of this host is; one has to stay in service")
        return _renamed(faults or self._other_faults())

    def _read(self) -> tuple[list[ServerLine], list[str]]:
        faults: list[str] = []
        return read_lines(self._lines, faults), faults

    def _check(self, line: ServerLine, found: Iterable[ServerLine]) -> None:
        place = line.entry.place
        for key, value in (("name", line.name), ("id", line.id)):
            if value and value in [own.get(key) for own in self._own]:
                place.fault(f"{key} {shown(value) if isinstance(value, str) else value} is taken in {ROLE}_lines")
        if line.ends_here:
            place.fault(f"ends on this host, which is a firewall: it belongs in {ROLE}_lines")
        if len(line.addresses) > FEW:
            place.fault(f"addresses: at most {FEW} are possible on a host that is a firewall too")
        for address in line.addresses:
            taken = [
                other.name for other in found if other.id < line.id and address.ip in {a.ip for a in other.addresses}
            ]
            taken += [str(own.get("name")) for own in self._own if str(address.ip) in _held(own)]
            if taken:
                place.fault(
                    f"address {address.ip} belongs to line {shown(taken[0])} too: a host that is a firewall needs"
                    " another one for each line"
                )

    def _other_faults(self) -> list[str]:
        try:
            self.rules()
            self.tables()
            self.aliases()
        except DeclarationError as error:
            return error.faults
        return []

    def aliases(self) -> list[Alias]:
        """The addresses that stand for the lines."""
        return interfaces.aliases(self._lines)

    def kernel_parameters(self) -> list[KernelParameter]:
        """Those of the interfaces towards the other firewalls."""
        return interfaces.kernel_parameters(self._lines)

    def tables(self) -> list[Table]:
        """A table for each line."""
        return routing.tables(self._lines, "none", self._numbers["table_base"], (), self._group, self._inside)

    def rules(self) -> list[Rule]:
        """The rules for packets from the addresses of the lines, and the first rule of main."""
        return routing.rules(
            self._lines,
            **self._numbers,
            mark_mask=self._mask,
            interface_group=self._group,
            inside_networks=self._inside,
        )

    def interface_groups(self) -> list[InterfaceGroup]:
        """The interfaces that belong to these lines alone."""
        return routing.interface_groups(self._lines, self._group, self._inside)

    def replies(self) -> ReplyLists:
        """The replies that have to leave by these lines."""
        return replies.replies(self._lines, "source", self._numbers["table_base"], self._mask, (), self._inside)

    def watched(self) -> list[WatchedLine]:
        """The entries of line_health, where any line of the host is watched."""
        found, _faults = self._read()
        wanted = any(key in line for line in self._own for key in HEALTH_FIELDS)
        if not wanted and not any(key in line.entry.values for line in found for key in HEALTH_FIELDS):
            return []
        return [watched(line, line.addresses, line.gateways, None) for line in found]


def merged_rules(
    firewall: Sequence[Rule], server: Sequence[Rule], priority: int, groups: Sequence[InterfaceGroup]
) -> list[Rule]:
    """The rules of both, with one look-up of main for each family, which passes over the interfaces in ``groups``."""
    families = [rule["family"] for rule in (*firewall, *server) if _is_main(rule, priority)]
    numbers = sorted({int(family[-1]) for family in families})
    rest = [rule for rule in (*firewall, *server) if not _is_main(rule, priority)]
    return line_routing.main_rules(priority, numbers, groups) + rest


def merged_parameters(firewall: Sequence[KernelParameter], server: Sequence[KernelParameter]) -> list[KernelParameter]:
    """The parameters of both; the firewall's value where both have one."""
    known = {entry["name"] for entry in firewall}
    return [*firewall, *(entry for entry in server if entry["name"] not in known)]


def merged_replies(firewall: ReplyLists, server: ReplyLists) -> ReplyLists:
    """The replies of both."""
    inside = dict.fromkeys([*firewall["inside_networks"], *server["inside_networks"]])
    return {"replies": [*firewall["replies"], *server["replies"]], "inside_networks": list(inside)}


def _is_main(rule: Rule, priority: int) -> bool:
    return rule["priority"] == priority


def _held(line: Mapping[str, Any]) -> set[str]:
    """The addresses of an own line, as they are written."""
    texts: list[str] = []
    for key in ("public_addresses", "outside_addresses"):
        value = line.get(key) or []
        texts += [value] if isinstance(value, str) else [str(each) for each in value]
    return {text.partition("/")[0] for text in texts}


def _renamed(faults: Iterable[str]) -> list[str]:
    """The faults with the name of the variable here."""
    return [fault.replace(f"{SERVER_ROLE}_lines", NAME) for fault in faults]
