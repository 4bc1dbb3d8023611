# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an entry with lists, ranges or negations to several plain entries with the same meaning. Pure.

Each plain entry has one prefix and one range of ports, and becomes an element of a map. Several of them cost a packet
no more than one, and both backends carry them out alike.
"""

from __future__ import annotations

import ipaddress
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Union

from .. import fields
from ..errors import InvalidInput

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
_ADDRESSES = ("source", "destination")
_PORTS = ("source_port", "destination_port")
_ALL = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


def is_plain(entry: object) -> bool:
    """Return whether an entry is already a plain one."""
    if not isinstance(entry, Mapping):
        return True
    if _keeps_both(entry):
        return False
    addresses = (entry.get(name) for name in _ADDRESSES)
    if any(isinstance(value, str) and ("," in value or "-" in value or "!" in value) for value in addresses):
        return False
    return not any(isinstance(value, str) and "," in value for value in (entry.get(name) for name in _PORTS))


class Expansion:
    """An entry as the plain entries that match together the same; raises InvalidInput with bare reasons.

    A value that is malformed stays as it is, for the parser of the field. ``count`` is the number of plain entries,
    which parts() makes only on demand: a short entry may have millions.
    """

    def __init__(self, entry: object) -> None:
        self._entry = entry
        self._choices: dict[str, Sequence[str]] = {}
        if not isinstance(entry, Mapping) or is_plain(entry):
            self.count = 1
            return
        faults = []
        if _keeps_both(entry):
            self._choices["keeps"] = _ADDRESSES[::-1]
        for name, parts_of in _READERS.items():
            written = entry.get(name)
            if not isinstance(written, str):
                continue
            try:
                self._choices[name] = parts_of(written)
            except ValueError as error:
                faults.append(f'{name} "{written}": {error}')
        if faults:
            raise InvalidInput(faults)
        self.count = math.prod(map(len, self._choices.values()))

    def parts(self) -> list[Any]:
        """Return the plain entries."""
        entry = self._entry
        if not isinstance(entry, Mapping) or not self._choices:
            return [entry]
        return [{**entry, **dict(zip(self._choices, chosen))} for chosen in itertools.product(*self._choices.values())]


def _keeps_both(entry: Mapping[str, object]) -> bool:
    """Return whether an entry is an exemption of both the destination and the source."""
    names = ("keeps", "in_interface", "out_interface")
    return entry.get("type") == "exempt" and all(entry.get(name) is None for name in names)


def _parts(written: str) -> list[str]:
    return [part.strip() for part in written.split(",")]


def _port_ranges(written: str) -> Sequence[str]:
    if "," not in written:
        return [written]
    merged: list[tuple[int, int]] = []
    for first, last in sorted(fields.port_range(part) for part in _parts(written)):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return [fields.port_text(ports) for ports in merged]


def _prefixes(written: str) -> Sequence[str]:
    is_negated = written.startswith("!")
    parts = _parts(written[1:] if is_negated else written)
    if len(parts) == 1 and not is_negated and "-" not in written:
        return [written]
    networks = [network for part in parts for network in _networks(part)]
    found = [network for family in (4, 6) for network in _collapsed(networks, family)]
    if is_negated:
        found = [rest for everything in _ALL for rest in _without(everything, found)]
        if not found:
            raise ValueError("matches no packet")
    return [str(network) for network in found]


def _collapsed(networks: Iterable[Network], family: int) -> Iterable[Network]:
    of_family: Any = [network for network in networks if network.version == family]
    collapse: Callable[[Any], Iterable[Network]] = ipaddress.collapse_addresses
    return collapse(of_family)


def _networks(part: str) -> Sequence[Network]:
    if "!" in part:
        raise ValueError("one ! before the whole list: none of its addresses may match")
    limits = re.fullmatch(r"([0-9A-Fa-f.:]+)-([0-9A-Fa-f.:]+)", part)
    if not limits:
        return [ipaddress.ip_network(fields.prefix(part))]
    first, last = (ipaddress.ip_address(fields.address(limits[place])) for place in (1, 2))
    if first.version != last.version:
        raise ValueError("the range mixes IPv4 and IPv6")
    if int(first) > int(last):
        raise ValueError("the range runs backwards")
    summarize: Callable[[Any, Any], Iterable[Network]] = ipaddress.summarize_address_range
    return list(summarize(first, last))


def _without(everything: Network, excluded: Sequence[Network]) -> list[Network]:
    """Return the prefixes of a family without the excluded ones; none if nothing of the family is excluded.

    The excluded ones do not overlap, and are in ascending order.
    """
    of_family = [network for network in excluded if network.version == everything.version]
    rest: list[Network] = []
    first = int(everything.network_address)
    for network in of_family:
        rest += _between(everything, first, int(network.network_address) - 1)
        first = int(network.broadcast_address) + 1
    return rest + _between(everything, first, int(everything.broadcast_address)) if of_family else []


def _between(everything: Network, first: int, last: int) -> list[Network]:
    """Return the prefixes from one address to another one, both included."""
    address = type(everything.network_address)
    summarize: Callable[[Any, Any], Iterable[Network]] = ipaddress.summarize_address_range
    return list(summarize(address(first), address(last))) if first <= last else []


# How each field is read that may hold several values.
_READERS: Mapping[str, Callable[[str], Sequence[str]]] = {
    **dict.fromkeys(_ADDRESSES, _prefixes),
    **dict.fromkeys(_PORTS, _port_ranges),
}
