# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Lines whose addresses or gateways are ``auto``: the host's own values at the time of the run replace the word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from ...module_utils._core.fields import shown
from .._input.addresses import FAMILIES, family_name, of_family, read_gateway, read_interface_address
from .._input.faults import Place, sound
from .._input.reading import AUTO
from .prefix_cover import FEW

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork

KEYS = ("addresses", "gateways")

# An entry of multihomed_web_lines before it is read.
RawLine = Mapping[str, object]


class AutoLines(TypedDict):
    """``lines`` can be used, ``waiting`` cannot; ``skipped`` has a message for each reason that is known."""

    lines: object
    waiting: list[RawLine]
    skipped: list[str]


class Unusable(Exception):
    """A line cannot be used now; the text says why."""


def auto_lines(lines: object, interfaces: object = None) -> AutoLines:
    """Lines without ``auto``, and those that are left out of the run.

    Lines that are ``waiting`` go to preflight, with the reason as ``left_out``; ``skipped`` has the same in words.
    ``interfaces`` are those of multihome_info. Without them, lines with ``auto`` wait, and no reason is given.
    The role does not manage learned addresses: their line has ``learned: true``. Its ``without_gateway`` are the
    families whose default route has only an interface, as that of a tunnel.
    """
    usable: list[object] = []
    waiting: list[RawLine] = []
    with sound() as faults:
        for index, line in enumerate(lines if isinstance(lines, list) else ()):
            auto = _auto_keys(line, Place(f"multihomed_web_lines[{index}]", faults))
            if not auto:
                usable.append(line)
            elif interfaces is None:
                waiting.append(_waiting(line, None))
            else:
                try:
                    usable.append(_resolved(line, auto, interfaces))
                except Unusable as reason:
                    waiting.append(_waiting(line, str(reason)))
    skipped = [
        f"line {line.get('name')} cannot be used now: {line['left_out']}" for line in waiting if line["left_out"]
    ]
    return {"lines": usable if isinstance(lines, list) else lines, "waiting": waiting, "skipped": skipped}


def gather_subset(lines: object, interfaces: object = None) -> list[str]:
    """The subsets of multihome_info from which the lists of the modules follow.

    ``interfaces`` for lines with ``auto``; ``foreign_addresses`` where a line may need rules by prefix.
    """
    automatic = any(_has_auto(line, key) for line in _mappings(lines) for key in KEYS)
    usable = _mappings(auto_lines(lines, interfaces)["lines"])
    many = any(len(_as_list(line.get("addresses"))) > FEW for line in usable)
    return ["interfaces"] * automatic + ["foreign_addresses"] * many


def _mappings(lines: object) -> list[RawLine]:
    return [line for line in lines if isinstance(line, Mapping)] if isinstance(lines, list) else []


def _auto_keys(line: object, place: Place) -> list[str]:
    """The keys of a line that are ``auto``, none where one of them has other values too, which is a fault."""
    if not isinstance(line, Mapping):
        return []
    auto = [key for key in KEYS if _has_auto(line, key)]
    mixed = [key for key in auto if line[key] not in (AUTO, [AUTO])]
    for key in mixed:
        place.fault(f"{key}: {AUTO} covers all of them; leave the others out")
    return [] if mixed else auto


def _has_auto(line: RawLine, key: str) -> bool:
    value = line.get(key)
    return value == AUTO or (isinstance(value, Sequence) and not isinstance(value, str) and AUTO in value)


def _waiting(line: RawLine, reason: str | None) -> RawLine:
    return {**line, "addresses": [AUTO], "gateways": [AUTO], "left_out": reason}


def _resolved(line: RawLine, auto: Sequence[str], interfaces: object) -> RawLine:
    """The line with the values of its interface, for the families that have an address and a way out.

    Raises Unusable where there is none.
    """
    name = line.get("interface")
    state = interfaces.get(name) if isinstance(interfaces, Mapping) else None
    if not isinstance(state, Mapping):
        raise Unusable(f"this host has no interface {shown(name)}")
    values = {key: _as_list(state[key] if key in auto else line.get(key)) for key in KEYS}
    place = Place("", [])
    addresses = [found for text in values["addresses"] if (found := read_interface_address(text, place)) is not None]
    gateways = [found for text in values["gateways"] if (found := read_gateway(text, place)) is not None]
    if place.faults and set(auto) == set(KEYS):
        raise Unusable(place.faults[0])
    if place.faults:
        # The values that the user gave are checked together with all lines, which reports them with their place.
        return {**line, **values}
    if not addresses:
        raise Unusable(f"interface {shown(name)} has no address")
    no_gateway_needed = {int(family[3:]) for family in state["without_gateway"]} if "gateways" in auto else set()
    families = _families(addresses, gateways, no_gateway_needed, every="addresses" not in auto)
    if not families:
        lacking = " and ".join(family_name(family) for family in FAMILIES if of_family(addresses, family))
        raise Unusable(f"interface {shown(name)} has no gateway for {lacking}")
    onlink = {"onlink": bool(state.get("onlink"))} if "gateways" in auto and "onlink" not in line else {}
    return {
        **line,
        **onlink,
        "addresses": _texts(addresses, families),
        "gateways": _texts(gateways, families),
        "without_gateway": [f"ipv{family}" for family in families if not of_family(gateways, family)],
        "learned": "addresses" in auto,
    }


def _families(
    addresses: Sequence[IPNetwork], gateways: Sequence[IPAddress], no_gateway_needed: set[int], *, every: bool
) -> list[int]:
    """The families with an address and a way out; with ``every``, none where one that has an address has no way out."""
    addressed = [family for family in FAMILIES if of_family(addresses, family)]
    usable = [family for family in addressed if of_family(gateways, family) or family in no_gateway_needed]
    return [] if every and usable != addressed else usable


def _texts(items: Iterable[IPAddress | IPNetwork], families: Iterable[int]) -> list[str]:
    everything = list(items)
    return [str(item) for family in families for item in of_family(everything, family)]


def _as_list(value: object) -> list[object]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
