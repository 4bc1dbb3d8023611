# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Lines whose addresses or gateways are ``auto``: the lists of the modules refer to what the interface has.

The lists are made from addresses that stand for those which nobody knows yet, and are in use nowhere. In the result
references are in their place, so that the lists do not depend on what the host has at the time of a run.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ...module_utils._core.references import parse_reference, reference, replaced
from .._input.addresses import FAMILIES
from .._input.reading import AUTO

R = TypeVar("R")
# An entry of the lines of a role before it is read.
RawLine = Mapping[str, Any]

_LINK_LOCAL = "fe80::/64"


def with_references(make: Callable[..., R], addresses: str, gateways: str) -> Callable[..., R]:
    """``make``, whose first argument are lines, for lines that may have ``auto`` under these two keys."""

    @functools.wraps(make)
    def run(lines: object, *arguments: Any, **options: Any) -> R:
        if not isinstance(lines, list):
            return make(lines, *arguments, **options)
        texts: dict[str, str] = {}
        stand_ins = [_stand_in(line, addresses, gateways, texts) for line in lines]
        result: R = make(stand_ins, *arguments, **options)
        if not texts:
            return result
        plain = {line.get("interface") for line in lines if isinstance(line, Mapping) and line.get("onlink") is None}
        referring: R = _tidied(replaced(result, texts), plain)
        return referring

    return run


def has_auto(line: object, key: str) -> bool:
    """Whether a line has ``auto`` under a key, alone or not."""
    value = line.get(key) if isinstance(line, Mapping) else None
    return value == AUTO or (isinstance(value, Sequence) and not isinstance(value, str) and AUTO in value)


def _stand_in(line: object, addresses: str, gateways: str, texts: dict[str, str]) -> object:
    """The line with addresses that stand for unknown ones; ``texts`` gets what becomes a reference."""
    if not isinstance(line, Mapping) or not isinstance(line.get("interface"), str):
        return line
    auto = [key for key in (addresses, gateways) if line.get(key) in (AUTO, [AUTO])]
    if not auto:
        return line
    known = [str(text) for key in (addresses, gateways) if key not in auto for text in _as_list(line.get(key))]
    families = [family for family in FAMILIES if not known or any((":" in text) == (family == 6) for text in known)]
    values: dict[str, list[str]] = {key: [] for key in auto}
    for family in families:
        text = reference(line["interface"], family)
        network, gateway, address = _stand_ins(text)
        length, whole = ("/30", "/32") if family == 4 else ("/126", "/128")
        forms = (network + length, gateway, address, address + length, address + whole)
        texts.update(dict.fromkeys(forms, text))
        for key in auto:
            values[key].append(address + length if key == addresses else gateway)
    return {**line, **values, **({"learned": True} if addresses in auto else {})}


def _stand_ins(text: str) -> tuple[str, str, str]:
    """A network, a gateway and an address for a reference: of 240.0.0.0/4, and of the discard prefix (RFC 6666)."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    if (parse_reference(text) or ("", 0))[1] == 6:
        parts = [f"{number >> shift & 0xFFFF:x}" for shift in (48, 32, 16)]
        start = f"100::{':'.join(parts)}:"
        # Texts as the lists have them: in the canonical form.
        return _canonical(f"{start}100"), _canonical(f"{start}101"), _canonical(f"{start}102")
    start = f"{240 + number % 15}.{number >> 8 & 0xFF}.{number >> 16 & 0xFF}."
    last = number >> 24 & 0xFC
    return f"{start}{last}", f"{start}{last + 1}", f"{start}{last + 2}"


def _canonical(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _as_list(value: object) -> list[object]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []


def _tidied(value: Any, plain: set[Any]) -> Any:
    """Routes by assigned gateways say themselves whether these are on the link, and their networks include the link."""
    if isinstance(value, Mapping):
        return {key: _tidied(each, plain) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    assigned = {parse_reference(each.get("destination")) for each in value if isinstance(each, Mapping)}
    result = []
    for each in value:
        kept = _tidied(each, plain)
        if isinstance(each, Mapping):
            if each.get("destination") == _LINK_LOCAL and (each.get("interface"), 6) in assigned:
                continue
            if parse_reference(each.get("gateway")) and each.get("interface") in plain:
                kept.pop("onlink", None)
        result.append(kept)
    return result
