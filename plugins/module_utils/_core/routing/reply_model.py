# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replies of lines, as they are routed and as they have to be, and what is found about them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import fields
from ..entries import Entry, parse_fields, parse_list
from ..errors import InvalidInput
from .route_lookup import Path
from .rule_walk import ANY_TRAFFIC, Traffic

TAKEN, REFUSED, NOT_ASKED = "reply-taken", "reply-refused", "reply-not-asked"
POSSIBLE = "reply-may-be-taken"


def _list(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("not a list")
    return list(value)


@dataclass(frozen=True)
class Reply:
    """One kind of reply of one line: what it looks like when it is routed, and the way that it has to take.

    Without ``in_interface`` and ``forwarded`` the host itself sends it, from ``source``. With ``forwarded`` it comes in
    by the interface that leads to ``source``. ``interface`` and ``networks`` are the line's own on this host, where it
    has any.
    """

    line: str
    table: int
    source: str
    gateways: tuple[str, ...] = ()
    mark: tuple[int, int] | None = None
    in_interface: str | None = None
    interface: str | None = None
    networks: tuple[str, ...] = ()
    forwarded: bool = False

    FIELDS = {
        "line": fields.text,
        "table": fields.integer(1, 0xFFFFFFFF),
        "source": fields.host,
        "gateways": lambda value: tuple(fields.host(text) for text in _list(value)),
        "mark": fields.mark,
        "in_interface": fields.interface,
        "interface": fields.interface,
        "networks": lambda value: tuple(fields.prefix(text) for text in _list(value)),
        "forwarded": fields.boolean,
    }

    @classmethod
    def parse(cls, entry: Any) -> Reply:
        """Return the reply of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "line", required=("line", "table", "source"))
        if not faults and not values.get("gateways") and "interface" not in values:
            faults.append("needs gateways, or the interface of a line without one")
        if faults:
            raise InvalidInput(faults)
        family = fields.family_of(values["source"])
        for name in ("gateways", "networks"):
            values[name] = tuple(text for text in values.get(name, ()) if fields.family_of(text) == family)
        return cls(**values)

    @property
    def family(self) -> int:
        """4 or 6."""
        return fields.family_of(self.source)

    def to(self, destination: str, traffic: Traffic = ANY_TRAFFIC) -> Path:
        """Return the path to ask for."""
        return Path(destination, self.source, self.mark, self.in_interface, traffic)

    def __str__(self) -> str:
        mark = f" with mark {fields.mark_text(self.mark)}" if self.mark else ""
        came = f" that came in by {self.in_interface}" if self.in_interface else ""
        return f"replies of line {self.line} from {self.source}{mark}{came}"


@dataclass(frozen=True)
class Finding:
    """A reply that does not leave by its line. ``rule`` and ``route`` are what takes it, where they could be found.

    ``kind`` is TAKEN, REFUSED where our own rules refuse it because the line's table has no way, or NOT_ASKED where
    the kernel cannot be asked, because the source is no address of this host. It is POSSIBLE where only a reply with a
    mark of another program would be taken, or one that comes in by another interface. ``traffic`` is what a
    rule selects of the replies besides their addresses, mark and interface.
    """

    kind: str
    reply: Reply
    destination: str
    cause: str
    remedy: str
    rule: Mapping[str, Any] | None = None
    route: Mapping[str, Any] = field(default_factory=dict)
    traffic: Traffic = ANY_TRAFFIC

    @property
    def subject(self) -> str:
        """The reply in words, with its destination."""
        which = f" ({self.traffic})" if self.traffic != ANY_TRAFFIC else ""
        return f"{self.reply}{which} to {self.destination}"

    @property
    def message(self) -> str:
        """The finding in one line."""
        return f"{self.subject}: {self.cause}; {self.remedy}"

    def as_result(self) -> dict[str, Any]:
        """Return the finding as results tell it."""
        return {
            "id": self.kind,
            "line": self.reply.line,
            "family": f"ipv{self.reply.family}",
            "source": self.reply.source,
            "mark": self.reply.mark and fields.mark_text(self.reply.mark),
            "in_interface": self.reply.in_interface,
            "destination": self.destination,
            "traffic": str(self.traffic) or None,
            "rule": dict(self.rule) if self.rule else None,
            "route": dict(self.route),
            "message": self.message,
            "remedy": self.remedy,
        }


def parse_replies(entries: Sequence[Any]) -> list[Entry[Reply]]:
    """Return the parsed entries; raises InvalidInput with every fault."""
    counter = iter(range(len(entries)))
    return parse_list(entries, "replies", Reply.parse, "line", lambda _reply: next(counter))


def parse_networks(values: Sequence[Any], list_name: str = "inside_networks") -> list[str]:
    """Return inside networks; raises InvalidInput with every fault."""
    faults: list[str] = []
    networks: list[str] = []
    for index, value in enumerate(values):
        try:
            networks.append(fields.prefix(value))
        except ValueError as error:
            faults.append(f"{list_name}[{index}] ({value}): {error}")
    if faults:
        raise InvalidInput(faults)
    return networks
