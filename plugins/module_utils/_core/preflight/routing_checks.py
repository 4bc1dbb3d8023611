# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of addresses, routes, policy rules and gateways, one function each. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from .. import fields
from ..entries import Entry
from ..errors import ForeignObject
from ..netlink.rtnetlink import Message
from ..plan import Existing, M, plan
from ..routing import rtnetlink_mapping
from ..routing.foreign_defaults import LARGE_ENOUGH, foreign_defaults, is_default_in_main
from ..routing.local_rule import local_rule_behind
from ..routing.model import MAIN_TABLE, TABLE_NAMES, Route
from ..routing.reply_model import POSSIBLE, TAKEN
from . import filter_checks
from .catalogue import WARNING, Finding, finding
from .facts import Facts
from .model import Desired, Network

_FAILED = 0x08  # IFA_F_DADFAILED, linux/if_addr.h
_KERNEL = 2  # RTPROT_KERNEL; the owner of the rules for local, main and default too
_MOST_SHOWN = 3
_UNKNOWN = "whether there are such replies cannot be seen: a program may mark its own packets"


def tables(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Routes of other owners in the lines' tables, apart from routes that policy_routing accepts as its own."""
    routing = facts.routing
    if routing is None:
        return
    declared = desired.routing.routes or []
    lines = {line.name: line for line in desired.lines}
    for number in sorted({entry.object.table for entry in declared}.difference(TABLE_NAMES.values())):
        messages = [m for m in routing.messages["route"] if m.get("RTA_TABLE", m.header["table"]) == number]
        foreign = _foreign(desired, messages, routing.routes(messages), declared)
        if foreign:
            line = lines.get(desired.routing.names.get(number, ""))
            said = _some(f"{routing.shown(message)} of {_owner(message)}" for message in foreign)
            yield finding("table-in-use", f"table {number}", f"{line or 'a line'} needs it, and it contains {said}")


def priorities(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Policy rules of other owners between those of the lines, apart from rules that policy_routing accepts."""
    bands: dict[int, list[int]] = {}
    for entry in desired.routing.rules or ():
        bands.setdefault(entry.object.family, []).append(entry.object.priority)
    foreign = [
        text
        for message, text in _foreign_rules(desired, facts)
        if (band := bands.get(rtnetlink_mapping.VERSION.get(message.header["family"], 0)))
        and min(band) <= message.get("FRA_PRIORITY", 0) <= max(band)
    ]
    if foreign:
        every = [priority for band in bands.values() for priority in band]
        first, last = min(every), max(every)
        message_text = f"there are rules of other owners between those of the lines: {_some(foreign)}"
        yield finding("priority-band-in-use", f"priorities {first} to {last}", message_text, first=first, last=last)


def rule_marks(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Policy rules of other owners that match bits of the mark mask."""
    if not desired.uses_marks:
        return
    for message, text in _foreign_rules(desired, facts):
        bits = message.get("FRA_FWMASK", 0) & desired.mark_mask
        if bits:
            value = message.get("FRA_FWMARK", 0) & desired.mark_mask
            line = next((line for line in desired.lines if desired.mark_of(line) & bits == value & bits), None)
            kind = "mark-in-use" if line else "mark-bits-shared"
            whose = f"the mark of {line}" if line else "within this collection's mark mask"
            said = f"{text} matches 0x{value:x} in the bits 0x{bits:x} of the mark, which is {whose}"
            yield finding(kind, f"policy rule {message.get('FRA_PRIORITY', 0)}", said, mask=desired.mark_mask)


def _foreign_rules(desired: Desired, facts: Facts) -> Iterator[tuple[Message, str]]:
    """Yield the policy rules of other owners that policy_routing does not accept, each with its text."""
    routing = facts.routing
    if routing is None:
        return
    messages = [m for m in routing.messages["rule"] if rtnetlink_mapping.owner_of(m) != _KERNEL]
    for message in _foreign(desired, messages, routing.rules(messages), desired.routing.rules or []):
        yield message, f"{routing.shown(message)} of {_owner(message)}"


def _foreign(
    desired: Desired, messages: Sequence[Message], existing: Sequence[Existing[M]], declared: Sequence[Entry[M]]
) -> list[Message]:
    """Return the messages of objects of other owners that the planner does not accept as declared ones."""
    foreign = [message for message in messages if rtnetlink_mapping.owner_of(message) != desired.protocol]
    entries = _by_key(declared)
    found = {id(item.handle): item for item in existing}
    return [message for message in foreign if not _is_accepted(found.get(id(message)), entries, desired.protocol)]


def _by_key(declared: Sequence[Entry[M]] | None) -> dict[object, Entry[M]]:
    return {entry.object.key: entry for entry in declared or ()}


def _is_accepted(existing: Existing[M] | None, entries: Mapping[object, Entry[M]], owner: int) -> bool:
    """Tell whether the planner counts an object of another owner as a declared one."""
    entry = entries.get(existing.object.key) if existing else None
    if existing is None or entry is None:
        return False
    try:
        return bool(plan([entry], [existing], owner, purge=False).others)
    except ForeignObject:
        return False


def _owner(message: Message) -> str:
    return fields.owner_name(rtnetlink_mapping.owner_of(message))


def default_routes(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """More than one default route in main, not all of them of the lines. Each next hop of a route counts.

    The routes that the caller will add count too: a warning at the second run would be too late.
    """
    if facts.routing is None:
        return
    declared = _by_key(desired.routing.routes)
    for family in (4, 6):
        found = [item for item in facts.routing.routes() if _is_default(item.object, family)]
        keys = {item.object.key for item in found}
        new = [entry.object for key, entry in declared.items() if key not in keys]
        added = [hop for route in new if _is_default(route, family) for hop in _hops(route, desired.protocol)]
        hops = [hop for item in found for hop in _hops(item.object, item.owner)]
        has_own = any(_is_default(entry.object, family) for entry in declared.values())
        # One behind all routes of the lines, as an assigned line should have it, decides nothing.
        behind = LARGE_ENOUGH if has_own else float("inf")
        foreign = [item for item in found if item.owner != desired.protocol and item.object.metric <= behind]
        if len(hops) + len(added) > 1 and not all(_is_accepted(item, declared, desired.protocol) for item in foreign):
            message = f"main has {len(hops)}: {fields.listed(hops)}"
            message += f"; to be added: {fields.listed(added)}" if added else ""
            own = [entry.object for entry in desired.routing.routes or ()]
            taking = [one for one in foreign_defaults(foreign, own, desired.protocol) if one.always]
            message += "".join(f"; {one.message}" for one in taking[:_MOST_SHOWN])
            yield finding("several-default-routes", f"IPv{family}", message)


def _is_default(route: Route, family: int) -> bool:
    return route.family == family and is_default_in_main(route)


def default_routes_to_come(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Lines with assigned addresses whose program has not added its default route yet, beside those of the lines."""
    if facts.routing is None or not any(is_default_in_main(entry.object) for entry in desired.routing.routes or ()):
        return
    known = {
        hop.interface
        for item in facts.routing.routes()
        if item.owner != desired.protocol and is_default_in_main(item.object)
        for hop in item.object.nexthops or (item.object,)
    }
    for line in desired.lines:
        if line.dynamic and line.interface not in known:
            message = f"{line.interface} of {line} has no default route in main yet; one may come with its address"
            yield finding("default-route-to-come", str(line), message, interface=line.interface, metric=LARGE_ENOUGH)


def _hops(route: Route, owner: int) -> list[str]:
    rest = f" metric {route.metric}, {fields.owner_name(owner)}"
    return [
        "".join([f"via {hop.gateway} " if hop.gateway else "", f"on {hop.interface}" if hop.interface else "", rest])
        for hop in route.nexthops or (route,)
    ]


def gateways(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Gateways that no network of their line's interface holds."""
    if facts.routing is None:
        return
    connected: dict[str, list[Network]] = {}
    for item in facts.routing.routes():
        route = item.object
        if route.type == "unicast" and not route.gateway and route.table == MAIN_TABLE and route.interface:
            connected.setdefault(route.interface, []).append(ipaddress.ip_network(route.destination))
    onlink = {entry.object.gateway for entry in desired.routing.routes or () if entry.object.onlink}
    for line in desired.lines:
        if line.interface not in facts.links:
            continue
        for gateway in line.gateways:
            if gateway in onlink:
                continue
            parsed = ipaddress.ip_address(gateway)
            networks = [*line.networks(parsed.version), *connected.get(line.interface, ())]
            if not parsed.is_link_local and not any(parsed in network for network in networks):
                there = fields.listed(sorted({str(net) for net in networks if net.version == parsed.version}))
                direct = f"it reaches {there or 'nothing'} directly"
                message = f"the gateway of {line} is in no network of {line.interface}; {direct}"
                yield finding("gateway-not-on-link", gateway, message, gateway=gateway, interface=line.interface)


def silent_gateways(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Gateways that did not answer."""
    names = {(line.interface, gateway): line for line in desired.lines for gateway in line.gateways}
    for target in facts.asked:
        if target not in facts.answers.gateways:
            interface, gateway = target
            how = "neighbour discovery" if ":" in gateway else "ARP"
            message = f"the gateway of {names[target]} does not answer {how} on {interface}"
            yield finding("gateway-silent", gateway, message, interface=interface)


def duplicates(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Addresses that another host uses: IPv4 by its answer, IPv6 by the kernel's duplicate detection (RFC 4862)."""
    for (interface, address), hardware in sorted(facts.answers.addresses.items()):
        yield finding("duplicate-address", address, f"{hardware} on {interface} already has {address}")
    hosts = {address.partition("/")[0] for line in desired.lines for address in line.addresses}
    for item in facts.routing.addresses() if facts.routing else ():
        address = item.object.bare
        if item.handle.get("IFA_FLAGS", item.handle.header["flags"]) & _FAILED and address in hosts:
            message = f"duplicate address detection failed: another host on {item.object.interface} has {address}"
            yield finding("duplicate-address", address, message)


def local_rule(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """The rule ``lookup local`` behind those of the lines: then the host could not be reached any more."""
    if facts.routing is None:
        return
    ours = [(entry.object, "") for entry in desired.routing.rules or ()]
    for family, message in local_rule_behind(facts.routing.messages["rule"], ours):
        command = f"ip -{family} rule add priority 0 lookup local"
        yield finding("local-rule-not-first", f"IPv{family}", message, command=command)


def replies(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Replies that do not leave by their line, or would not once this run has added the line's rules and routes."""
    kind = "reply-taken" if desired.reply_taken == "fail" else "reply-taken-tolerated"
    for found in facts.replies:
        subject, message = f"line {found.reply.line}", f"{found.subject}: {found.cause}"
        if found.kind == TAKEN:
            yield finding(kind, subject, message, remedy=found.remedy)
        elif found.kind == POSSIBLE:
            reason = filter_checks.gives_mark(desired, facts.filters, found.rule) if found.rule else ""
            possible = finding("reply-may-be-taken", subject, f"{message}; {reason or _UNKNOWN}", remedy=found.remedy)
            yield replace(possible, severity=WARNING) if reason else possible


def not_checked(_desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Facts that could not be read."""
    for subject, reason in facts.not_checked:
        yield finding("not-checked", subject, reason)


def _some(texts: Iterable[str]) -> str:
    return fields.listed(dict.fromkeys(texts), _MOST_SHOWN)
