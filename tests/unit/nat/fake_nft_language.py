# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of nft's language as this collection writes, to JSON as nft prints it. Written apart from what it tests."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp"}


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
    if line[1] == "packets":
        return {"packets": int(line[2]), "bytes": int(line[4])}, line[5:]
    return {"packets": 0, "bytes": 0}, line[1:]


def _data(word: str, kind: str) -> Any:
    if kind == "ifname":
        if not re.fullmatch(r'"[^"]{1,15}"', word):
            raise Refused(f"interface {word}")
        return word.strip('"')
    if kind == "inet_proto":
        return PROTOCOLS[word]
    if kind == "inet_service":
        return _ports(word)
    version = 4 if kind == "ipv4_addr" else 6
    network = ipaddress.ip_network(word)
    if network.version != version:
        raise Refused(f"{word} is no {kind}")
    return _address(word)


def _ports(word: str) -> Any:
    first, dash, last = word.partition("-")
    return {"range": [int(first), int(last)]} if dash else int(word)


def _address(word: str) -> Any:
    head, slash, length = word.partition("/")
    return {"prefix": {"addr": head, "len": int(length)}} if slash else head


def parse_rule(line: list[str]) -> dict[str, Any]:
    """Return ``expr`` and ``comment`` of a rule; what nft leaves out when it prints is left out."""
    expressions: list[dict[str, Any]] = []
    family = transport = None
    comment: dict[str, str] = {}
    while line:
        match line:
            case ["comment", text]:
                comment, line = {"comment": text.strip('"')}, []
            case ["counter", *_]:
                counter, line = _counter(line)
                expressions.append({"counter": counter})
            case ["jump", target]:
                expressions.append({"jump": {"target": target}})
                line = []
            case ["fib", "daddr", "type", "local", *line]:
                left = {"fib": {"result": "type", "flags": ["daddr"]}}
                expressions.append({"match": {"op": "==", "left": left, "right": "local"}})
            case ["meta", "nfproto", family, *line]:
                expressions.append(_match({"meta": {"key": "nfproto"}}, family))
            case ["meta", "l4proto", number, *line]:
                transport = PROTOCOLS[number]
                expressions.append(_match({"meta": {"key": "l4proto"}}, transport))
            case ["iifname" | "oifname" as key, name, *line]:
                expressions.append(_match({"meta": {"key": key}}, name.strip('"')))
            case ["ip" | "ip6" as protocol, "saddr" | "daddr" as name, "!=", value, *line]:
                left = {"payload": {"protocol": protocol, "field": name}}
                expressions.append({"match": {"op": "!=", "left": left, "right": _address(value)}})
            case ["ip" | "ip6" as protocol, "saddr" | "daddr" as name, value, *line]:
                expressions = [e for e in expressions if "nfproto" not in str(e)]
                expressions.append(_match({"payload": {"protocol": protocol, "field": name}}, _address(value)))
            case ["th", "sport" | "dport" as name, value, *line]:
                if transport is None:
                    raise Refused("a port without its protocol")
                expressions = [e for e in expressions if "l4proto" not in str(e)]
                expressions.append(_match({"payload": {"protocol": transport, "field": name}}, _ports(value)))
            case ["masquerade", "to", ports, *line]:
                expressions.append({"masquerade": {"port": _ports(ports.lstrip(":"))}})
            case ["masquerade", *line]:
                expressions.append({"masquerade": None})
            case ["dnat" | "snat" as kind, "ip" | "ip6" as word, *rest]:
                statement, line = _statement(rest)
                expressions.append({kind: {"family": word, **statement}})
            case _:
                raise Refused(f"not understood: {' '.join(line)}")
    return {**comment, "expr": expressions}


def _match(left: Any, right: Any) -> dict[str, Any]:
    return {"match": {"op": "==", "left": left, "right": right}}


def _statement(rest: list[str]) -> tuple[dict[str, Any], list[str]]:
    if rest[:2] == ["prefix", "to"]:
        return {"addr": _address(rest[2]), "flags": "netmap", "type_flags": "prefix"}, rest[3:]
    if "map" in rest:
        place = rest.index("map")
        key = [_key(part.split()) for part in " ".join(rest[1:place]).split(" . ")]
        looked_up = {"key": {"concat": key} if len(key) > 1 else key[0], "data": rest[place + 1]}
        return {"addr": {"map": looked_up}}, rest[place + 2 :]
    target = re.fullmatch(r"\[(.+)\]:([\d-]+)|([^:]+):([\d-]+)|([^\[\]]+)", rest[1])
    if rest[0] != "to" or not target:
        raise Refused("no target")
    address = target[1] or target[3] or target[5]
    ipaddress.ip_address(address)
    ports = target[2] or target[4]
    return {"addr": address, **({"port": _ports(ports)} if ports else {})}, rest[2:]


def _key(part: list[str]) -> dict[str, Any]:
    match part:
        case ["iifname" | "oifname" as key] | ["meta", "l4proto" as key]:
            return {"meta": {"key": key}}
        case ["ip" | "ip6" | "th" as protocol, name]:
            return {"payload": {"protocol": protocol, "field": name}}
    raise Refused(f"key {part}")


def bounds(value: Any) -> tuple[Any, Any]:
    """Return the first and last value that a part of a key stands for."""
    if isinstance(value, dict) and "range" in value:
        return value["range"][0], value["range"][1]
    if isinstance(value, dict):
        network = ipaddress.ip_network(f"{value['prefix']['addr']}/{value['prefix']['len']}")
        return network.network_address, network.broadcast_address
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f.]*[.:][0-9a-f.:]*", value):
        address = ipaddress.ip_address(value)
        return address, address
    return value, value


def share(one: Any, other: Any) -> bool:
    """Tell whether two parts of keys have a value in common."""
    (first, last), (other_first, other_last) = bounds(one), bounds(other)
    return bool(first <= other_last and other_first <= last)
