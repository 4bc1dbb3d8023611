# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``nft -j`` prints, as typed objects. Pure.

nft 1.0.2 to 1.1.3 print the same objects in different order, and some lists of one word as that word. Kinds of objects
that are not known here are only noted as others. Values stay JSON until they are read in a certain form.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

# Packets and bytes.
Counted = tuple[int, int]


class NftElement(NamedTuple):
    """An element of a set or map: its key and value as JSON, its comment and its counter."""

    key: object
    value: object
    comment: str | None
    counted: Counted


class NftMatch(NamedTuple):
    """A comparison: ``selector`` is in nft's own words ("ip saddr", "ct state"), empty for an unknown form."""

    selector: str
    operator: str
    right: object


class NftExpression(NamedTuple):
    """One expression or statement of a rule: ``kind`` is match, counter, jump, dnat and the like."""

    kind: str
    body: object

    def match(self) -> NftMatch | None:
        """Return the comparison, None when this is something else."""
        if self.kind != "match":
            return None
        body = as_dict(self.body)
        return NftMatch(selector(body.get("left")), as_text(body.get("op")), body.get("right"))


@dataclass(frozen=True)
class NftRule:
    """A rule of a chain, in the order in which nft prints them."""

    chain: str
    handle: int
    expressions: Sequence[NftExpression]
    comment: str | None = None

    @property
    def counted(self) -> Counted:
        """The rule's counter, zeros without one."""
        return next((_counted(e.body) for e in self.expressions if e.kind == "counter"), (0, 0))


@dataclass(frozen=True)
class NftChain:
    """A chain. ``type``, ``hook``, ``priority`` and ``policy`` are None in a chain that is only jumped to."""

    name: str
    type: str | None = None
    hook: str | None = None
    priority: int | None = None
    policy: str | None = None


@dataclass(frozen=True)
class NftSet:
    """A set, or a map when ``kind`` is "map"; only a map has ``value_types``."""

    kind: str
    name: str
    key_types: tuple[str, ...]
    value_types: tuple[str, ...]
    flags: tuple[str, ...]
    printed_elements: Sequence[object] = field(default=(), repr=False)

    def elements(self) -> Iterator[NftElement]:
        """Yield the elements; they are read only here, as there may be 10,000."""
        is_map = self.kind == "map"
        for printed in self.printed_elements:
            key, value = printed if is_map and isinstance(printed, (list, tuple)) else (printed, None)
            if isinstance(key, dict) and "elem" in key:
                inner = key["elem"]
                counter = inner.get("counter")
                counted = (counter["packets"], counter["bytes"]) if counter else (0, 0)
                yield NftElement(inner.get("val"), value, inner.get("comment"), counted)
            else:
                yield NftElement(key, value, None, (0, 0))


@dataclass
class NftTable:
    """A table. ``has_others`` says whether it holds objects of kinds that are not read here."""

    family: str = ""
    name: str = ""
    chains: dict[str, NftChain] = field(default_factory=dict)
    rules: list[NftRule] = field(default_factory=list)
    sets: dict[str, NftSet] = field(default_factory=dict)
    has_others: bool = False

    def rules_of(self, chain: str) -> list[NftRule]:
        """Return the rules of a chain."""
        return [rule for rule in self.rules if rule.chain == chain]

    def is_shared(self, is_own_chain: Callable[[str], bool], is_own_set: Callable[[NftSet], bool]) -> bool:
        """Return whether the table holds anything besides one subject's own chains, sets and maps."""
        chains = {*self.chains, *(rule.chain for rule in self.rules)}
        return self.has_others or not all(map(is_own_chain, chains)) or not all(map(is_own_set, self.sets.values()))


def read_table(objects: Iterable[Mapping[str, object]]) -> NftTable:
    """Return the one table of ``nft -j list table`` (the value of its "nftables")."""
    table = NftTable()
    for printed in objects:
        for kind, body in printed.items():
            _add(table, kind, as_dict(body))
    return table


def read_ruleset(objects: Iterable[Mapping[str, object]]) -> list[NftTable]:
    """Return the tables of ``nft -j list ruleset``; objects of no listed table are left out."""
    tables: dict[tuple[str, str], NftTable] = {}
    for printed in objects:
        for kind, body in printed.items():
            inner = as_dict(body)
            family = as_text(inner.get("family"))
            if kind == "table":
                _add(tables.setdefault((family, as_text(inner.get("name"))), NftTable()), kind, inner)
            elif (family, as_text(inner.get("table"))) in tables:
                _add(tables[family, as_text(inner.get("table"))], kind, inner)
    return list(tables.values())


def _add(table: NftTable, kind: str, body: Mapping[str, object]) -> None:
    name = as_text(body.get("name"))
    if kind == "table":
        table.family, table.name = as_text(body.get("family")), name
    elif kind == "chain":
        kind_of_hook, hook, policy = (_text_or_none(body.get(part)) for part in ("type", "hook", "policy"))
        table.chains[name] = NftChain(name, kind_of_hook, hook, as_number(body.get("prio")), policy)
    elif kind == "rule":
        expressions = [NftExpression(*item) for part in as_list(body.get("expr")) for item in as_dict(part).items()]
        comment = _text_or_none(body.get("comment"))
        table.rules.append(
            NftRule(as_text(body.get("chain")), as_number(body.get("handle")) or 0, expressions, comment)
        )
    elif kind in ("set", "map"):
        flags = tuple(as_text(flag) for flag in as_list(body.get("flags")))
        types, elements = (_types(body.get("type")), _types(body.get("map"))), as_list(body.get("elem"))
        table.sets[name] = NftSet(kind, name, *types, flags, elements)
    elif kind != "metainfo":
        table.has_others = True


def _types(printed: object) -> tuple[str, ...]:
    # nft 1.0 prints the types of a concatenated value as one text, 1.1 as a list.
    return tuple(printed.split(" . ")) if isinstance(printed, str) else tuple(map(as_text, as_list(printed)))


def _counted(counter: object) -> Counted:
    body = as_dict(counter)
    return as_number(body.get("packets")) or 0, as_number(body.get("bytes")) or 0


def selector(left: object) -> str:
    """Return the left side of a comparison in nft's own words, empty for a form that is not known here."""
    kind, body = next(iter(as_dict(left).items()), ("", None))
    parts = as_dict(body)
    key = as_text(parts.get("key"))
    if kind == "meta":
        return f"meta {key}"
    if kind == "ct":
        return " ".join(word for word in ("ct", as_text(parts.get("dir")), key) if word)
    if kind == "payload":
        return f"{as_text(parts.get('protocol'))} {as_text(parts.get('field'))}" if "protocol" in parts else ""
    if kind == "fib":
        return f"fib {' . '.join(map(as_text, as_list(parts.get('flags'))))} {as_text(parts.get('result'))}"
    return ""


def values(right: object) -> Sequence[object]:
    """Return the members of an anonymous set, or the one value that is no set."""
    members = as_dict(right).get("set", right)
    return members if isinstance(members, list) else [members]


def concatenated(value: object) -> Sequence[object]:
    """Return the parts of a concatenation, or the one value that is none."""
    parts = value.get("concat") if isinstance(value, dict) else None
    return parts if isinstance(parts, list) else [value]


def ip(family: int) -> str:
    """Return nft's word for a family."""
    return "ip6" if family == 6 else "ip"


def read_prefix(value: object) -> str | None:
    """Return an address or prefix in canonical text, None for anything else."""
    if isinstance(value, str):
        # nft shows the last 32 bits of some IPv6 addresses as an IPv4 address.
        return str(ipaddress.ip_address(value)) if "." in value and ":" in value else value
    prefix = as_dict(as_dict(value).get("prefix"))
    return f"{read_prefix(prefix.get('addr'))}/{prefix.get('len')}" if prefix else None


def as_dict(value: object) -> Mapping[str, object]:
    """Return an object of JSON, empty for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> Sequence[object]:
    """Return a list of JSON; nothing becomes an empty list, and anything else a list of itself."""
    return value if isinstance(value, list) else [] if value is None else [value]


def as_text(value: object) -> str:
    """Return a text of JSON, empty for anything else."""
    return value if isinstance(value, str) else ""


def as_number(value: object) -> int | None:
    """Return a whole number of JSON, None for anything else."""
    return value if isinstance(value, int) else None


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
