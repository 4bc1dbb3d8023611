# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A zone as one object: read by the first server and source that answer, and changed by the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from ..fields import family_of
from .client import Client, Content, Replacement, ServerFault
from .model import Key as SetKey
from .model import RecordSet
from .transport import TIMEOUT, Source
from .zone import Zone

T = TypeVar("T")
MakeClient = Callable[..., Client]


class ZoneServers:
    """The primary server of a zone, at each of its addresses, from each source, in this order."""

    def __init__(self, zone: Zone, timeout: float = TIMEOUT, make: MakeClient = Client) -> None:
        self.zone, self._timeout, self._make = zone, timeout, make
        self._answered: tuple[str, Source] | None = None

    def read(self, keys: Iterable[SetKey], texts: Iterable[str] = (), sources: Sequence[Source] = ()) -> Content:
        """Return what exists; raises ServerFault with the faults of all ways to the server."""
        wanted, named = list(keys), list(texts)
        return self._by_any(lambda client: client.read(wanted, named), sources)

    def replace(self, replacements: Sequence[Replacement], sources: Sequence[Source] = ()) -> None:
        """Replace sets in one UPDATE; raises Conflict or ServerFault.

        An update whose answer is lost may have been made: then it is a Conflict by the next way, and nothing is done
        twice.
        """
        self._by_any(lambda client: client.replace(replacements), sources)

    def _by_any(self, work: Callable[[Client], T], sources: Sequence[Source]) -> T:
        faults: list[str] = []
        for server, source in self._ways(sources or self.zone.sources):
            try:
                zone = self.zone
                done = work(self._make(zone.name, server, zone.key, source, zone.port, self._timeout))
            except ServerFault as fault:
                if fault.answered:
                    raise
                faults.append(str(fault))
                continue
            self._answered = (server, source)
            return done
        raise ServerFault("\n".join(faults), answered=False)

    def _ways(self, sources: Sequence[Source]) -> list[tuple[str, Source]]:
        """Return the pairs of server and source of one family, the one that answered last in front."""
        ways = [
            (server, source)
            for source in sources
            for server in self.zone.servers
            if not source.address or family_of(source.address) == family_of(server)
        ] or [(server, Source()) for server in self.zone.servers]
        preferred = self._answered if self._answered in ways else ways[0]
        # The order of sources says which line is up: the last one is only tried first where it is still the best.
        return sorted(ways, key=lambda way: (sources.index(way[1]) if way[1] in sources else 0, way != preferred))


def replacements(
    current: Mapping[SetKey, RecordSet],
    wanted: Mapping[SetKey, RecordSet | None],
    wildcards: Mapping[SetKey, str] | None = None,
) -> list[Replacement]:
    """Return the sets that differ, each with what it was and what it becomes.

    A set that is made from a wildcard does not exist itself, and cannot be removed.
    """
    known = wildcards or {}
    found = []
    for (domain, kind), new in wanted.items():
        old = current.get((domain, kind))
        if (new is None and old is None) or (new and old and new.satisfied_by(old)):
            continue
        if new is None and (domain, kind) in known:
            continue
        values, ttl = (new.values, new.ttl) if new else ((), 0)
        found.append(Replacement(domain, kind, old.values if old else (), values, ttl, (domain, kind) in known))
    return found
