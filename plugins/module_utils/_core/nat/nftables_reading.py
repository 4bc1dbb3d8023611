# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From nft's JSON of a rule or an element to a translation; reads only the forms that nftables_text.py writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..filters.nftables_json import as_dict, ip, read_prefix
from .maps import SHIFT, Item, Key, MapName, elements, map_tokens
from .model import NatRule, Ports
from .nftables_text import target_port

_PROTOCOLS: dict[Any, str] = {}
for _name, _number in (("tcp", 6), ("udp", 17), ("sctp", 132)):
    # By number on a host without /etc/protocols.
    _PROTOCOLS.update({_name: _name, _number: _name, str(_number): _name})
_FAMILIES = {"ip": 4, "ip6": 6, "ipv4": 4, "ipv6": 6}
_FIELDS = {"saddr": "source", "daddr": "destination", "sport": "source_port", "dport": "destination_port"}

Counted = tuple[int, int]
Element = tuple[NatRule, int, int]  # what it belongs to, packets, bytes


def read_elements(name: MapName, listed: Sequence[Any]) -> tuple[dict[Key, Element], list[Key]]:
    """Return a map's elements, and the keys of those that make no whole entry."""
    if name.tokens[-1] == SHIFT:
        return _read_shifted(name, listed)
    found: dict[Key, Element] = {}
    stray = []
    for wrapped, value in listed:
        key, comment, packets, counted_bytes = _key_of(name, wrapped)
        rule = _rule_of(name, key, value, comment)
        if rule is None:
            stray.append(key)
        else:
            found[key] = (rule, packets, counted_bytes)
    return found, stray


def _key_of(name: MapName, wrapped: Any) -> tuple[Key, str | None, int, int]:
    comment, packets, counted_bytes = None, 0, 0
    if "elem" in wrapped:
        element = wrapped["elem"]
        comment = element.get("comment")
        counter = element.get("counter")
        if counter:
            packets, counted_bytes = counter["packets"], counter["bytes"]
        wrapped = element["val"]
    parts = wrapped["concat"] if isinstance(wrapped, dict) and "concat" in wrapped else [wrapped]
    key = []
    for token, part in zip(name.tokens, parts):
        if token == "proto":
            key.append(_PROTOCOLS.get(part, part))
        elif token in ("sports", "dports"):
            key.append(_ports(part))
        else:
            key.append(part if isinstance(part, int) or token in ("iif", "oif") else read_prefix(part))
    return tuple(key), comment, packets, counted_bytes


def _rule_of(name: MapName, key: Key, value: Any, comment: str | None) -> NatRule | None:
    values: dict[str, Any] = {}
    for token, part in zip(name.tokens, key):
        if token in ("saddr", "snet"):
            values["source"] = part
        elif token in ("daddr", "dnet"):
            values["destination"] = part
        elif token == "proto":
            values["protocol"] = part
        elif token == "iif":
            values["in_interface"] = part
        elif token == "oif":
            values["out_interface"] = part
        elif token in ("sport", "sports"):
            values["source_port"] = part if token == "sports" else (part, part)
        else:
            values["destination_port"] = part if token == "dports" else (part, part)
    address, port = value["concat"] if name.has_port_value else (value, None)
    if port is not None and port != key[-1]:
        values["to_port"] = (port, port)
    rule = NatRule(name.family, name.type, to_address=read_prefix(address), name=comment, **values)
    return rule if rule.protocol in ("tcp", "udp", "sctp", "any") and map_tokens(rule) == name.tokens else None


def _read_shifted(name: MapName, listed: Sequence[Any]) -> tuple[dict[Key, Element], list[Key]]:
    """Put the ports of each range together again; the comment of an element says which range it belongs to."""
    groups: dict[tuple[Any, ...], dict[Key, tuple[Any, int, int]]] = {}
    for wrapped, value in listed:
        key, comment, packets, counted_bytes = _key_of(name, wrapped)
        groups.setdefault((key[:-1], comment), {})[key] = (value["concat"], packets, counted_bytes)
    found: dict[Key, Element] = {}
    stray: list[Key] = []
    for (_key, comment), held in groups.items():
        rule = _shifted_rule(name, held, comment or "")
        if rule is None:
            stray.extend(held)
        else:
            found.update({key: (rule, packets, count) for key, (_value, packets, count) in held.items()})
    return found, stray


def _shifted_rule(name: MapName, held: Mapping[Key, tuple[Any, int, int]], comment: str) -> NatRule | None:
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})(?: (.+))?", comment)
    if not match:
        return None
    first, last = int(match[1]), int(match[2])
    key = next(iter(held))
    start = held.get((*key[:-1], first))
    if start is None:
        return None
    address, port = start[0]
    single = MapName(name.type, name.family, (*name.tokens[:-1], "dport"))
    one_port = _rule_of(single, (*key[:-1], first), {"concat": start[0]}, None)
    if one_port is None:
        return None
    target = (port, port + last - first)
    rule = replace(one_port, name=match[3], destination_port=(first, last), to_port=target)
    whole = {key: [address, target_port(rule, key[-1])] for key in elements(rule, name.tokens)}
    actual = {key: value for key, (value, _packets, _bytes) in held.items()}
    return rule if rule.shifts_ports and rule.to_port != rule.destination_port and whole == actual else None


def parse_rule(expressions: Sequence[Any], hook: str, comment: str | None) -> tuple[Item | None, Counted]:
    """Return the lookup or translation that a rule's expressions are, or None; and what its counter says."""
    if not expressions:
        return None, (0, 0)
    kind, content = next(iter(expressions[-1].items()))
    if kind in ("dnat", "snat") and "map" in as_dict(content.get("addr")):
        name = _lookup_of(kind, content, expressions[:-1])
        return (name if name and name.hook == hook else None), (0, 0)
    values: dict[str, Any] = {}
    counted = (0, 0)
    for expression in expressions[:-1]:
        before, about = next(iter(expression.items()))
        if before == "counter" and about:
            counted = (about["packets"], about["bytes"])
        elif before != "match" or about["op"] != "==" or not _take_match(values, about):
            return None, counted
    rule = _translation(kind, content or {}, values, comment)
    wanted = ("dnat",) if hook == "destination" else ("snat", "masquerade")
    return (rule if rule and rule.type in wanted and map_tokens(rule) is None else None), counted


def _take_match(values: dict[str, Any], match: Mapping[str, Any]) -> bool:
    """Note what a match selects; False when it is none of ours or contradicts what is noted."""
    left, right = match["left"], match["right"]
    noted: dict[str, Any] = {}
    if "meta" in left:
        key = left["meta"].get("key")
        if key == "nfproto":
            noted["family"] = _FAMILIES.get(right)
        elif key in ("iifname", "oifname"):
            noted["in_interface" if key == "iifname" else "out_interface"] = right
        elif key == "l4proto":
            noted["protocol"] = _PROTOCOLS.get(right) if isinstance(right, (str, int)) else None
    elif "payload" in left:
        protocol, name = left["payload"].get("protocol"), left["payload"].get("field")
        if protocol in ("ip", "ip6") and name in ("saddr", "daddr"):
            noted = {"family": _FAMILIES[protocol], _FIELDS[name]: read_prefix(right)}
        elif name in ("sport", "dport") and (protocol == "th" or protocol in _PROTOCOLS):
            noted = {_FIELDS[name]: _ports(right)}
            if protocol != "th":
                noted["protocol"] = protocol
    if not noted or None in noted.values() or any(values.get(name, new) != new for name, new in noted.items()):
        return False
    values.update(noted)
    return True


def _lookup_of(kind: str, content: Mapping[str, Any], before: Sequence[Any]) -> MapName | None:
    name = MapName.parse(str(content["addr"]["map"].get("data", "")).lstrip("@"))
    if name is None or name.type != kind or content.get("family") != ip(name.family):
        return None
    expected = [_key_expression(token, name.family) for token in name.tokens]
    key = content["addr"]["map"].get("key", {})
    actual = key.get("concat", [key])
    if set(content) != {"family", "addr"} or actual != expected:
        return None
    return name if (_is_protocol_match(before) if name.needs_protocol else not before) else None


def _is_protocol_match(expressions: Sequence[Any]) -> bool:
    match = expressions[0].get("match", {}) if len(expressions) == 1 else {}
    protocols = as_dict(match.get("right")).get("set", [])
    is_whole = {_PROTOCOLS.get(protocol) for protocol in protocols} == set(_PROTOCOLS.values())
    return is_whole and match["op"] == "==" and match["left"] == {"meta": {"key": "l4proto"}}


def _key_expression(token: str, family: int) -> dict[str, Any]:
    if token in ("iif", "oif", "proto"):
        return {"meta": {"key": "l4proto" if token == "proto" else f"{token}name"}}
    if token in ("saddr", "snet", "daddr", "dnet"):
        return {"payload": {"protocol": ip(family), "field": f"{token[0]}addr"}}
    return {"payload": {"protocol": "th", "field": f"{token[0]}port"}}


def _translation(kind: str, content: Mapping[str, Any], values: dict[str, Any], comment: str | None) -> NatRule | None:
    values = dict(values)
    if kind not in ("dnat", "snat", "masquerade"):
        return None
    known = {"port", "family", "addr", "flags", "type_flags"}
    is_prefix = "prefix" in as_dict(content.get("addr"))
    expected_flags = ("netmap", "prefix") if is_prefix else (None, None)
    flags = (plain(content.get("flags")), plain(content.get("type_flags")))
    if set(content) - known or flags != expected_flags:
        return None
    told = content.get("family")
    family = values.pop("family", _FAMILIES.get(told) if told else None)
    if family is None or (told and _FAMILIES.get(told) != family) or (kind != "masquerade") != ("addr" in content):
        return None
    address = read_prefix(content["addr"]) if "addr" in content else None
    port = _ports(content["port"]) if "port" in content else None
    if ("addr" in content and address is None) or ("port" in content and port is None):
        return None
    return NatRule(family, kind, to_address=address, to_port=port, name=comment, **values)


def _ports(value: Any) -> Ports | None:
    if isinstance(value, int):
        return value, value
    limits = as_dict(value).get("range")
    return (limits[0], limits[1]) if limits else None


def plain(value: Any) -> Any:
    """Return an expression with lists of one word as that word: versions of nft differ in which they print."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return value[0] if len(value) == 1 and isinstance(value[0], str) else [plain(part) for part in value]
    return value
