# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the wanted record sets to those that the lines allow now. One pure function, for keeper and modules alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .model import Key, RecordSet

KEEP, DROP = "keep", "drop"


@dataclass(frozen=True)
class Lines:
    """The lines of one family: ``judged`` are those whose state is known, ``usable`` the ones of them in service.

    ``alarm`` is set when none is in service.
    """

    judged: frozenset[str] = frozenset()
    usable: frozenset[str] = frozenset()
    alarm: bool = False

    def serves(self, line: str) -> bool:
        """Tell whether an address of a line is published; one without a line, or of an unknown one, always is."""
        return line not in self.judged or (line in self.usable and not self.alarm)


ByFamily = Mapping[int, Lines]
_UNKNOWN = Lines()


def effective(
    wanted: Iterable[RecordSet], lines: ByFamily, current: Mapping[Key, RecordSet], empty_family: str = KEEP
) -> dict[Key, RecordSet | None]:
    """Return each wanted set as it should be published now; None is a set to remove.

    A set never becomes empty: when no line of its addresses is in service, it stays as it is published. Only with
    ``empty_family: drop`` it is removed, while the domain's set of the other family has a line in service. A wanted set
    is empty while nobody knows its addresses: it is left out where nothing is published either.
    """
    sets = list(wanted)
    serving = {each.key: _serving(each, lines.get(each.family, _UNKNOWN)) for each in sets}
    alive = {each.domain for each in sets if serving[each.key] is not None}
    found: dict[Key, RecordSet | None] = {}
    for each in sets:
        served = serving[each.key]
        if served is None and empty_family == DROP and each.domain in alive:
            found[each.key] = None
        elif not each.addresses:
            found.update({each.key: current[each.key]} if each.key in current else {})
        else:
            found[each.key] = served or _kept(each, current.get(each.key))
    return found


def _serving(wanted: RecordSet, lines: Lines) -> RecordSet | None:
    """Return the set of the addresses whose lines are in service; None when there is none."""
    addresses = [address for address in wanted.addresses if lines.serves(address.line)]
    return wanted.with_addresses(addresses) if addresses else None


def _kept(wanted: RecordSet, published: RecordSet | None) -> RecordSet:
    """Return the part of the wanted set that is published already, else the whole set."""
    values = published.values if published else ()
    kept = [address for address in wanted.addresses if address.address in values]
    return wanted.with_addresses(kept) if kept else wanted
