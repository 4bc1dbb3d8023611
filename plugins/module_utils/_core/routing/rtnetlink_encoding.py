# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model to rtnetlink messages that change the host: the other half of rtnetlink_mapping. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ..netlink.rtnetlink import Message, attributes
from ..plan import Action, Model
from . import interface_groups
from .interface_groups import InterfaceGroup
from .model import Alias, Route, Rule
from .rtnetlink_mapping import AF, INVERT, ONLINK, ROUTE_TYPES, RULE_ACTION_NUMBERS, UNLIMITED, is_never_preferred

_NEVER_PREFERRED = {"ifa_preferred": 0, "ifa_valid": UNLIMITED, "cstamp": 0, "tstamp": 0}
_LINK_SCOPE = 253
# Attributes that change by themselves, or that the kernel reports but does not accept.
_VOLATILE_ATTRIBUTES = frozenset(("IFA_CACHEINFO", "RTA_CACHEINFO", "RTA_EXPIRES", "IFA_FLAGS"))
_LASTING_ADDRESS_FLAGS = 0x80 | 0x100 | 0x200 | 0x400 | 0x02  # permanent, managed, no prefix route, autojoin, no DAD
_ROUTE_TYPE_NUMBERS = {name: number for number, name in ROUTE_TYPES.items()}


def encode_alias(alias: Alias, index: int, owner: int) -> Message:
    """Return the message that adds an address."""
    address, _slash, length = alias.address.partition("/")
    broadcast = None
    if alias.family == 4 and int(length) < 31:
        broadcast = _broadcast(address, int(length))
    header = {"family": AF[alias.family], "prefixlen": int(length), "flags": 0, "scope": 0, "index": index}
    label = (alias.label or alias.interface) if alias.family == 4 else None
    return Message(
        "address",
        header,
        attributes(
            (
                ("IFA_LOCAL", address),
                ("IFA_ADDRESS", address),
                ("IFA_LABEL", label),
                ("IFA_BROADCAST", broadcast),
                ("IFA_CACHEINFO", None if alias.preferred_lifetime is None else dict(_NEVER_PREFERRED)),
                ("IFA_PROTO", owner),
            )
        ),
    )


def _broadcast(address: str, length: int) -> str:
    return str(ipaddress.ip_interface(f"{address}/{length}").network.broadcast_address)


def encode_route(route: Route, indexes: Mapping[str, int], owner: int) -> Message:
    """Return the message that adds or replaces a route."""
    network, _slash, length = route.destination.partition("/")
    on_link = route.family == 4 and route.type == "unicast" and not route.gateway and not route.nexthops
    header = {
        "family": AF[route.family],
        "dst_len": int(length),
        "src_len": 0,
        "tos": 0,
        "table": route.table if route.table < 256 else 0,
        "proto": owner,
        "scope": _LINK_SCOPE if on_link else 0,
        "type": _ROUTE_TYPE_NUMBERS[route.type],
        "flags": ONLINK if route.onlink else 0,
    }
    hops = [
        {
            "hops": hop.weight - 1,
            "oif": indexes[hop.interface] if hop.interface else 0,
            "attrs": [("RTA_GATEWAY", hop.gateway)] if hop.gateway else [],
        }
        for hop in route.nexthops
    ]
    return Message(
        "route",
        header,
        attributes(
            (
                ("RTA_TABLE", route.table),
                ("RTA_DST", network if int(length) else None),
                ("RTA_PRIORITY", route.metric or None),
                ("RTA_GATEWAY", route.gateway),
                ("RTA_OIF", indexes[route.interface] if route.interface else None),
                ("RTA_PREFSRC", route.source),
                ("RTA_METRICS", {"attrs": [("RTAX_MTU", route.mtu)]} if route.mtu else None),
                ("RTA_MULTIPATH", hops or None),
            )
        ),
    )


def encode_rule(rule: Rule, owner: int) -> Message:
    """Return the message that adds a policy rule."""
    source, _slash, source_length = (rule.source or "").partition("/")
    destination, _slash, destination_length = (rule.destination or "").partition("/")
    header = {
        "family": AF[rule.family],
        "dst_len": int(destination_length or 0),
        "src_len": int(source_length or 0),
        "tos": rule.tos or 0,
        "table": rule.table if rule.table is not None and rule.table < 256 else 0,
        "action": RULE_ACTION_NUMBERS[rule.action],
        "flags": INVERT if rule.invert else 0,
    }
    ranges = {"FRA_SPORT_RANGE": rule.source_port, "FRA_DPORT_RANGE": rule.destination_port}
    ranges["FRA_UID_RANGE"] = rule.uid_range
    return Message(
        "rule",
        header,
        attributes(
            (
                ("FRA_PRIORITY", rule.priority),
                ("FRA_SRC", source or None),
                ("FRA_DST", destination or None),
                ("FRA_IIFNAME", rule.in_interface),
                ("FRA_OIFNAME", rule.out_interface),
                ("FRA_FWMARK", rule.mark[0] if rule.mark else None),
                ("FRA_FWMASK", rule.mark[1] if rule.mark else None),
                ("FRA_TABLE", rule.table),
                ("FRA_SUPPRESS_PREFIXLEN", rule.suppress_prefix_length),
                ("FRA_SUPPRESS_IFGROUP", rule.suppress_interface_group),
                ("FRA_PROTOCOL", owner),
                ("FRA_IP_PROTO", rule.ip_protocol),
                *((name, f"{pair[0]}:{pair[1]}" if pair else None) for name, pair in ranges.items()),
            )
        ),
    )


def lasting(message: Message) -> Message:
    """Return a dumped message as it can be sent again, without volatile attributes and those only reported."""
    header = dict(message.header)
    kept = {name: value for name, value in message.attributes.items() if name not in _VOLATILE_ATTRIBUTES}
    if message.kind == "address":
        header["flags"] = 0
        flags = message.get("IFA_FLAGS", message.header["flags"]) & _LASTING_ADDRESS_FLAGS
        kept["IFA_FLAGS"] = flags
        if is_never_preferred(message):
            kept["IFA_CACHEINFO"] = dict(_NEVER_PREFERRED)
    elif message.kind == "route":
        header["flags"] = header["flags"] & ONLINK
        if "RTA_MULTIPATH" in kept:
            kept["RTA_MULTIPATH"] = [{**hop, "flags": hop["flags"] & ONLINK} for hop in kept["RTA_MULTIPATH"]]
    else:
        header["flags"] = header["flags"] & INVERT
    return Message(message.kind, header, kept)


def again(message: Message) -> Message:
    """Return a dumped message as it can be sent to add its object again, with the lifetime it has left."""
    lasting_message = lasting(message)
    lifetime = message.get("IFA_CACHEINFO")
    if message.kind != "address" or not lifetime or lifetime["ifa_valid"] == UNLIMITED:
        return lasting_message
    return Message("address", lasting_message.header, {**lasting_message.attributes, "IFA_CACHEINFO": lifetime})


def is_added_again(action: Action[Model]) -> bool:
    """Tell whether an action removes an address and adds it again, changed."""
    item, before = action.object, action.existing.object if action.existing else None
    if action.op != "replace" or not isinstance(item, Alias) or not isinstance(before, Alias):
        return False
    # The kernel changes a lifetime in place, but not a label, and refuses a second address of one key.
    return item.address != before.address or item.label not in (None, before.label)


def requests(action: Action[Model], indexes: Mapping[str, int], owner: int) -> list[tuple[str, Message]]:
    """Return the requests of one action, but for those on policy rules, in order: ``[(operation, message)]``."""
    item, existing = action.object, action.existing
    if isinstance(item, InterfaceGroup):
        return interface_groups.requests(item, action.op, indexes)
    gone = [("remove", lasting(existing.handle))] if existing and action.op != "add" else []
    if action.op == "remove":
        return gone
    if isinstance(item, Alias):
        message = encode_alias(item, indexes[item.interface], owner)
        if existing is None:
            return [("add", message)]
        # Break before make cannot be helped; but the loopback interface holds it: loopback_placeholders.py.
        return [*gone, ("add", message)] if is_added_again(action) else [("replace", message)]
    if isinstance(item, Route):
        return [("replace" if existing else "add", encode_route(item, indexes, owner))]
    raise TypeError(f"neither an address nor a route: {item}")
