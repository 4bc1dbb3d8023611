# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a rule or an element of nft to a translation; reads only the forms that nftables_text.py writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..filters.nftables_json import (
    Counted,
    NftElement,
    NftExpression,
    NftMatch,
    NftRule,
    as_dict,
    as_list,
    as_number,
    as_text,
    concatenated,
    ip,
    read_prefix,
    selector,
    values,
)
from .entry_faults import DESTINATION, SOURCE, Ports
from .maps import JOIN, SHIFT, Item, Key, KeyPart, MapName, elements, map_tokens, port_of
from .model import EVERYTHING, FIELD_OF_TOKEN, NatRule
from .model import hook as hook_of
from .nftables_text import selector_of, target_port
from .protocols import FAMILY_OF, WITH_PORTS, printed

_FAMILIES = {"ip": 4, "ip6": 6, "ipv4": 4, "ipv6": 6}
_ADDRESS_TOKENS = frozenset(("saddr", "snet", "daddr", "dnet"))
_FIELDS = {"saddr": "source", "daddr": "destination", "sport": "source_port", "dport": "destination_port"}

# The translation that an element belongs to, and what the element counted.
Element = tuple[NatRule, Counted]


def _interface(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _ports(value: object) -> Ports | None:
    if isinstance(value, int):
        return value, value
    limits = as_list(as_dict(value).get("range"))
    if len(limits) != 2 or not isinstance(limits[0], int) or not isinstance(limits[1], int):
        return None
    return limits[0], limits[1]


def _protocol(value: object) -> str | None:
    return printed(value) if isinstance(value, (str, int)) else None


def _protocol_or_other(value: object) -> KeyPart:
    return _protocol(value) or (value if isinstance(value, (str, int)) else None)


# The reader of the part of an element's key that belongs to a token.
_KEY_READERS: dict[str, Callable[[object], KeyPart]] = {
    **dict.fromkeys(("iif", "oif"), _interface),
    **dict.fromkeys(("saddr", "snet", "daddr", "dnet"), read_prefix),
    **dict.fromkeys(("sport", "dport", SHIFT), as_number),
    **dict.fromkeys(("sports", "dports", JOIN), _ports),
    "proto": _protocol_or_other,
}
# What a comparison of a rule selects: the field, and how its value is read.
_MATCH_READERS: dict[str, tuple[str, Callable[[object], object]]] = {
    "meta nfproto": ("family", lambda value: _FAMILIES.get(as_text(value))),
    "meta iifname": ("in_interface", _interface),
    "meta oifname": ("out_interface", _interface),
    "meta l4proto": ("protocol", _protocol),
}
for _word in ("ip", "ip6"):
    _MATCH_READERS.update({f"{_word} {name}": (_FIELDS[name], read_prefix) for name in ("saddr", "daddr")})
for _word in ("th", "tcp", "udp", "sctp"):
    _MATCH_READERS.update({f"{_word} {name}": (_FIELDS[name], _ports) for name in ("sport", "dport")})


def read_elements(name: MapName, listed: Iterable[NftElement]) -> tuple[dict[Key, Element], list[Key]]:
    """Return a map's elements, and the keys of those that are not a complete entry."""
    if name.tokens[-1] == SHIFT:
        return _read_shifted(name, listed)
    found: dict[Key, Element] = {}
    unmanaged = []
    # Once a map, as there may be 10,000 elements.
    readers, fields = [_KEY_READERS[token] for token in name.tokens], _fields(name)
    for element in listed:
        key = _key(readers, element)
        rule = _rule_of(name, fields, key, element.value, element.comment)
        if rule is None:
            unmanaged.append(key)
        else:
            found[key] = (rule, element.counted)
    return found, unmanaged


def _key(readers: Sequence[Callable[[object], KeyPart]], element: NftElement) -> Key:
    return tuple([read(part) for read, part in zip(readers, concatenated(element.key))])


def _fields(name: MapName) -> list[tuple[str, bool]]:
    """Return the field of each part of a map's key, and whether it is a single port."""
    return [(FIELD_OF_TOKEN.get(token, "destination_port"), token in ("sport", "dport")) for token in name.tokens]


def _rule_of(
    name: MapName, fields: Sequence[tuple[str, bool]], key: Key, value: object, comment: str | None
) -> NatRule | None:
    given: dict[str, Any] = {field: (part, part) if is_port else part for (field, is_port), part in zip(fields, key)}
    address, port = (None, value) if name.has_only_ports else (value, None)
    if name.has_port_value:
        address, port = concatenated(value)
    if port is not None and port != key[-1]:
        given["to_port"] = (port, port)
    target = None if name.has_only_ports else read_prefix(address)
    rule = NatRule(name.family, name.type, to_address=target, name=comment, **given)
    is_known = rule.protocol == "any" or printed(rule.protocol) == rule.protocol
    return rule if is_known and map_tokens(rule) == name.tokens else None


def _read_shifted(name: MapName, listed: Iterable[NftElement]) -> tuple[dict[Key, Element], list[Key]]:
    """Join the ports of each range again; the comment of an element says which range it belongs to."""
    readers = [_KEY_READERS[token] for token in name.tokens]
    groups: dict[tuple[Key, str | None], dict[Key, NftElement]] = {}
    for element in listed:
        key = _key(readers, element)
        groups.setdefault((key[:-1], element.comment), {})[key] = element
    found: dict[Key, Element] = {}
    unmanaged: list[Key] = []
    for (_key_before_port, comment), held in groups.items():
        rule = _shifted_rule(name, held, comment or "")
        if rule is None:
            unmanaged.extend(held)
        else:
            found.update({key: (rule, element.counted) for key, element in held.items()})
    return found, unmanaged


def _shifted_rule(name: MapName, held: Mapping[Key, NftElement], comment: str) -> NatRule | None:
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})(?: (.+))?", comment)
    if not match:
        return None
    first, last = int(match[1]), int(match[2])
    start_key = (*next(iter(held))[:-1], first)
    start = held.get(start_key)
    if start is None:
        return None
    single = MapName(name.type, name.family, (*name.tokens[:-1], "dport"))
    one_port = _rule_of(single, _fields(single), start_key, start.value, None)
    if one_port is None:
        return None
    [address, port] = concatenated(start.value)
    first_target = as_number(port) or 0
    target = (first_target, first_target + last - first)
    rule = replace(one_port, name=match[3], destination_port=(first, last), to_port=target)
    whole = {key: [address, target_port(rule, port_of(key))] for key in elements(rule, name.tokens)}
    actual = {key: list(concatenated(element.value)) for key, element in held.items()}
    return rule if rule.shifts_ports and rule.to_port != rule.destination_port and whole == actual else None


def fixed_text(rule: NftRule) -> str:
    """Return a rule that only compares and jumps in the words of FIXED_RULES, empty for any other rule."""
    words = []
    for expression in rule.expressions:
        match = expression.match()
        if match is not None:
            operator = "" if match.operator == "==" else f"{match.operator} "
            words.append(f"{match.selector} {operator}{_one(match.right)}")
        elif expression.kind == "jump":
            words.append(f"jump {as_text(as_dict(expression.body).get('target'))}")
        else:
            return ""
    return " ".join(words)


def _one(value: object) -> str | None:
    # Versions of nft differ in whether they print one word as a list.
    listed = as_list(value)
    return read_prefix(listed[0]) if len(listed) == 1 else None


def parse_rule(rule: NftRule, hook: str) -> Item | None:
    """Return the lookup or translation that a rule of a hook's chain is, None for any other rule."""
    if not rule.expressions:
        return None
    *before, last = rule.expressions
    content = as_dict(last.body)
    if any("map" in as_dict(content.get(part)) for part in ("addr", "port")):
        name = _lookup_of(last.kind, content, before)
        return name if name and name.hook == hook else None
    noted: dict[str, object] = {}
    for expression in before:
        match = expression.match()
        if match is None and expression.kind != "counter":
            return None
        if match is not None and not _note(noted, match):
            return None
    found = _translation(last.kind, content, noted, rule.comment)
    if found is None or hook_of(found) != hook:
        return None
    return found if map_tokens(found) is None else None


def _note(noted: dict[str, object], match: NftMatch) -> bool:
    """Note what a comparison selects; False for an unknown one, or one that contradicts an earlier one."""
    field, read = _MATCH_READERS.get(match.selector, ("", None))
    if read is None or match.operator != "==":
        return False
    new = {field: read(match.right)}
    word = match.selector.partition(" ")[0]
    if word in _FAMILIES:
        new["family"] = _FAMILIES[word]
    elif word in WITH_PORTS:
        new["protocol"] = word
    if None in new.values() or any(noted.get(name, value) != value for name, value in new.items()):
        return False
    noted.update(new)
    return True


def _lookup_of(kind: str, content: Mapping[str, object], before: Sequence[NftExpression]) -> MapName | None:
    part = "port" if kind == "redirect" else "addr"
    lookup = as_dict(as_dict(content.get(part)).get("map"))
    name = MapName.parse(as_text(lookup.get("data")).lstrip("@"))
    if name is None or name.type != kind:
        return None
    expected = [selector_of(token, name.family) for token in name.tokens]
    actual = [selector(part) for part in concatenated(lookup.get("key"))]
    if actual != expected:
        return None
    if name.has_only_ports:
        return name if set(content) == {"port"} and _is_guarded(name, before) else None
    if set(content) != {"family", "addr"} or content.get("family") != ip(name.family):
        return None
    return name if (_is_protocol_match(before) if name.needs_protocol else not before) else None


def _is_guarded(name: MapName, expressions: Sequence[NftExpression]) -> bool:
    """Return whether the comparisons are those of the family and of the protocols with ports.

    nft 1.1.3 leaves out the family where an address of the key implies it.
    """
    if not _ADDRESS_TOKENS.isdisjoint(name.tokens) and len(expressions) == 1:
        return _is_protocol_match(expressions)
    match = expressions[0].match() if expressions else None
    if match is None or (match.selector, match.operator) != ("meta nfproto", "=="):
        return False
    return _FAMILIES.get(as_text(match.right)) == name.family and _is_protocol_match(expressions[1:])


def _is_protocol_match(expressions: Sequence[NftExpression]) -> bool:
    match = expressions[0].match() if len(expressions) == 1 else None
    if match is None or (match.selector, match.operator) != ("meta l4proto", "=="):
        return False
    return {_protocol(value) for value in values(match.right)} == set(WITH_PORTS)


def _translation(
    kind: str, content: Mapping[str, object], noted: Mapping[str, object], comment: str | None
) -> NatRule | None:
    if kind not in ("dnat", "snat", "masquerade", "redirect") or (kind in ("dnat", "snat")) != ("addr" in content):
        return None
    flags = _flags(content)
    if flags is None or set(content) - {"port", "family", "addr", "flags", "type_flags"}:
        return None
    fields: dict[str, Any] = {**noted, **flags}
    printed_family = as_text(content.get("family"))
    # nft leaves out the family where the protocol implies it.
    fields.setdefault("family", _FAMILIES.get(printed_family) or FAMILY_OF.get(fields.get("protocol", "any")))
    if fields["family"] is None or (printed_family and _FAMILIES.get(printed_family) != fields["family"]):
        return None
    fields.update(to_address=read_prefix(content.get("addr")), to_port=_ports(content.get("port")), name=comment)
    if any(
        name in content and fields[f"to_{field}"] is None for name, field in (("addr", "address"), ("port", "port"))
    ):
        return None
    if fields["to_address"] == EVERYTHING[fields["family"]]:
        return _exemption(kind, fields)
    return NatRule(type=kind, **fields)


def _exemption(kind: str, fields: Mapping[str, Any]) -> NatRule | None:
    """Return the exemption that a translation of every address to itself is."""
    keeps = None
    if fields.get("in_interface") is None and fields.get("out_interface") is None:
        keeps = DESTINATION if kind == "dnat" else SOURCE
    found = NatRule(type="exempt", **{**fields, "to_address": None, "keeps": keeps})
    return found if (kind == "dnat") == (hook_of(found) == DESTINATION) else None


def _flags(content: Mapping[str, object]) -> dict[str, bool] | None:
    """Return the flags that an entry may have, None for any other."""
    flags, type_flags = (list(as_list(content.get(name))) for name in ("flags", "type_flags"))
    if "prefix" in as_dict(content.get("addr")):
        return {} if (flags, type_flags) == (["netmap"], ["prefix"]) else None
    if type_flags or not set(map(as_text, flags)) <= {"random", "persistent"}:
        return None
    return {as_text(flag): True for flag in flags}
