# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of addresses, routes, policy rules and gateways, one function each. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .. import fields
from ..netlink.rtnetlink import Message
from ..plan import Existing
from ..routing import rtnetlink_mapping
from ..routing.model import MAIN_TABLE
from .catalogue import Finding, finding
from .facts import Facts
from .model import Wanted

_FAILED = 0x08  # IFA_F_DADFAILED, linux/if_addr.h
_SHOWN = 3


def tables(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Routes of others in the lines' tables; the default route that a line needs may be anybody's."""
    routing = facts.routing
    if routing is None or not wanted.routes_by_policy:
        return
    own = wanted.own_routes()
    for line in wanted.lines:
        number = wanted.table_base + line.id
        foreign = [
            message
            for message in routing.messages["route"]
            if message.get("RTA_TABLE", message.header["table"]) == number
            and rtnetlink_mapping.owner_of(message) != wanted.protocol
        ]
        decoded = {id(item.handle): item.object for item in routing.routes(foreign)}
        foreign = [message for message in foreign if decoded.get(id(message)) not in own]
        if foreign:
            shown = _shown(f"{routing.shown(message)} of {_owner(message)}" for message in foreign)
            yield finding("table-in-use", f"table {number}", f"{line} needs it, and it holds {shown}")


def priorities(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Policy rules of others between ours, unless they say what ours say."""
    if not wanted.routes_by_policy:
        return
    first, last = wanted.priorities
    foreign = [
        (message, text)
        for message, text in _foreign_rules(wanted, facts)
        if first <= message.get("FRA_PRIORITY", 0) <= last
    ]
    if foreign:
        message_text = f"between our policy rules stand {_shown(text for _message, text in foreign)}"
        yield finding("priority-band-in-use", f"priorities {first} to {last}", message_text, first=first, last=last)


def rule_marks(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Policy rules of others that look at mark bits of ours."""
    if not wanted.uses_marks:
        return
    for message, text in _foreign_rules(wanted, facts):
        bits = message.get("FRA_FWMASK", 0) & wanted.mark_mask
        if bits:
            value = message.get("FRA_FWMARK", 0) & wanted.mark_mask
            line = next((line for line in wanted.lines if wanted.mark_of(line) & bits == value & bits), None)
            kind = "mark-in-use" if line else "mark-bits-shared"
            whose = f"which is the mark of {line}" if line else "which are ours"
            said = f"{text} looks at the bits 0x{bits:x} of the mark for 0x{value:x}, {whose}"
            yield finding(kind, f"policy rule {message.get('FRA_PRIORITY', 0)}", said, mask=wanted.mark_mask)


def _foreign_rules(wanted: Wanted, facts: Facts) -> Iterator[tuple[Message, str]]:
    """Yield the policy rules of others that are not what our lines need, each as people read it."""
    if facts.routing is None:
        return
    own = wanted.own_rules()
    for message in facts.routing.messages["rule"]:
        # The kernel's own rules (local, main, default) are of protocol 2.
        if rtnetlink_mapping.owner_of(message) in (wanted.protocol, 2):
            continue
        item = rtnetlink_mapping.decode_rule(message, {})
        if item is None or item.object not in own:
            yield message, f"{facts.routing.shown(message)} of {_owner(message)}"


def _owner(message: Message) -> str:
    return fields.owner_name(rtnetlink_mapping.owner_of(message))


def default_routes(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """More than one default route in main, not all ours; next hops of one route count each."""
    if facts.routing is None:
        return
    for family in (4, 6):
        found = [
            item
            for item in facts.routing.routes()
            if item.object.table == MAIN_TABLE
            and item.object.family == family
            and item.object.type == "unicast"
            and fields.is_everything(item.object.destination)
        ]
        hops = [hop for item in found for hop in _hops(item)]
        if len(hops) > 1 and any(item.owner != wanted.protocol for item in found):
            yield finding("several-default-routes", f"IPv{family}", f"main has {len(hops)}: {', '.join(hops)}")


def _hops(item: Existing[Any]) -> list[str]:
    route = item.object
    rest = f" metric {route.metric}, {fields.owner_name(item.owner)}"
    return [
        "".join([f"via {hop.gateway} " if hop.gateway else "", f"on {hop.interface}" if hop.interface else "", rest])
        for hop in route.nexthops or (route,)
    ]


def gateways(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Gateways that no network of their line's interface holds."""
    if facts.routing is None:
        return
    connected: dict[str, list[Any]] = {}
    for item in facts.routing.routes():
        route = item.object
        if route.type == "unicast" and not route.gateway and route.table == MAIN_TABLE and route.interface:
            connected.setdefault(route.interface, []).append(ipaddress.ip_network(route.destination))
    for line in wanted.lines:
        if line.interface not in facts.links:
            continue
        for gateway in line.gateways:
            parsed = ipaddress.ip_address(gateway)
            networks = [*line.networks(parsed.version), *connected.get(line.interface, ())]
            if not parsed.is_link_local and not any(parsed in network for network in networks):
                there = ", ".join(sorted({str(net) for net in networks if net.version == parsed.version})) or "nothing"
                message = f"the gateway of {line} is in no network of {line.interface}; that reaches {there} directly"
                yield finding("gateway-not-on-link", gateway, message, gateway=gateway, interface=line.interface)


def silent_gateways(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Gateways that were asked for and did not answer."""
    names = {(line.interface, gateway): line for line in wanted.lines for gateway in line.gateways}
    for target in facts.asked:
        if target not in facts.answers.gateways:
            interface, gateway = target
            how = "neighbour discovery" if ":" in gateway else "ARP"
            message = f"the gateway of {names[target]} does not answer {how} on {interface}"
            yield finding("gateway-silent", gateway, message, interface=interface)


def duplicates(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Addresses that another host has: IPv4 ones that answered, IPv6 ones that the kernel found taken (RFC 4862)."""
    for (interface, address), hardware in sorted(facts.answers.addresses.items()):
        yield finding("duplicate-address", address, f"{hardware} on {interface} has {address} already")
    hosts = {address.partition("/")[0] for line in wanted.lines for address in line.addresses}
    for item in facts.routing.addresses() if facts.routing else ():
        address = item.object.bare
        if item.handle.get("IFA_FLAGS", item.handle.header["flags"]) & _FAILED and address in hosts:
            message = f"duplicate address detection failed: another host on {item.object.interface} has {address}"
            yield finding("duplicate-address", address, message)


def not_checked(_wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """What could not be looked at."""
    for subject, reason in facts.not_checked:
        yield finding("not-checked", subject, reason)


def _shown(texts: Iterable[str]) -> str:
    every: Sequence[str] = list(dict.fromkeys(texts))
    rest = f", and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + rest
