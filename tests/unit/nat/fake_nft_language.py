# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of nft's language as this collection writes, to JSON as nft prints it. Written apart from what it tests."""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Any

PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "47": "gre", "58": "ipv6-icmp", "132": "sctp"}


class Refused(Exception):
    """Not understood, or not possible."""


def words(line: str) -> list[str]:
    """Return the words of a line; a quoted string keeps its quotation marks."""
    return re.findall(r'"[^"]*"|[{},;]|[^\s{},;]+', line)


def key_and_rest(listed: list[str], types: list[str]) -> tuple[list[Any], list[str]]:
    """Return an element's key as JSON, and the words behind it."""
    key = []
    for position, kind in enumerate(types):
        if position and listed[2 * position - 1] != ".":
            raise Refused("concatenation")
        key.append(_data(listed[2 * position], kind))
    return key, listed[2 * len(types) - 1 :]


def parse_value(after: list[str], types: list[str]) -> dict[str, Any]:
    """Return counter, comment and value of an element from the words behind its key."""
    counter, after = _counter(after)
    comment = None
    if after[0] == "comment":
        comment, after = after[1].strip('"'), after[2:]
    if after[0] != ":":
        raise Refused("no value")
    value, rest = key_and_rest(after[1:], types)
    if rest:
        raise Refused(f"trailing {rest}")
    return {"counter": counter, "comment": comment, "value": {"concat": value} if len(value) > 1 else value[0]}


def _counter(line: list[str]) -> tuple[dict[str, int], list[str]]:
    if line[0] != "counter":
        raise Refused("no counter")
    if line[1:2] == ["packets"]:
        return {"packets": int(line[2]), "bytes": int(line[4])}, line[5:]
    return {"packets": 0, "bytes": 0}, line[1:]


def _data(word: str, kind: str) -> Any:
    if kind == "ifname":
        if not re.fullmatch(r'"[^"]{1,15}"', word):
            raise Refused(f"interface {word}")
        return word.strip('"')
    if kind == "inet_proto":
        return _protocol(word)
    if kind == "inet_service":
        return _ports(word)
    version = 4 if kind == "ipv4_addr" else 6
    network = ipaddress.ip_network(word)
    if network.version != version:
        raise Refused(f"{word} is no {kind}")
    return _address(word)


def _protocol(word: str) -> Any:
    return PROTOCOLS.get(word) or (int(word) if word.isdigit() else word)


def _ports(word: str) -> Any:
    first, dash, last = word.partition("-")
    return {"range": [int(first), int(last)]} if dash else int(word)


def _address(word: str) -> Any:
    head, slash, length = word.partition("/")
    return {"prefix": {"addr": head, "len": int(length)}} if slash else head


def parse_rule(line: list[str]) -> dict[str, Any]:
    """Return ``expr`` and ``comment`` of a rule; what nft leaves out when it prints is left out."""
    comment: dict[str, str] = {}
    if line[-2:-1] == ["comment"]:
        line, comment = line[:-2], {"comment": line[-1].strip('"')}
    expressions: list[dict[str, Any]] = []
    while line:
        found = _selector(line) or _port_selector(line, expressions) or _verdict(line)
        if found is None:
            raise Refused(f"not understood: {' '.join(line)}")
        expression, line = found
        # A match of an address implies the family, one of a port the protocol.
        implied = {"ip": "nfproto", "ip6": "nfproto", "tcp": "l4proto", "udp": "l4proto", "sctp": "l4proto"}
        protocol = expression.get("match", {}).get("left", {}).get("payload", {}).get("protocol")
        if protocol is None and "ipv6-icmp" in str(expression):
            protocol = "ip6"
        expressions = [e for e in expressions if implied.get(protocol, "nothing") not in str(e)]
        expressions.append(expression)
    return {**comment, "expr": expressions}


Found = tuple[dict[str, Any], list[str]]


def _selector(line: list[str]) -> Found | None:
    match line:
        case ["fib", "daddr", "type", "local", *rest]:
            return _match({"fib": {"result": "type", "flags": ["daddr"]}}, "local"), rest
        case ["meta", "nfproto" | "l4proto" as key, *rest]:
            value, rest = _one_or_set(rest)
            return _match({"meta": {"key": key}}, value), rest
        case ["iifname" | "oifname" as key, name, *rest]:
            return _match({"meta": {"key": key}}, name.strip('"')), rest
        case ["ip" | "ip6" as protocol, "saddr" | "daddr" as name, "!=", value, *rest]:
            return _match({"payload": {"protocol": protocol, "field": name}}, _address(value), "!="), rest
        case ["ip" | "ip6" as protocol, "saddr" | "daddr" as name, value, *rest]:
            return _match({"payload": {"protocol": protocol, "field": name}}, _address(value)), rest
    return None


def _one_or_set(rest: list[str]) -> tuple[Any, list[str]]:
    if rest[0] != "{":
        return _protocol(rest[0]), rest[1:]
    end = rest.index("}")
    return {"set": [PROTOCOLS[word] for word in rest[1:end] if word != ","]}, rest[end + 1 :]


def _port_selector(line: list[str], before: list[dict[str, Any]]) -> Found | None:
    if line[0] != "th":
        return None
    lefts = [expression.get("match", {}).get("left", {}) for expression in before]
    found = [e["match"]["right"] for e, left in zip(before, lefts, strict=True) if left == {"meta": {"key": "l4proto"}}]
    found += [left["payload"]["protocol"] for left in lefts if "port" in str(left.get("payload"))]
    if not found:
        raise Refused("a port without its protocol")
    return _match({"payload": {"protocol": found[0], "field": line[1]}}, _ports(line[2])), line[3:]


def _verdict(line: list[str]) -> Found | None:
    match line:
        case ["counter", *_]:
            counter, rest = _counter(line)
            return {"counter": counter}, rest
        case ["jump", target]:
            return {"jump": {"target": target}}, []
        case ["masquerade" | "redirect" as kind, *rest]:
            return {kind: _to_this_host(rest) or None}, []
        case ["dnat" | "snat" as kind, "ip" | "ip6" as word, *rest]:
            statement, rest = _statement(rest)
            return {kind: {"family": word, **statement, **_flags(rest)}}, []
    return None


def _match(left: Any, right: Any, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": left, "right": right}}


def _statement(rest: list[str]) -> tuple[dict[str, Any], list[str]]:
    if rest[:2] == ["prefix", "to"]:
        return {"addr": _address(rest[2]), "flags": "netmap", "type_flags": "prefix"}, rest[3:]
    if "map" in rest:
        place = rest.index("map")
        return {"addr": {"map": _lookup(rest[1:place], rest[place + 1])}}, rest[place + 2 :]
    target = re.fullmatch(r"\[(.+)\]:([\d-]+)|([^:]+):([\d-]+)|([^\[\]]+)", rest[1])
    if rest[0] != "to" or not target:
        raise Refused("no target")
    address = target[1] or target[3] or target[5]
    ipaddress.ip_address(address)
    ports = target[2] or target[4]
    return {"addr": address, **({"port": _ports(ports)} if ports else {})}, rest[2:]


def _to_this_host(rest: list[str]) -> dict[str, Any]:
    """Return the content of a statement that names no address."""
    match rest:
        case ["to", key, *more] if "map" in more:
            place = more.index("map")
            return {"port": {"map": _lookup([key.lstrip(":"), *more[:place]], more[place + 1])}}
        case ["to", ports, *more]:
            return {"port": _ports(ports.lstrip(":")), **_flags(more)}
    return _flags(rest)


def _lookup(key: list[str], name: str) -> dict[str, Any]:
    parts = [_key(part.split()) for part in " ".join(key).split(" . ")]
    return {"key": {"concat": parts} if len(parts) > 1 else parts[0], "data": name}


def _flags(rest: list[str]) -> dict[str, Any]:
    # As words() cuts them, and as nft prints them: one flag is no list.
    flags = [word for word in rest if word != ","]
    if not set(flags) <= {"random", "persistent"}:
        raise Refused(f"trailing {rest}")
    return {"flags": flags[0] if len(flags) == 1 else flags} if flags else {}


def _key(part: list[str]) -> dict[str, Any]:
    match part:
        case ["iifname" | "oifname" as key] | ["meta", "l4proto" as key]:
            return {"meta": {"key": key}}
        case ["ip" | "ip6" | "th" as protocol, name]:
            return {"payload": {"protocol": protocol, "field": name}}
    raise Refused(f"key {part}")


def bounds(value: Any) -> tuple[Any, Any]:
    """Return the first and last value of a part of a key."""
    if isinstance(value, dict) and "range" in value:
        return value["range"][0], value["range"][1]
    if isinstance(value, dict):
        return _limits(f"{value['prefix']['addr']}/{value['prefix']['len']}")
    return _limits(value) if isinstance(value, str) else (value, value)


@functools.cache
def _limits(text: str) -> tuple[Any, Any]:
    if not re.fullmatch(r"[0-9a-f.]*[.:][0-9a-f.:]*(/[0-9]+)?", text):
        return text, text
    network = ipaddress.ip_network(text)
    return network.network_address, network.broadcast_address


def share(one: Any, other: Any) -> bool:
    """Return whether two parts of keys have a value in common."""
    (first, last), (other_first, other_last) = bounds(one), bounds(other)
    if isinstance(first, str) != isinstance(other_first, str):
        return False
    return bool(first <= other_last and other_first <= last)
