# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""How the addresses of a server tell the line: each by a rule of its own, many by prefixes, otherwise by marks.

A prefix selects only packets of the server itself (in_interface lo), so that other hosts and containers may have
addresses in it. It contains no other address of the server.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .._input.addresses import FAMILIES, of_family, prefix_text, read_gateway
from .._input.faults import Place
from .._input.reading import list_of
from .._roles.line_routing import MarkMask, by_source
from .._roles.module_lists import Mark, Selector
from .lines import LOOPBACK, ROLE, ServerLine
from .prefix_cover import FEW, cover

if TYPE_CHECKING:
    from netaddr import IPAddress, IPNetwork


def read_other_addresses(value: object, faults: list[str]) -> set[IPAddress]:
    """The addresses that the server has besides those of its lines."""
    place = Place(f"{ROLE}: other addresses", faults)
    return set(list_of(read_gateway)(value, place) or ())


@dataclass(frozen=True)
class Sources:
    """The selectors and marks that tell the lines apart by source.

    ``ambiguous`` addresses belong to several lines, so they do not tell the line; ``others`` belong to no line.
    """

    lines: Sequence[ServerLine]
    ambiguous: Collection[IPAddress]
    others: Collection[IPAddress]

    def of_line(self, line: ServerLine) -> list[Selector]:
        """The selectors of packets that carry an address of the line."""
        many = [family for family in FAMILIES if self._prefixes(line, family)]
        few = [str(address) for address in self._unambiguous(line) if address.version not in many]
        prefixes = [p for family in FAMILIES if not self._marked(line, family) for p in self._prefixes(line, family)]
        return [*by_source(few), *map(_sent_from, prefixes)]

    def before_mark(self, line: ServerLine) -> list[Selector]:
        """The selectors of packets that may belong to the line, and need a route before their mark is known."""
        shared = [str(address.ip) for address in line.addresses if address.ip in self.ambiguous]
        marked = self.marked_families(line)
        return [*by_source(shared), *(_sent_from(p) for p in self._marked_prefixes if p.version in marked)]

    @property
    def all_before_mark(self) -> list[Selector]:
        """The selectors of packets that belong to no line as long as their mark is not known."""
        return [*by_source(map(str, sorted(self.ambiguous))), *map(_sent_from, self._marked_prefixes)]

    def marked_families(self, line: ServerLine) -> list[int]:
        """The families in which too many prefixes would be needed for a line's addresses."""
        return [family for family in FAMILIES if self._marked(line, family)]

    def marks(self, mask: MarkMask) -> list[Mark]:
        """The entries of connection_marks by source; a source of several lines of one gateway is the first one's."""
        entries: dict[str, Mark] = {}
        for line in self.lines:
            for family in self.marked_families(line):
                for prefix in self._prefixes(line, family):
                    source = prefix_text(prefix)
                    entries.setdefault(source, {"name": line.name, "mark": mask.mark_of(line), "source": source})
        return list(entries.values())

    def _unambiguous(self, line: ServerLine) -> list[IPAddress]:
        return [address.ip for address in line.addresses if address.ip not in self.ambiguous]

    def _marked(self, line: ServerLine, family: int) -> bool:
        return len(self._prefixes(line, family)) > FEW

    def _prefixes(self, line: ServerLine, family: int) -> list[IPNetwork]:
        """The prefixes that contain the line's addresses, if these are many, and no other address of the server."""
        return self._covers[line.id, family]

    @cached_property
    def _covers(self) -> Mapping[tuple[int, int], list[IPNetwork]]:
        covers = {}
        for line in self.lines:
            decided = self._unambiguous(line)
            for family in FAMILIES:
                own = of_family(decided, family)
                covers[line.id, family] = cover(own, self._all_addresses) if len(own) > FEW else []
        return covers

    @cached_property
    def _all_addresses(self) -> set[IPAddress]:
        return {address.ip for line in self.lines for address in line.addresses} | set(self.others)

    @cached_property
    def _marked_prefixes(self) -> list[IPNetwork]:
        """The prefixes that contain the addresses of all marked lines together, and no other address of the server."""
        held: dict[int, set[IPAddress]] = {family: set() for family in FAMILIES}
        for line in self.lines:
            for family in self.marked_families(line):
                held[family] |= set(of_family(self._unambiguous(line), family))
        return [prefix for own in held.values() for prefix in cover(own, self._all_addresses)]


def _sent_from(prefix: IPNetwork) -> Selector:
    """The selector of packets that the server itself sends from a prefix."""
    return {"source": prefix_text(prefix), "in_interface": LOOPBACK}
