# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between rtnetlink messages and the model, both ways. Pure: no socket here.

Decoding returns None for an object that the model cannot express (a rule that jumps, a source-specific IPv6 route, a
route of type local): such objects are always foreign, and are never part of a plan.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ..netlink.rtnetlink import Message
from ..plan import Existing
from .model import Alias, Route, Rule
from .next_hops import NextHop

AF = {4: 2, 6: 10}
VERSION = {2: 4, 10: 6}
SECONDARY = 0x01  # IFA_F_SECONDARY, linux/if_addr.h
ONLINK = 0x04  # RTNH_F_ONLINK, linux/rtnetlink.h
_CLONED = 0x200  # RTM_F_CLONED: an entry of the route cache
INVERT = 0x02  # FIB_RULE_INVERT, linux/fib_rules.h
UNLIMITED = 0xFFFFFFFF
_WHOLE_PORT = 0xFFFF
_TENTATIVE = 0x40  # IFA_F_TENTATIVE
_FOR_GOOD_DEPRECATED = 0x80 | 0x20  # IFA_F_PERMANENT, IFA_F_DEPRECATED
_PROTOCOL_KERNEL = 2  # RTPROT_KERNEL
_LOCAL = 2  # RTN_LOCAL
ROUTE_TYPES = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
RULE_ACTIONS = {1: "lookup", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_JUMP = 2  # FR_ACT_GOTO, linux/fib_rules.h
RULE_ACTION_NUMBERS = {name: number for number, name in RULE_ACTIONS.items()}
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


def _canonical(text: str | None) -> str | None:
    # The C library writes ::ffff:192.0.2.1 where Python's ipaddress, and so the model, may write ::ffff:c000:201.
    return str(ipaddress.ip_address(text)) if text and ":" in text and "." in text else text


def decode_alias(message: Message, names: Mapping[int, str]) -> Existing[Alias] | None:
    """Return the address of a message; ``names`` gives interface names by index."""
    text = _canonical(message.get("IFA_LOCAL") or message.get("IFA_ADDRESS"))
    name = names.get(message.header["index"])
    if text is None or name is None:
        return None
    preferred_lifetime = 0 if is_never_preferred(message) else None
    alias = Alias(name, f"{text}/{message.header['prefixlen']}", message.get("IFA_LABEL"), preferred_lifetime)
    return Existing(alias, message.get("IFA_PROTO", 0), message)


def is_never_preferred(message: Message) -> bool:
    """Tell whether an IPv6 address is deprecated for good; one that was given a lifetime goes by itself."""
    flags = message.get("IFA_FLAGS", message.header["flags"])
    return message.header["family"] == AF[6] and flags & _FOR_GOOD_DEPRECATED == _FOR_GOOD_DEPRECATED


def decode_route(message: Message, names: Mapping[int, str]) -> Existing[Route] | None:
    """Return the route of a message; ``names`` gives interface names by index."""
    header = message.header
    kind = ROUTE_TYPES.get(header["type"])
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
        onlink=unicast and not hops and bool(header["flags"] & ONLINK),
        nexthops=tuple(sorted(hops, key=lambda hop: (hop.gateway or "", hop.interface or "", hop.weight))),
    )
    return Existing(route, header["proto"], message)


def decode_rule(message: Message, _names: Mapping[int, str]) -> Existing[Rule] | None:
    """Return the policy rule of a message."""
    header, get = message.header, message.get
    action = RULE_ACTIONS.get(header["action"])
    selectors = {name for name, value in message.attributes.items() if not _says_nothing(name, value)}
    if action is None or not selectors <= _RULE_ATTRIBUTES:
        return None
    suppress, group = get("FRA_SUPPRESS_PREFIXLEN", UNLIMITED), get("FRA_SUPPRESS_IFGROUP", UNLIMITED)
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
        invert=bool(header["flags"] & INVERT),
        action=action,
        table=get("FRA_TABLE", header["table"]) if action == "lookup" else None,
        suppress_prefix_length=None if suppress == UNLIMITED else suppress,
        suppress_interface_group=None if group == UNLIMITED else group,
    )
    return Existing(rule, get("FRA_PROTOCOL", 0), message)


def decode_jump(message: Message) -> Rule | None:
    """Return a rule that selects the same packets as a jump; None for any other message."""
    if message.header["action"] != _JUMP:
        return None
    attributes_left = {name: value for name, value in message.attributes.items() if name != "FRA_GOTO"}
    header = {**message.header, "action": RULE_ACTION_NUMBERS["unreachable"]}
    existing = decode_rule(Message("rule", header, attributes_left), {})
    return existing.object if existing else None


def _says_nothing(name: str, value: object) -> bool:
    if name in ("FRA_SPORT_MASK", "FRA_DPORT_MASK"):
        return bool(value == _WHOLE_PORT)
    return name in ("FRA_L3MDEV", "FRA_FLOW", "FRA_PAD") and value in (0, UNLIMITED, None)


def _range(value: str | None) -> tuple[int, int] | None:
    # pyroute2 hands ranges over as "FIRST:LAST".
    if not value:
        return None
    first, last = value.split(":")
    return int(first), int(last)


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


def interfaces_of(item: object) -> list[str]:
    """Return the interfaces that must exist before an object can be added; a policy rule may wait for its own."""
    if isinstance(item, Alias):
        return [item.interface]
    if isinstance(item, Route):
        return [name for name in (item.interface, *(hop.interface for hop in item.nexthops)) if name]
    return []
