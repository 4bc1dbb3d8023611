# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nft in memory: takes transactions as text, gives JSON, refuses what the kernel refuses.

tests/integration/test_nat_kernel.py holds it against the real program.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.multihome.linux.tests.unit.nat.fake_nft_language import (
    Refused,
    key_and_rest,
    parse_rule,
    parse_value,
    share,
    words,
)


@dataclass
class Map:
    """A map: its data types and its elements by the text of their keys."""

    keys: list[str]
    values: list[str]
    interval: bool
    elements: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Chain:
    """A chain: what it is hooked to, and its rules as JSON."""

    base: dict[str, Any]
    rules: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Content:
    """The chains and maps of one table."""

    chains: dict[str, Chain] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)


class FakeNft:
    """Replaces the program: call it with its arguments and standard input.

    ``read_only`` makes a write an AssertionError, ``fail`` makes it fail as a kernel without memory does, ``most`` is
    the longest text that fits the send buffer. ``written`` holds every transaction that was accepted. ``style`` is the
    version whose JSON is printed.
    """

    def __init__(self, style: str = "1.0.6") -> None:
        self.tables: dict[str, Content] = {}
        self.read_only = self.fail = False
        self.most = 1_000_000_000
        self.written: list[str] = []
        self.style = style
        self._handle = 0

    def __call__(self, arguments: Sequence[str], text: str | None) -> tuple[int, str, str]:
        """Run one command: ``-j list table inet NAME`` or ``-f -``."""
        if list(arguments[:3]) == ["-j", "list", "table"]:
            return self._list(arguments[4])
        if list(arguments) != ["-f", "-"] or text is None:
            raise AssertionError(f"unexpected arguments: {arguments}")
        if self.read_only:
            raise AssertionError(f"written where nothing may be: {text}")
        if self.fail:
            return 1, "", "/dev/stdin:1:1-1: Error: Could not process rule: Cannot allocate memory\n"
        if len(text) > self.most:
            return 1, "", "netlink: Error: Could not process rule: Message too long\n"
        before = copy.deepcopy(self.tables)
        for line in text.splitlines():
            try:
                self._command(words(line))
            except (Refused, KeyError) as error:
                self.tables = before
                return 1, "", f"/dev/stdin: Error: {error!r} in {line[:200]}\n"
        self.written.append(text)
        return 0, "", ""

    def _command(self, line: list[str]) -> None:
        operation, kind, family, table, *rest = line
        if family != "inet":
            raise Refused(f"family {family}")
        if kind == "table":
            if operation == "add":
                self.tables.setdefault(table, Content())
            else:
                del self.tables[table]
            return
        name, *rest = rest
        getattr(self, f"_{operation}_{kind}")(self.tables[table], name, rest)

    def _add_chain(self, table: Content, name: str, rest: list[str]) -> None:
        base: dict[str, Any] = {}
        if rest:
            hooked = re.fullmatch(r"{ type nat hook (\w+) priority (-?\d+) ; policy accept ; }", " ".join(rest))
            if not hooked:
                raise Refused("chain definition")
            base = {"type": "nat", "hook": hooked[1], "prio": int(hooked[2]), "policy": "accept"}
        table.chains.setdefault(name, Chain(base))

    def _flush_chain(self, table: Content, name: str, _rest: list[str]) -> None:
        table.chains[name].rules.clear()

    def _delete_chain(self, table: Content, name: str, _rest: list[str]) -> None:
        if table.chains[name].rules or f'"target": "{name}"' in _everything(table):
            raise Refused(f"chain {name} is busy")
        del table.chains[name]

    def _add_map(self, table: Content, name: str, rest: list[str]) -> None:
        definition = re.fullmatch(r"{ type (.+) : (.+?) ;( flags interval ;)? counter ; }", " ".join(rest))
        if not definition or name in table.maps:
            raise Refused("map definition")
        if len(definition[1].split(" . ")) > 5:
            raise Refused("the real one takes it and prints another type")
        table.maps[name] = Map(definition[1].split(" . "), definition[2].split(" . "), bool(definition[3]))

    def _delete_map(self, table: Content, name: str, _rest: list[str]) -> None:
        if f'"@{name}"' in _everything(table):
            raise Refused(f"map {name} is busy")
        del table.maps[name]

    def _add_element(self, table: Content, name: str, rest: list[str]) -> None:
        held = table.maps[name]
        for listed in _listed(rest):
            key, after = key_and_rest(listed, held.keys)
            element = parse_value(after, held.values)
            text = json.dumps(key)
            if any(all(map(share, key, other["key"])) for other in _near(held, text)):
                raise Refused(f"{text} is in {name} already, or overlaps what is")
            held.elements[text] = {"key": key, **element}

    def _delete_element(self, table: Content, name: str, rest: list[str]) -> None:
        for listed in _listed(rest):
            key, after = key_and_rest(listed, table.maps[name].keys)
            if after:
                raise Refused("more than a key")
            del table.maps[name].elements[json.dumps(key)]

    def _add_rule(self, table: Content, name: str, rest: list[str]) -> None:
        table.chains[name].rules.append(self._rule(table, rest))

    def _insert_rule(self, table: Content, name: str, rest: list[str]) -> None:
        rules = table.chains[name].rules
        rules.insert(self._position(rules, rest), self._rule(table, rest[2:]))

    def _delete_rule(self, table: Content, name: str, rest: list[str]) -> None:
        rules = table.chains[name].rules
        del rules[self._position(rules, rest)]

    @staticmethod
    def _position(rules: list[dict[str, Any]], rest: list[str]) -> int:
        if rest[0] != "handle":
            raise Refused("no handle")
        handles = [rule["handle"] for rule in rules]
        if int(rest[1]) not in handles:
            raise Refused(f"no rule {rest[1]}")
        return handles.index(int(rest[1]))

    def _rule(self, table: Content, rest: list[str]) -> dict[str, Any]:
        self._handle += 1
        rule = {"handle": self._handle, **parse_rule(rest)}
        if not set(re.findall(r'"target": "(\w+)"', json.dumps(rule))) <= set(table.chains):
            raise Refused("no such chain to jump to")
        for name in re.findall(r'"@(\w+)"', json.dumps(rule)):
            if name not in table.maps:
                raise Refused(f"no map {name}")
            held = table.maps[name]
            if held.interval and len(held.values) > 1 and '"set"' not in json.dumps(rule):
                raise Refused("transport protocol mapping is only valid after transport protocol match")
        return rule

    def _list(self, name: str) -> tuple[int, str, str]:
        if name not in self.tables:
            return 1, "", "Error: No such file or directory\nlist table inet x\n"
        table = self.tables[name]
        of = {"family": "inet", "table": name}
        chains = [{"chain": {**of, "name": key, **chain.base}} for key, chain in table.chains.items()]
        maps = [{"map": {**of, "name": key, **self._map(held)}} for key, held in table.maps.items()]
        rules = [{"rule": {**of, "chain": key, **rule}} for key, chain in table.chains.items() for rule in chain.rules]
        if not self.style.startswith("1.0"):
            rules = [_without_implied_family(wrapped) for wrapped in rules]
        objects = [*maps, *chains, *rules] if self.style.startswith("1.0") else [*chains, *maps, *rules]
        head = [{"metainfo": {"version": self.style}}, {"table": {"family": "inet", "name": name}}]
        return 0, json.dumps({"nftables": head + objects}), ""

    def _map(self, held: Map) -> dict[str, Any]:
        flags = {"flags": ["interval"]} if held.interval else {}
        value: Any = held.values if len(held.values) > 1 else held.values[0]
        if self.style.startswith("1.0"):
            value = " . ".join(held.values)
        elements = [[_element(element), element["value"]] for element in held.elements.values()]
        listed = {"elem": elements} if elements else {}
        return {"type": held.keys if len(held.keys) > 1 else held.keys[0], "map": value, **flags, **listed}


def _element(element: dict[str, Any]) -> dict[str, Any]:
    key = element["key"]
    inner = {"val": {"concat": key} if len(key) > 1 else key[0], "counter": element["counter"]}
    return {"elem": {**inner, **({"comment": element["comment"]} if element["comment"] else {})}}


def _without_implied_family(wrapped: dict[str, Any]) -> dict[str, Any]:
    """Return a rule as nft 1.1 prints it: an address in the key of its map implies the family."""
    rule = wrapped["rule"]
    lookup = str(rule["expr"][-1].get("redirect"))
    if not any(f"'protocol': '{word}'" in lookup for word in ("ip", "ip6")):
        return wrapped
    return {"rule": {**rule, "expr": [one for one in rule["expr"] if "nfproto" not in str(one)]}}


def _everything(table: Content) -> str:
    return json.dumps([chain.rules for chain in table.chains.values()])


def _listed(rest: list[str]) -> list[list[str]]:
    if (rest[0], rest[-1]) != ("{", "}"):
        raise Refused("no braces")
    result: list[list[str]] = [[]]
    for word in rest[1:-1]:
        if word == ",":
            result.append([])
        else:
            result[-1].append(word)
    return result


def _near(held: Map, text: str) -> Sequence[dict[str, Any]]:
    """Return the elements that a new one may collide with."""
    if held.interval:
        return list(held.elements.values())
    return [held.elements[text]] if text in held.elements else []
