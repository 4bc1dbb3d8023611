# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines whose health a host watches, and the settings of that: parsed, judged, with their defaults. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .. import fields
from ..entries import Entry, objects, parse_fields, parse_list, without_none
from ..errors import InvalidInput
from ..references import Learned, parse_reference, values
from .targets import Target, parse_targets

FAMILIES = (4, 6)
MAX_TARGETS = 16
# A line is quiet after this share of the interval without an answer; its targets are then asked so much faster.
QUIET_SHARE, FAST_SHARE = 0.7, 0.2
# A line is not down before so many probes are unanswered.
PROBES_TO_JUDGE = 8
# What those take at the fast pace, for a single target: the least that down_after has to allow for.
LEAST_DOWN_SHARE = 2.4
LONGEST_HOLD = 600.0


def number(low: float, high: float) -> fields.Parser:
    """Return a parser of numbers from ``low`` to ``high``; accepts decimal strings, as templates produce them."""

    def parse(value: Any) -> float:
        try:
            result = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            result = math.nan
        if math.isnan(result):
            raise ValueError("not a number")
        if not low <= result <= high:
            raise ValueError(f"not within {low:g} to {high:g}")
        return result

    return parse


@dataclass(frozen=True)
class Degraded:
    """From when on a line is only the second choice: ``loss`` in percent, ``rtt`` in milliseconds."""

    loss: float = 25.0
    rtt: float = 500.0

    FIELDS = {"loss": number(1, 100), "rtt": number(1, 60000)}


@dataclass(frozen=True)
class Health:
    """How a line is judged. Times are in seconds; without targets only carrier and gateway are watched."""

    targets: tuple[Target, ...] = ()
    quorum: int = 1
    interval: float = 0.5
    down_after: float = 1.2
    up_after: float = 10.0
    degraded: Degraded = field(default_factory=Degraded)

    FIELDS = {
        "quorum": fields.integer(1, MAX_TARGETS),
        "interval": number(0.1, 60),
        "down_after": number(0.3, 600),
        "up_after": number(0, LONGEST_HOLD),
    }

    @classmethod
    def parse(cls, entry: Any) -> Health:
        """Return the settings of one ``health``; raises InvalidInput with bare reasons."""
        if not isinstance(entry, Mapping):
            raise InvalidInput([f"not a dictionary but {type(entry).__name__}"])
        nested = ("targets", "degraded")
        faults = [f'unknown field "{name}"' for name in entry if name not in (*cls.FIELDS, *nested)]
        plain = {name: value for name, value in entry.items() if name in cls.FIELDS}
        values, found = parse_fields(plain, cls.FIELDS, "")
        faults += found
        if entry.get("targets") is not None:
            values["targets"], found = parse_targets(entry["targets"])
            faults += found
        if entry.get("degraded") is not None:
            limits, found = parse_fields(entry["degraded"], Degraded.FIELDS, "")
            faults += [f"degraded: {fault}" for fault in found]
            values["degraded"] = Degraded(**limits)
        settings = cls(**values)
        if not faults:
            faults = settings._faults()
        if faults:
            raise InvalidInput(faults)
        return settings

    def _faults(self) -> list[str]:
        """Return what is wrong between fields that are well-formed each."""
        faults = []
        if len(self.targets) > MAX_TARGETS:
            faults.append(f"targets: at most {MAX_TARGETS}, not {len(self.targets)}")
        for family in FAMILIES:
            count = len(self.targets_of(family))
            if 0 < count < self.quorum:
                faults.append(f"quorum {self.quorum}: only {count} of the targets can answer by IPv{family}")
        least = LEAST_DOWN_SHARE * self.interval
        if self.down_after < least - 1e-9:
            faults.append(
                f"down_after {self.down_after:g}: with an interval of {self.interval:g} it takes at least {least:g} s"
                f" until {PROBES_TO_JUDGE} probes are unanswered"
            )
        return faults

    def targets_of(self, family: int) -> tuple[Target, ...]:
        """Return the targets that a family can ask; those with a name belong to both."""
        return tuple(target for target in self.targets if target.family in (family, None))

    def as_input(self) -> dict[str, Any]:
        """Return the settings as ``health`` of a line; what is the default is left out."""
        default = Health()
        limits = {
            name: getattr(self.degraded, name)
            for name in Degraded.FIELDS
            if getattr(self.degraded, name) != getattr(default.degraded, name)
        }
        plain = {name: getattr(self, name) for name in self.FIELDS if getattr(self, name) != getattr(default, name)}
        return without_none(
            targets=[target.as_input() for target in self.targets] or None, **plain, degraded=limits or None
        )


def _addresses(value: Any) -> tuple[str, ...]:
    """Return the addresses of a list; a prefix length is cut off, so that interface addresses may be given.

    References to what an interface has, as auto:ppp0:ipv4, stay as they are.
    """
    written = value if isinstance(value, (list, tuple)) else [value]
    return tuple(
        str(each) if parse_reference(each) else fields.host_address(each).partition("/")[0] for each in written
    )


def _family_of(text: str) -> int:
    """Return the family of an address or of a reference to one."""
    found = parse_reference(text)
    return found[1] if found else fields.family_of(text)


@dataclass(frozen=True)
class Line:
    """A line as its host sees it. ``addresses`` are the host's own; the first of each family is what probes carry.

    ``mark`` and ``bind_interface`` pin probes to the line where the address does not: several lines with one
    address, or an interface that is the line's own.
    """

    name: str
    id: int
    interface: str | None = None
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    mark: tuple[int, int] | None = None
    bind_interface: bool = False
    drained: bool = False
    flows: str = "forget"
    health: Health = field(default_factory=Health)

    FIELDS = {
        "name": fields.text,
        "id": fields.integer(1, 250),
        "interface": fields.interface,
        "addresses": _addresses,
        "gateways": _addresses,
        "mark": fields.mark,
        "bind_interface": fields.boolean,
        "drained": fields.boolean,
        "flows": fields.choice("forget", "keep", "abort"),
    }

    @classmethod
    def parse(cls, entry: Any) -> Line:
        """Return the line of one entry; raises InvalidInput with bare reasons."""
        plain, health = entry, None
        if isinstance(entry, Mapping):
            plain, health = {name: value for name, value in entry.items() if name != "health"}, entry.get("health")
        values, faults = parse_fields(plain, cls.FIELDS, "name", required=("name", "id"))
        if health is not None:
            try:
                values["health"] = Health.parse(health)
            except InvalidInput as error:
                faults += [f"health: {fault}" for fault in error.faults]
        if not faults:
            faults = cls(**values)._faults()
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    def _faults(self) -> list[str]:
        faults = []
        if self.bind_interface and self.interface is None:
            faults.append("bind_interface: needs an interface")
        near = {*self.addresses, *self.gateways}
        faults += [
            f"health: targets: {target} is an address of the line itself, which answers also when the line is dead"
            for target in self.health.targets
            if target.host in near
        ]
        pinned = self.mark or self.bind_interface or self.addresses
        if self.health.targets and not pinned:
            faults.append("health: nothing pins probes to the line; give addresses, mark or bind_interface")
        return faults

    @property
    def key(self) -> tuple[str]:
        """The line's identity: its name."""
        return (self.name,)

    def satisfied_by(self, other: Line) -> bool:
        """Tell whether ``other`` has the same settings."""
        return self == other

    @property
    def families(self) -> tuple[int, ...]:
        """The families that the line is judged in: of its addresses, else gateways, else targets."""
        given = self.addresses or self.gateways
        if given:
            return tuple(family for family in FAMILIES if any(_family_of(each) == family for each in given))
        return tuple(family for family in FAMILIES if self.health.targets_of(family)) or FAMILIES[:1]

    def source(self, family: int) -> str | None:
        """Return the address that probes of a family carry."""
        known = (each for each in self.addresses if not parse_reference(each))
        return next((each for each in known if fields.family_of(each) == family), None)

    def lacks_address(self, family: int) -> bool:
        """Tell whether an address of a family is assigned to the line, but by nobody yet."""
        refers = any(_family_of(each) == family for each in self.addresses if parse_reference(each))
        return refers and self.source(family) is None

    @property
    def refers(self) -> bool:
        """Whether addresses or gateways are those that an interface has."""
        return any(parse_reference(each) for each in (*self.addresses, *self.gateways))

    def bound(self, learned: Learned) -> Line:
        """Return the line with what its interfaces have now; a reference to an address that is missing stays."""
        addresses = [each for text in self.addresses for each in values(text, learned) or [text]]
        gateways = [each for text in self.gateways for each in values(text, learned, gateways=True)]
        return replace(self, addresses=tuple(addresses), gateways=tuple(gateways))

    def as_input(self) -> dict[str, Any]:
        """Return the line as an entry of ``lines``."""
        return without_none(
            name=self.name,
            id=self.id,
            interface=self.interface,
            addresses=list(self.addresses) or None,
            gateways=list(self.gateways) or None,
            mark=self.mark and fields.mark_text(self.mark),
            bind_interface=self.bind_interface or None,
            drained=self.drained or None,
            flows=None if self.flows == "forget" else self.flows,
            health=self.health.as_input() or None,
        )

    def __str__(self) -> str:
        return f"line {self.name}"


def parse_lines(entries: Iterable[Any] | None) -> list[Line]:
    """Return the lines of a list; raises InvalidInput with every fault of the list."""
    return objects(parse_entries(entries))


def parse_entries(entries: Iterable[Any] | None) -> list[Entry[Line]]:
    """Return the lines of a list with their places; raises InvalidInput with every fault of the list."""
    parsed = parse_list(list(entries or ()), "lines", Line.parse, "name", lambda line: line.name)
    lines = objects(parsed)
    faults: list[str] = []
    seen: dict[int, str] = {}
    for line in lines:
        other = seen.setdefault(line.id, line.name)
        if other != line.name:
            faults.append(f"lines {other} and {line.name}: both have the id {line.id}")
    if faults:
        raise InvalidInput(faults)
    return parsed
