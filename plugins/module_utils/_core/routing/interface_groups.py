# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The group of an interface, by which a policy rule can pass over routes (suppress_interface_group). No I/O.

Every interface is in exactly one group, and has no owner tag. The group whose number is the owner tag is ours: an
interface in it was put there by us. 0 is the kernel's default. Any other group was given by somebody else, and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..entries import Entry, parse_fields
from ..errors import InvalidInput
from ..netlink.rtnetlink import Message
from ..plan import Action, Existing, Plan
from .interface_names import interface_name
from .rule_fields import GROUP

DEFAULT = 0


@dataclass(frozen=True)
class InterfaceGroup:
    """The group that an interface is in."""

    interface: str
    group: int

    @classmethod
    def parse(cls, entry: Any) -> InterfaceGroup:
        """Return one entry of ``interface_groups``; raises InvalidInput with bare reasons."""
        parsers = {"interface": interface_name, "group": GROUP}
        values, faults = parse_fields(entry, parsers, "interface", required=("interface", "group"))
        if values.get("group") == DEFAULT:
            faults.append("group 0 is the group of every interface; leave the entry out, and purge")
        if values.get("interface") == "lo":
            faults.append("the loopback interface belongs to no line")
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    @property
    def key(self) -> tuple[Any, ...]:
        """The interface."""
        return (self.interface,)

    def satisfied_by(self, other: InterfaceGroup) -> bool:
        """Tell whether ``other`` is the same group."""
        return self == other

    def as_input(self) -> dict[str, Any]:
        """Return the group as an entry of ``interface_groups``."""
        return {"interface": self.interface, "group": self.group}

    def __str__(self) -> str:
        return f"group {self.group} of interface {self.interface}"


def plan_groups(
    desired: Sequence[Entry[InterfaceGroup]], groups: Mapping[str, int], owner: int, purge: bool
) -> tuple[Plan[InterfaceGroup], dict[InterfaceGroup, str]]:
    """Return the steps, and of the entries that cannot be fulfilled the reasons.

    ``groups`` are the present ones by interface. An interface that is missing, or that somebody else put into another
    group, is no error: nothing is worse than before, and the reason says what follows.
    """
    before: list[InterfaceGroup] = []
    after: list[InterfaceGroup] = []
    adding: list[Action[InterfaceGroup]] = []
    removing: list[Action[InterfaceGroup]] = []
    reasons: dict[InterfaceGroup, str] = {}
    for entry in desired:
        wanted = entry.object
        now = groups.get(wanted.interface)
        here = None if not now else InterfaceGroup(wanted.interface, now)
        if now is None:
            reasons[wanted] = (
                f"{entry.where}: interface {wanted.interface} does not exist; it gets group {wanted.group} when it "
                "appears, if this is stored (persist)"
            )
        elif here is None:
            adding.append(Action("add", wanted, where=entry.where))
            after.append(wanted)
        elif now in (wanted.group, owner):
            before.append(here)
            after.append(wanted)
            if now != wanted.group:
                adding.append(Action("replace", wanted, _existing(here, owner), entry.where))
        else:
            reasons[wanted] = (
                f"{entry.where}: interface {wanted.interface} is in group {now} already and keeps it; rules with "
                f"suppress_interface_group {wanted.group} do not pass over the main table's routes by it"
            )
    listed = {entry.object.interface for entry in desired}
    for interface, now in groups.items():
        if now == owner and interface not in listed:
            here = InterfaceGroup(interface, now)
            before.append(here)
            if purge:
                removing.append(Action("remove", here, _existing(here, owner)))
            else:
                after.append(here)
    ordered = [tuple(sorted(items, key=lambda item: item.key)) for items in (before, after)]
    return Plan((*adding, *removing), ordered[0], ordered[1]), reasons


def _existing(group: InterfaceGroup, owner: int) -> Existing[InterfaceGroup]:
    return Existing(group, owner, Message("link", {}))


def group_message(index: int, group: int) -> Message:
    """Return the message that puts an interface into a group."""
    return Message("link", {"family": 0, "index": index}, {"IFLA_GROUP": group})


def requests(item: InterfaceGroup, operation: str, indexes: Mapping[str, int]) -> list[tuple[str, Message]]:
    """Return the requests of one action, in order: ``[(operation, message)]``."""
    return [("replace", group_message(indexes[item.interface], DEFAULT if operation == "remove" else item.group))]
