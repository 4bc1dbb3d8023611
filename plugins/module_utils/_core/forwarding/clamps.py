# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of the maximum segment size of TCP, one for each interface, as plain values and as rules.

The rules are alike in both directions. Their comments hold the interface and the limit, and the checksum of the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .. import fields
from ..entries import Entry, Form, parse_fields, parse_list
from ..errors import InvalidInput
from ..filters.backend import checksum
from ..nat.model import NatRule

AUTO, OFF = "auto", "off"


@dataclass(frozen=True)
class Clamp:
    """The limit for connections by an interface: a number, or ``auto`` for that of the route."""

    interface: str
    mss: str

    FIELDS = {"interface": NatRule.FIELDS["out_interface"], "mss": fields.segment_size}

    @classmethod
    def parse(cls, entry: object) -> Clamp:
        """Return the limit of one entry; raises InvalidInput with bare reasons."""
        values, faults = parse_fields(entry, cls.FIELDS, "interface", required=("interface", "mss"))
        if faults:
            raise InvalidInput(faults)
        return cls(**values)

    @property
    def key(self) -> tuple[object, ...]:
        """The interface."""
        return (self.interface,)

    def satisfied_by(self, other: Clamp) -> bool:
        """Return whether ``other`` is the same."""
        return self == other

    def as_input(self) -> Form:
        """Return the limit as an entry of ``mss``."""
        return {"interface": self.interface, "mss": self.mss}

    def __str__(self) -> str:
        return f"mss {self.mss} on {self.interface}"


def parse_clamps(entries: Sequence[object] | None) -> list[Entry[Clamp]]:
    """Return the entries of the module's list; raises InvalidInput with every fault."""
    return parse_list(entries, "mss", Clamp.parse, "interface", lambda clamp: clamp.key)


def nft_rules(clamps: Iterable[Clamp]) -> list[tuple[str, str]]:
    """Return the rules of nft, each with its comment."""
    found = []
    for clamp in clamps:
        size = "rt mtu" if clamp.mss == AUTO else clamp.mss
        for direction in ("oifname", "iifname"):
            match = f'{direction} "{clamp.interface}" tcp flags & (syn | rst) == syn'
            rule = f"{match} counter tcp option maxseg size set {size}"
            found.append((rule, _comment(clamp, rule)))
    return found


def iptables_rules(clamps: Iterable[Clamp]) -> list[tuple[str, str]]:
    """Return the rules of iptables after the comment, each with its comment."""
    found = []
    for clamp in clamps:
        size = "--clamp-mss-to-pmtu" if clamp.mss == AUTO else f"--set-mss {clamp.mss}"
        for option in ("-o", "-i"):
            rule = f"{option} {clamp.interface} -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS {size}"
            found.append((rule, _comment(clamp, rule)))
    return found


def _comment(clamp: Clamp, rule: str) -> str:
    return f"mss {clamp.mss} {clamp.interface} {checksum(rule)}"


def recovered(comments: Iterable[str | None]) -> tuple[Clamp, ...]:
    """Return the limits that rules with these comments are for."""
    found: dict[Clamp, None] = {}
    for comment in comments:
        words = (comment or "").split(" ")
        if len(words) == 4 and words[0] == "mss":
            try:
                found[Clamp.parse({"interface": words[2], "mss": words[1]})] = None
            except InvalidInput:
                continue
    return tuple(sorted(found, key=lambda clamp: clamp.interface))
