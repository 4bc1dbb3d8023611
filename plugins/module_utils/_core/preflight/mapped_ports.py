# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of a firewall itself that lead to a server. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import fields
from ..entries import objects, parse_fields, parse_list
from ..errors import InvalidInput


@dataclass(frozen=True)
class TakenPort:
    """A tcp port that the firewall itself needs, at an address where ``server`` answers it instead."""

    address: str
    port: int
    server: str
    name: str = ""

    FIELDS = {"address": fields.host, "port": fields.integer(1, 65535), "server": fields.host}

    @classmethod
    def parse(cls, entry: object) -> TakenPort:
        """Return the port of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "address", required=tuple(cls.FIELDS))
        if faults:
            raise InvalidInput(faults)
        return cls(**values, name=str(entry.get("name") or "") if isinstance(entry, dict) else "")

    @property
    def key(self) -> tuple[str, int, str]:
        """All but the name."""
        return (self.address, self.port, self.server)


def parse_taken_ports(entries: Sequence[object]) -> tuple[TakenPort, ...]:
    """Return the option ``taken_ports``; raises InvalidInput with every fault."""
    return tuple(objects(parse_list(entries, "taken_ports", TakenPort.parse, "address", lambda taken: taken.key)))
