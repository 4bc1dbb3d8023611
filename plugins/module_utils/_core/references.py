# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""References to addresses that an ISP assigns, and the values that a host has for them now. Pure: no I/O.

``auto:INTERFACE:ipv4`` and ``auto:INTERFACE:ipv6`` may be written wherever an address may. The place says which value
is meant: the gateway of the interface for a gateway, its networks for the destination of a route, else its addresses.
An entry with several values becomes several entries, one without any is left out.
"""

from __future__ import annotations

import hashlib
import ipaddress
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .entries import Form, Options
from .reference_texts import parse_reference, reference, references

__all__ = [
    "Learned",
    "bound",
    "folded",
    "networks",
    "parse_reference",
    "placeholder",
    "reference",
    "references",
    "values",
    "with_placeholders",
    "without_ipv6",
    "without_placeholders",
]

# By interface: ``addresses`` with prefix lengths, ``gateways``, ``without_gateway`` and ``onlink``, as
# routing/learned_addresses.py has them.
Learned = Mapping[str, Mapping[str, Sequence[str]]]

_EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}
_LINK_LOCAL = "fe80::/64"
# Places with one value, whatever the interface has; the others take all.
_SINGLE = frozenset(("gateway", "to_address", "sources", "balance_from"))
# Lists of networks.
_NETWORKS = frozenset(("balance_exclude", "balance_networks", "keep_networks", "networks"))
# An entry makes sense without any of these: a line that is known by its mark, a reply that needs no gateway.
_OPTIONAL = frozenset(("addresses", "gateways", "networks"))
_TABLES, _ROUTES = "tables", "routes"


def placeholder(text: str) -> str:
    """Return an address that stands for a reference where one has to be parsed: of ranges that are in use nowhere."""
    found = parse_reference(text)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    if found is not None and found[1] == 6:
        return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("100::")) | number | 1))
    # 240.0.0.0/4; never 255.255.255.255.
    return str(ipaddress.IPv4Address(0xF0000000 | number % 0x0F000000))


def with_placeholders(value: Any) -> Any:
    """Return the same with placeholders in place of references."""
    return replaced(value, {text: placeholder(text) for text in references(value)})


def without_placeholders(value: Any, texts: Iterable[str]) -> Any:
    """Return the same with references again, of which ``texts`` are those that may be there."""
    back: dict[str, str] = {}
    for text in texts:
        address = placeholder(text)
        back[address] = back[f"{address}/{128 if ':' in address else 32}"] = text
    return replaced(value, back)


def bound(options: Options, learned: Learned) -> Form:
    """Return a module's options with the values of the host in place of references."""
    result: Form = {}
    for name, value in options.items():
        if name == _TABLES and isinstance(value, list):
            result[name] = [_bound_table(table, learned) for table in value]
        elif isinstance(value, (list, tuple)):
            result[name] = _bound_list(value, learned, name=name)
        else:
            result[name] = value
    return result


def without_ipv6(options: Options) -> Form:
    """Return options without the entries of IPv6, for a host whose kernel has none."""
    result: Form = {}
    for name, value in options.items():
        result[name] = value
        if isinstance(value, (list, tuple)):
            result[name] = [_without_ipv6(each) for each in value if not _is_ipv6(each)]
    return result


def _without_ipv6(entry: Any) -> Any:
    return without_ipv6(entry) if isinstance(entry, Mapping) and _ROUTES in entry else entry


def _is_ipv6(entry: Any) -> bool:
    if isinstance(entry, str):
        return entry.count(":") > 1
    if not isinstance(entry, Mapping):
        return False
    fields = ("source", "destination", "gateway", "to_address")
    return entry.get("family") == "ipv6" or any(str(entry.get(name) or "").count(":") > 1 for name in fields)


def folded(entries: Sequence[Form], wanted: Iterable[Form], learned: Learned, is_route: bool = False) -> list[Form]:
    """Return entries as a host has them, with the ``wanted`` ones in place of those that these became."""
    places: dict[str, tuple[int, Form]] = {}
    for number, entry in enumerate(wanted):
        if references(entry):
            places.update((_key(each), (number, entry)) for each in _bound_entry(entry, learned, is_route))
    seen: set[int] = set()
    result: list[Form] = []
    for entry in entries:
        number, shown = places.get(_key(entry), (-1, entry))
        if number not in seen:
            result.append(shown)
        if number >= 0:
            seen.add(number)
    return result


def values(text: str, learned: Learned, gateways: bool = False) -> list[str]:
    """Return the addresses that a reference means now, without prefix lengths, or the gateways."""
    found = parse_reference(text)
    if found is None:
        return [text]
    written = learned.get(found[0], {}).get("gateways" if gateways else "addresses", ())
    return [each.partition("/")[0] for each in written if (":" in each) == (found[1] == 6)]


def networks(text: str, learned: Learned) -> list[str]:
    """Return the networks of the addresses that a reference means now."""
    found = parse_reference(text)
    if found is None:
        return [text]
    interface, family = found
    written = learned.get(interface, {}).get("addresses", ())
    held = [ipaddress.ip_interface(each) for each in written if (":" in each) == (family == 6)]
    known = [str(each.network) for each in held if each.network.prefixlen < each.max_prefixlen]
    return list(dict.fromkeys(known))


def _key(entry: Form) -> str:
    return repr(sorted((str(name), str(value)) for name, value in entry.items()))


def _bound_table(table: Any, learned: Learned) -> Any:
    if not isinstance(table, Mapping) or not isinstance(table.get(_ROUTES), list):
        return table
    return {**table, _ROUTES: _bound_list(table[_ROUTES], learned, is_route=True)}


def _bound_list(entries: Sequence[Any], learned: Learned, is_route: bool = False, name: str = "") -> list[Any]:
    result: list[Any] = []
    for entry in entries:
        if isinstance(entry, str):
            result += _listed_values(entry, learned, name)
        elif isinstance(entry, Mapping) and references(entry):
            result += _bound_entry(entry, learned, is_route)
        else:
            result.append(entry)
    return result


def _listed_values(text: str, learned: Learned, name: str) -> list[str]:
    """Return what an element of a list means, by the name of the list."""
    found = networks(text, learned) if name in _NETWORKS else values(text, learned, gateways=name == "gateways")
    return found[:1] if name in _SINGLE else found


def _bound_entry(entry: Options, learned: Learned, is_route: bool) -> list[Form]:
    """Return the entries that one becomes; none while the host has no value for one of its references."""
    entry, choices = dict(entry), {}
    for name, value in list(entry.items()):
        if isinstance(value, (list, tuple)) and references(value):
            chosen = [_listed_values(each, learned, name) if isinstance(each, str) else [each] for each in value]
            entry[name] = [one for each in chosen for one in each]
            if not entry[name] and name not in _OPTIONAL:
                return []
        elif parse_reference(value):
            choices[name] = _choices(entry, name, value, learned, is_route)
    made = [dict(zip(choices, chosen)) for chosen in itertools.product(*choices.values())]
    return [_finished(entry, chosen, learned) for chosen in made]


def _choices(entry: Options, name: str, text: str, learned: Learned, is_route: bool) -> Sequence[str | None]:
    """Return the values of one field; None where it has none and needs none."""
    interface, family = parse_reference(text) or ("", 0)
    if name == "gateway":
        found = values(text, learned, gateways=True)[:1]
        without = learned.get(interface, {}).get("without_gateway", ())
        return found or ([None] if f"ipv{family}" in without and entry.get("interface") else [])
    if is_route and name == "destination":
        found = networks(text, learned)
        # Routers have addresses of the link itself.
        return [*found, _LINK_LOCAL] if family == 6 and values(text, learned) else found
    addresses = values(text, learned)
    return addresses[:1] if name in _SINGLE or is_route else addresses


def _finished(entry: Options, chosen: Mapping[str, str | None], learned: Learned) -> Form:
    result: Form = {**entry, **chosen}
    if "gateway" not in chosen or "destination" not in entry:
        return result
    interface, family = parse_reference(entry["gateway"]) or ("", 0)
    if chosen["gateway"] is None:
        del result["gateway"]
        result.pop("onlink", None)
        if result["destination"] == "default":
            result["destination"] = _EVERYTHING[family]
    elif "onlink" not in entry and chosen["gateway"] in learned.get(interface, {}).get("onlink", ()):
        result["onlink"] = True
    return result


def replaced(value: Any, texts: Mapping[str, str]) -> Any:
    """Return lists, dictionaries and texts with other texts in the place of those that ``texts`` names."""
    if not texts:
        return value
    if isinstance(value, str):
        return texts.get(value, value)
    if isinstance(value, Mapping):
        return {name: replaced(each, texts) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [replaced(each, texts) for each in value]
    return value
