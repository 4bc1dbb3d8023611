# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The health of lines: the keys that both roles and the declaration share, and the list of line_health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from ...module_utils._core.errors import InvalidInput
from ...module_utils._core.health.model import Health
from .._input.addresses import of_family
from .._input.faults import Place
from .._input.reading import Entry, Field, choice, read_flag

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork


class WatchedLine(TypedDict, total=False):
    """An entry of line_health."""

    name: str
    id: int
    interface: str
    addresses: list[str]
    gateways: list[str]
    mark: str
    drained: bool
    flows: str
    health: Mapping[str, Any]


def read_health(value: object, place: Place) -> Mapping[str, Any] | None:
    """How a line is judged, as the module accepts it."""
    try:
        Health.parse(value)
    except InvalidInput as error:
        for fault in error.faults:
            place.fault(fault)
        return None
    return dict(value) if isinstance(value, Mapping) else None


HEALTH_FIELDS = {
    "drained": Field(read_flag),
    "flows": Field(choice("forget", "keep", "abort")),
    "health": Field(read_health),
}


class RoleLine(Protocol):
    """The part of a role's line that its health needs."""

    @property
    def entry(self) -> Entry:
        """As it was read."""

    @property
    def name(self) -> str:
        """The name."""

    @property
    def id(self) -> int:
        """The number."""

    @property
    def interface(self) -> str:
        """The interface of the host."""

    @property
    def health(self) -> Mapping[str, Any] | None:
        """How it is judged."""

    @property
    def drained(self) -> bool:
        """Whether it is out of service."""

    @property
    def flows(self) -> str:
        """What happens to connections when it dies."""


def wants_health(lines: Iterable[RoleLine]) -> bool:
    """Whether a host's lines are watched: where one of them says anything about it."""
    return any(key in line.entry.values for line in lines for key in HEALTH_FIELDS)


def watched(
    line: RoleLine, addresses: Sequence[IPNetwork], gateways: Sequence[IPAddress], mark: str | None
) -> WatchedLine:
    """The entry of one line; ``mark`` where packets find the line by one."""
    families = sorted({address.version for address in addresses})
    entry: WatchedLine = {
        "name": line.name,
        "id": line.id,
        "interface": line.interface,
        "addresses": [str(address.ip) for address in addresses],
        "gateways": [str(gateway) for family in families for gateway in of_family(gateways, family)],
    }
    if mark is not None:
        entry["mark"] = mark
    if line.drained:
        entry["drained"] = True
    if line.flows != "forget":
        entry["flows"] = line.flows
    if line.health:
        entry["health"] = line.health
    return entry


def refuse_no_line_left(lines: Sequence[RoleLine]) -> None:
    """Report lines of which every one is out of service: the last one has to stay in use."""
    if lines and all(line.drained for line in lines):
        lines[0].entry.place.fault("drained: every line of this host is; one has to stay in service")
