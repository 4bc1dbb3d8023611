# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or go without notice.

"""How the addresses of a server tell the line: each by a rule of its own, many by prefixes, else by marks.

A prefix selects only what the server itself sends (in_interface lo), so that it does not matter who else has addresses
in it, on the LAN or in containers. Every other address of the server itself is kept out of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import _routing
from ._addresses import FAMILIES, of_family, prefix_text, read_gateway
from ._faults import Place
from ._prefixes import FEW, cover
from ._reading import list_of
from ._web_lists import LOOPBACK, ROLE, Line

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork

Selector = dict[str, Any]


def read_other_addresses(value: object, faults: list[str]) -> set[IPAddress]:
    """The addresses that the server has besides those of its lines."""
    place = Place(f"{ROLE}: other addresses", faults)
    return set(list_of(read_gateway)(value, place) or ())


@dataclass(frozen=True)
class Sources:
    """What tells the lines apart by source.

    ``undecided`` are the addresses that do not, because they stand for several lines; ``others`` are of no line.
    """

    lines: Sequence[Line]
    undecided: Collection[IPAddress]
    others: Collection[IPAddress]

    def ruled(self, line: Line) -> list[Selector]:
        """The selectors of the rules that send what carries an address of the line to its table."""
        many = [family for family in FAMILIES if self._prefixes(line, family)]
        few = [str(address) for address in self._decided(line) if address.version not in many]
        prefixes = [p for family in FAMILIES if not self._marked(line, family) for p in self._prefixes(line, family)]
        return [*_routing.by_source(few), *map(_own, prefixes)]

    def unruled(self, line: Line) -> list[Selector]:
        """The selectors of what may belong to the line, and must have a route before its mark is known."""
        shared = [str(address.ip) for address in line.addresses if address.ip in self.undecided]
        marked = self.marked_families(line)
        return [*_routing.by_source(shared), *(_own(p) for p in self._all_marked if p.version in marked)]

    @property
    def all_unruled(self) -> list[Selector]:
        """The selectors of what belongs to no line as long as its mark is not known."""
        return [*_routing.by_source(map(str, sorted(self.undecided))), *map(_own, self._all_marked)]

    def marked_families(self, line: Line) -> list[int]:
        """The families in which too many prefixes would be needed for a line's addresses."""
        return [family for family in FAMILIES if self._marked(line, family)]

    def marks(self, marks_used: _routing.Marks) -> list[dict[str, Any]]:
        """The entries of connection_marks by source; what several lines of one gateway have is the first one's."""
        entries: dict[str, dict[str, Any]] = {}
        for line in self.lines:
            for family in self.marked_families(line):
                for prefix in self._prefixes(line, family):
                    source = prefix_text(prefix)
                    entries.setdefault(source, {"name": line.name, "mark": marks_used.of(line), "source": source})
        return list(entries.values())

    def _decided(self, line: Line) -> list[IPAddress]:
        return [address.ip for address in line.addresses if address.ip not in self.undecided]

    def _marked(self, line: Line, family: int) -> bool:
        return len(self._prefixes(line, family)) > FEW

    def _prefixes(self, line: Line, family: int) -> list[IPNetwork]:
        """The prefixes that hold the line's addresses, if these are many, and no other of this server."""
        return self._covers[line.id, family]

    @cached_property
    def _covers(self) -> Mapping[tuple[int, int], list[IPNetwork]]:
        covers = {}
        for line in self.lines:
            decided = self._decided(line)
            for family in FAMILIES:
                own = of_family(decided, family)
                covers[line.id, family] = cover(own, self._everyone) if len(own) > FEW else []
        return covers

    @cached_property
    def _everyone(self) -> set[IPAddress]:
        return {address.ip for line in self.lines for address in line.addresses} | set(self.others)

    @cached_property
    def _all_marked(self) -> list[IPNetwork]:
        """The prefixes that hold the addresses of all marked lines together, and no other of this server."""
        held: dict[int, set[IPAddress]] = {family: set() for family in FAMILIES}
        for line in self.lines:
            for family in self.marked_families(line):
                held[family] |= set(of_family(self._decided(line), family))
        return [prefix for own in held.values() for prefix in cover(own, self._everyone)]


def _own(prefix: IPNetwork) -> Selector:
    """What selects the packets that the server itself sends from a prefix."""
    return {"source": prefix_text(prefix), "in_interface": LOOPBACK}
