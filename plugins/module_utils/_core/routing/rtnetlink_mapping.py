# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between rtnetlink messages and the model, both ways. Pure: no socket here.

Decoding returns None for an object that the model cannot express (a rule that jumps, a source-specific IPv6 route, a
route of type local): such objects are always foreign, and are never part of a plan.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ..netlink.rtnetlink import Message, attributes
from ..plan import Action, Existing, Model
from . import interface_groups
from .interface_groups import InterfaceGroup
from .model import Alias, Route, Rule
from .next_hops import NextHop

AF = {4: 2, 6: 10}
VERSION = {2: 4, 10: 6}
SECONDARY = 0x01  # IFA_F_SECONDARY, linux/if_addr.h
_ONLINK = 0x04  # RTNH_F_ONLINK, linux/rtnetlink.h
_CLONED = 0x200  # RTM_F_CLONED: an entry of the route cache
_INVERT = 0x02  # FIB_RULE_INVERT, linux/fib_rules.h
_UNLIMITED = 0xFFFFFFFF
_WHOLE_PORT = 0xFFFF
_TENTATIVE = 0x40  # IFA_F_TENTATIVE
_FOR_GOOD_DEPRECATED = 0x80 | 0x20  # IFA_F_PERMANENT, IFA_F_DEPRECATED
_NEVER_PREFERRED = {"ifa_preferred": 0, "ifa_valid": _UNLIMITED, "cstamp": 0, "tstamp": 0}
_LINK_SCOPE = 253
_PROTOCOL_KERNEL = 2  # RTPROT_KERNEL
_LOCAL = 2  # RTN_LOCAL
_ROUTE_TYPES = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
_ROUTE_TYPE_NUMBERS = {name: number for number, name in _ROUTE_TYPES.items()}
_RULE_ACTIONS = {1: "lookup", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_JUMP = 2  # FR_ACT_GOTO, linux/fib_rules.h
_RULE_ACTION_NUMBERS = {name: number for number, name in _RULE_ACTIONS.items()}
# Attributes of a rule that the model can express; a rule with any other one is foreign.
_RULE_ATTRIBUTES = frozenset(
    (
        "FRA_DST",
        "FRA_SRC",
        "FRA_IIFNAME",
        "FRA_OIFNAME",
        "FRA_PRIORITY",
        "FRA_FWMARK",
        "FRA_FWMASK",
        "FRA_TABLE",
        "FRA_SUPPRESS_PREFIXLEN",
        "FRA_SUPPRESS_IFGROUP",
        "FRA_UID_RANGE",
        "FRA_PROTOCOL",
        "FRA_IP_PROTO",
        "FRA_SPORT_RANGE",
        "FRA_DPORT_RANGE",
    )
)
# Attributes that change by themselves, or that the kernel reports but does not accept.
_VOLATILE_ATTRIBUTES = frozenset(("IFA_CACHEINFO", "RTA_CACHEINFO", "RTA_EXPIRES", "IFA_FLAGS"))
_LASTING_ADDRESS_FLAGS = 0x80 | 0x100 | 0x200 | 0x400 | 0x02  # permanent, managed, no prefix route, autojoin, no DAD


def _canonical(text: str | None) -> str | None:
    # The C library writes ::ffff:192.0.2.1 where Python's ipaddress, and so the model, may write ::ffff:c000:201.
    return str(ipaddress.ip_address(text)) if text and ":" in text and "." in text else text


def decode_alias(message: Message, names: Mapping[int, str]) -> Existing[Alias] | None:
    """Return the address of a message; ``names`` gives interface names by index."""
    text = _canonical(message.get("IFA_LOCAL") or message.get("IFA_ADDRESS"))
    name = names.get(message.header["index"])
    if text is None or name is None:
        return None
    preferred_lifetime = 0 if _is_never_preferred(message) else None
    alias = Alias(name, f"{text}/{message.header['prefixlen']}", message.get("IFA_LABEL"), preferred_lifetime)
    return Existing(alias, message.get("IFA_PROTO", 0), message)


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


def _is_never_preferred(message: Message) -> bool:
    """Tell whether an IPv6 address is deprecated for good; one that was given a lifetime goes by itself."""
    flags = message.get("IFA_FLAGS", message.header["flags"])
    return message.header["family"] == AF[6] and flags & _FOR_GOOD_DEPRECATED == _FOR_GOOD_DEPRECATED


def _broadcast(address: str, length: int) -> str:
    return str(ipaddress.ip_interface(f"{address}/{length}").network.broadcast_address)


def decode_route(message: Message, names: Mapping[int, str]) -> Existing[Route] | None:
    """Return the route of a message; ``names`` gives interface names by index."""
    header = message.header
    kind = _ROUTE_TYPES.get(header["type"])
    if kind is None or header["tos"] or header["src_len"] or header["flags"] & _CLONED:
        return None
    if "RTA_VIA" in message.attributes or "RTA_ENCAP" in message.attributes:
        return None
    family = VERSION[header["family"]]
    everything = "0.0.0.0" if family == 4 else "::"
    unicast = kind == "unicast"
    hops = tuple(
        NextHop(
            _canonical(dict(hop["attrs"]).get("RTA_GATEWAY")),
            names.get(hop["oif"], f"index {hop['oif']}"),
            hop["hops"] + 1,
        )
        for hop in message.get("RTA_MULTIPATH", ())
    )
    oif = message.get("RTA_OIF")
    metrics = dict((message.get("RTA_METRICS") or {}).get("attrs", ()))
    route = Route(
        table=message.get("RTA_TABLE", header["table"]),
        destination=f"{_canonical(message.get('RTA_DST', everything))}/{header['dst_len']}",
        metric=message.get("RTA_PRIORITY", 0),
        type=kind,
        gateway=_canonical(message.get("RTA_GATEWAY")) if unicast else None,
        # The kernel lists a reject route of IPv6 on the loopback interface; it means nothing there.
        interface=names.get(oif, f"index {oif}") if unicast and oif is not None else None,
        source=_canonical(message.get("RTA_PREFSRC")),
        mtu=metrics.get("RTAX_MTU"),
        onlink=unicast and not hops and bool(header["flags"] & _ONLINK),
        nexthops=tuple(sorted(hops, key=lambda hop: (hop.gateway or "", hop.interface or "", hop.weight))),
    )
    return Existing(route, header["proto"], message)


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
        "flags": _ONLINK if route.onlink else 0,
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


def decode_rule(message: Message, _names: Mapping[int, str]) -> Existing[Rule] | None:
    """Return the policy rule of a message."""
    header, get = message.header, message.get
    action = _RULE_ACTIONS.get(header["action"])
    selectors = {name for name, value in message.attributes.items() if not _says_nothing(name, value)}
    if action is None or not selectors <= _RULE_ATTRIBUTES:
        return None
    suppress, group = get("FRA_SUPPRESS_PREFIXLEN", _UNLIMITED), get("FRA_SUPPRESS_IFGROUP", _UNLIMITED)
    mark = (get("FRA_FWMARK", 0), get("FRA_FWMASK", 0))
    rule = Rule(
        priority=get("FRA_PRIORITY", 0),
        family=VERSION[header["family"]],
        source=f"{_canonical(get('FRA_SRC'))}/{header['src_len']}" if header["src_len"] else None,
        destination=f"{_canonical(get('FRA_DST'))}/{header['dst_len']}" if header["dst_len"] else None,
        in_interface=get("FRA_IIFNAME"),
        out_interface=get("FRA_OIFNAME"),
        mark=mark if mark[1] else None,
        ip_protocol=get("FRA_IP_PROTO") or None,
        source_port=_range(get("FRA_SPORT_RANGE")),
        destination_port=_range(get("FRA_DPORT_RANGE")),
        tos=header["tos"] or None,
        uid_range=_range(get("FRA_UID_RANGE")),
        invert=bool(header["flags"] & _INVERT),
        action=action,
        table=get("FRA_TABLE", header["table"]) if action == "lookup" else None,
        suppress_prefix_length=None if suppress == _UNLIMITED else suppress,
        suppress_interface_group=None if group == _UNLIMITED else group,
    )
    return Existing(rule, get("FRA_PROTOCOL", 0), message)


def decode_jump(message: Message) -> Rule | None:
    """Return a rule that selects the same packets as a jump; None for any other message."""
    if message.header["action"] != _JUMP:
        return None
    attributes_left = {name: value for name, value in message.attributes.items() if name != "FRA_GOTO"}
    header = {**message.header, "action": _RULE_ACTION_NUMBERS["unreachable"]}
    existing = decode_rule(Message("rule", header, attributes_left), {})
    return existing.object if existing else None


def _says_nothing(name: str, value: object) -> bool:
    if name in ("FRA_SPORT_MASK", "FRA_DPORT_MASK"):
        return bool(value == _WHOLE_PORT)
    return name in ("FRA_L3MDEV", "FRA_FLOW", "FRA_PAD") and value in (0, _UNLIMITED, None)


def _range(value: str | None) -> tuple[int, int] | None:
    # pyroute2 hands ranges over as "FIRST:LAST".
    if not value:
        return None
    first, last = value.split(":")
    return int(first), int(last)


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
        "action": _RULE_ACTION_NUMBERS[rule.action],
        "flags": _INVERT if rule.invert else 0,
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
        if _is_never_preferred(message):
            kept["IFA_CACHEINFO"] = dict(_NEVER_PREFERRED)
    elif message.kind == "route":
        header["flags"] = header["flags"] & _ONLINK
        if "RTA_MULTIPATH" in kept:
            kept["RTA_MULTIPATH"] = [{**hop, "flags": hop["flags"] & _ONLINK} for hop in kept["RTA_MULTIPATH"]]
    else:
        header["flags"] = header["flags"] & _INVERT
    return Message(message.kind, header, kept)


def again(message: Message) -> Message:
    """Return a dumped message as it can be sent to add its object again, with the lifetime it has left."""
    lasting_message = lasting(message)
    lifetime = message.get("IFA_CACHEINFO")
    if message.kind != "address" or not lifetime or lifetime["ifa_valid"] == _UNLIMITED:
        return lasting_message
    return Message("address", lasting_message.header, {**lasting_message.attributes, "IFA_CACHEINFO": lifetime})


def owner_of(message: Message) -> int:
    """Return the protocol number of an object, its owner tag."""
    if message.kind == "route":
        return message.header["proto"]
    return int(message.get("IFA_PROTO" if message.kind == "address" else "FRA_PROTOCOL", 0))


def is_tentative(message: Message, address: str) -> bool:
    """Tell whether a message is of this IPv6 address while it is still probed for duplicates."""
    return message.get("IFA_ADDRESS") == address and bool(message.get("IFA_FLAGS", 0) & _TENTATIVE)


def answered_for(route: Message) -> tuple[str | None, int] | None:
    """Return address and interface index, if a route is one by which the host takes what is sent to its addresses."""
    return (_canonical(route.get("RTA_DST")), route.get("RTA_OIF")) if route.header["type"] == _LOCAL else None


def gateway_of(route: Message) -> str | None:
    """Return the gateway of a route."""
    return _canonical(route.get("RTA_GATEWAY"))


def destination_of(route: Message) -> str:
    """Return the prefix of a route."""
    everything = "0.0.0.0" if VERSION[route.header["family"]] == 4 else "::"
    network = f"{_canonical(route.get('RTA_DST', everything))}/{route.header['dst_len']}"
    return str(ipaddress.ip_network(network, strict=False))


def is_made_by_kernel(message: Message) -> bool:
    """Tell whether a route is one of those that the kernel adds for each address."""
    return message.header["proto"] == _PROTOCOL_KERNEL


def packed_destination(destination: str) -> tuple[bytes, int]:
    """Return a destination as messages have it: the packed network, empty for a default route, and its length."""
    network, _slash, length = destination.partition("/")
    return ipaddress.ip_address(network).packed if int(length) else b"", int(length)


def route_key(message: Message) -> tuple[object, ...]:
    """Return the fields by which the kernel distinguishes routes."""
    header = message.header
    table = message.get("RTA_TABLE", header["table"])
    return (
        header["family"],
        table,
        header["tos"],
        message.get("RTA_DST"),
        header["dst_len"],
        message.get("RTA_PRIORITY"),
    )


def is_ipv4_on(message: Message, index: int) -> bool:
    """Tell whether a message is of an IPv4 address on the interface of this index."""
    return message.header["family"] == AF[4] and message.header["index"] == index


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


def interfaces_of(item: object) -> list[str]:
    """Return the interfaces that must exist before an object can be added; a policy rule may wait for its own."""
    if isinstance(item, Alias):
        return [item.interface]
    if isinstance(item, Route):
        return [name for name in (item.interface, *(hop.interface for hop in item.nexthops)) if name]
    return []
