# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interfaces of a host as entries depend on them: alternative names, and which are down or missing. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ..entries import Entry
from ..errors import InvalidInput
from ..netlink.link_codec import UP
from ..netlink.rtnetlink import Message
from .interface_groups import InterfaceGroup
from .model import Alias, Route, Rule

T = TypeVar("T")
NOT_THERE = "does not exist on this host"
_IS_DOWN = "is down"


@dataclass(frozen=True)
class Link:
    """An interface."""

    name: str
    index: int
    up: bool
    group: int = 0
    alternative_names: tuple[str, ...] = ()


def decode_link(message: Message) -> Link:
    """Return the interface of a message."""
    return Link(
        message.get("IFLA_IFNAME", ""),
        message.header["index"],
        bool(message.header["flags"] & UP),
        message.get("IFLA_GROUP", 0),
        message.get("IFLA_PROP_LIST", ()),
    )


def named_interfaces(item: Any) -> set[str]:
    """Return every interface that an object names."""
    if isinstance(item, (Alias, InterfaceGroup)):
        return {item.interface}
    if isinstance(item, Route):
        return {name for name in (item.interface, *(hop.interface for hop in item.nexthops)) if name}
    return {name for name in (item.in_interface, item.out_interface) if name}


def renamed(item: T, names: Mapping[str, str]) -> T:
    """Return an object with each interface under its own name; ``names`` gives that for alternative ones."""
    if not names or names.keys().isdisjoint(named_interfaces(item)):
        return item
    changed: Any = item

    def name(written: str | None) -> str | None:
        return written and names.get(written, written)

    if isinstance(item, Alias):
        own = names[item.interface]
        label = item.label and own + item.label[len(item.interface) :]
        changed = replace(item, interface=own, label=label)
    elif isinstance(item, InterfaceGroup):
        changed = replace(item, interface=names[item.interface])
    elif isinstance(item, Route):
        hops = [replace(hop, interface=name(hop.interface)) for hop in item.nexthops]
        ordered = tuple(sorted(hops, key=lambda hop: (hop.gateway or "", hop.interface or "", hop.weight)))
        changed = replace(item, interface=name(item.interface), nexthops=ordered)
    elif isinstance(item, Rule):
        changed = replace(item, in_interface=name(item.in_interface), out_interface=name(item.out_interface))
    result: T = changed
    return result


def resolved(entries: Sequence[Entry[T]], names: Mapping[str, str]) -> list[Entry[T]]:
    """Return the entries with each interface under its own name.

    Raises InvalidInput for two entries that are one object by two names of an interface, unless they are equal.
    """
    if not names:
        return list(entries)
    kept: dict[Any, Entry[T]] = {}
    faults: list[str] = []
    at_fault: dict[Any, str] = {}
    for entry in entries:
        item: Any = renamed(entry.object, names)
        first = kept.setdefault(item.key, Entry(item, entry.where))
        if first.object != item:
            fault = f"two entries for one {item} by two names of an interface; keep one of them"
            faults.append(f"{first.where} and {entry.where}: {fault}")
            at_fault[entry.object] = fault
    if faults:
        raise InvalidInput(faults, at_fault)
    return list(kept.values())


@dataclass
class Skipped:
    """Entries that wait for an interface that is down or missing: ``reasons`` by object, ``places`` by interface."""

    reasons: dict[Any, str] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    def add(self, entry: Entry[Any], interface: str, state: str, part: str = "") -> None:
        """Note that an entry, or the ``part`` of it that is named, waits for an interface."""
        self.reasons.setdefault(entry.object, f'interface "{interface}" {state}')
        self.places.setdefault(interface, []).append(f"{part}{entry.where}")
        self.states[interface] = state

    def warnings(self) -> list[str]:
        """Return one line an interface."""
        return [
            f"interface {interface} {self.states[interface]}: skipped until it is up: {', '.join(places)}"
            for interface, places in self.places.items()
        ]

    def as_result(self) -> list[dict[str, Any]]:
        """Return what was skipped as a module's result tells it."""
        return [
            {"interface": interface, "reason": self.states[interface], "entries": list(places)}
            for interface, places in self.places.items()
        ]

    def waiting(self) -> dict[str, str]:
        """Return the same as the keeper tells it: objects with reasons."""
        return {str(item): reason for item, reason in self.reasons.items()}


def _state_of(name: str, interfaces: Mapping[str, int], down: Iterable[str]) -> str | None:
    if name not in interfaces:
        return NOT_THERE
    return _IS_DOWN if name in down else None


def available_routes(
    entries: Sequence[Entry[Route]], interfaces: Mapping[str, int], down: frozenset[str], skipped: Skipped
) -> list[Entry[Route]]:
    """Return the routes that the kernel can take now; of several next hops those whose interfaces are up."""
    kept: list[Entry[Route]] = []
    for entry in entries:
        route = entry.object
        states = {name: _state_of(name, interfaces, down) for name in sorted(named_interfaces(route))}
        lacking = {name: state for name, state in states.items() if state}
        if not lacking:
            kept.append(entry)
            continue
        hops = tuple(hop for hop in route.nexthops if hop.interface not in lacking)
        for name, state in lacking.items():
            skipped.add(entry, name, state, "a next hop of " if hops else "")
        if len(hops) == 1:
            # As the kernel makes no difference between one next hop and a list of one.
            alone = replace(route, gateway=hops[0].gateway, interface=hops[0].interface, nexthops=())
            kept.append(Entry(alone, entry.where))
        elif hops:
            kept.append(Entry(replace(route, nexthops=hops), entry.where))
    return kept


def available_aliases(
    entries: Sequence[Entry[Alias]], interfaces: Mapping[str, int], skipped: Skipped
) -> list[Entry[Alias]]:
    """Return the addresses whose interfaces exist; one that is down takes an address."""
    kept: list[Entry[Alias]] = []
    for entry in entries:
        state = _state_of(entry.object.interface, interfaces, ())
        if state:
            skipped.add(entry, entry.object.interface, state)
        else:
            kept.append(entry)
    return kept
