# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The declaration with the addresses that its hosts have now, in the place of those that their ISPs assign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._input.reading import AUTO, Auto
from .checks import examine
from .model import Declaration, Line
from .name_server_checks import host_of

_AUTO = (AUTO, [AUTO])


def hosts(declaration: Declaration) -> list[str]:
    """The hosts that know the addresses or gateways of their lines."""
    lines = [line for line in declaration.lines if isinstance(line.public_addresses, Auto) or _has_gateway(line)]
    return sorted({host_of(declaration, line) for line in lines} - {""})


def with_assigned(data: object, interfaces: Mapping[str, object]) -> object:
    """The lists with what the hosts have now; ``interfaces`` are those of multihome_info, by host.

    A line stays as it is where its host did not answer, where it has no address, and where the lists would not be
    sound with it.
    """
    declaration, faults = examine(data)
    if faults or not isinstance(data, Mapping):
        return data
    known = [(line, *_values(interfaces.get(host_of(declaration, line)), line)) for line in declaration.lines]
    known = [found for found in known if found[1]]
    everything = dict(data)
    for line, addresses, gateways in known:
        everything = _bound(everything, line, addresses, gateways)
    if not examine(everything)[1]:
        return everything
    found = dict(data)
    for line, addresses, gateways in known:
        choices = (_bound(found, line, addresses, chosen) for chosen in (gateways, []))
        found = next((bound for bound in choices if not examine(bound)[1]), found)
    return found


def _values(interfaces: object, line: Line) -> tuple[list[str], list[str]]:
    """The addresses and gateways of a line's interface, where its host says so."""
    values = interfaces.get(line.interface) if isinstance(interfaces, Mapping) else None
    if not isinstance(values, Mapping):
        return [], []
    return list(values.get("addresses") or ()), list(values.get("gateways") or ())


def _has_gateway(line: Line) -> bool:
    return isinstance(line.gateway, Auto)


def _bound(data: Mapping[str, Any], line: Line, addresses: Sequence[str], gateways: Sequence[str]) -> dict[str, Any]:
    """The lists with these addresses and gateways of one line, where it has others than ``auto`` nowhere."""
    values = {"public_addresses": addresses, "gateway": gateways}
    if not isinstance(line.public_addresses, Auto):
        addresses = ()
    lines = [
        {**each, **{key: list(new) for key, new in values.items() if new and each.get(key) in _AUTO}}
        if each.get("name") == line.name
        else each
        for each in data["lines"]
    ]
    return {**data, "lines": lines, "servers": [_server(each, line.name, addresses) for each in data["servers"]]}


def _server(server: Mapping[str, Any], line: str, addresses: Sequence[str]) -> Mapping[str, Any]:
    """A server with these addresses of a line that ends on it; else without its own of families that the line lacks."""
    own = server.get("addresses")
    if not addresses or not isinstance(own, Mapping) or line not in own:
        return server
    if own[line] in _AUTO:
        return {**server, "addresses": {**own, line: list(addresses)}}
    listed = own[line] if isinstance(own[line], (list, tuple)) else [own[line]]
    families = {":" in each for each in addresses}
    kept = [each for each in listed if (":" in str(each["address"] if isinstance(each, Mapping) else each)) in families]
    return {**server, "addresses": {**own, line: kept or listed}}
