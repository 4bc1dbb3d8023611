# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways and addresses of lines without targets, of which no probe tells: when they count as missing. No I/O.

The kernel asks for a neighbour only while it has packets for it. Without more, a dead gateway of a line that carries
nothing is not noticed, and neither is one that is back: nothing is sent over a line that is down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .probe_schedule import Watch

# The kernel is made to ask so often. It sends nothing to a neighbour that answered a moment ago.
ASK_EVERY = 5.0
# An entry that somebody removes from the table is said to have failed too. It is asked for, and may answer for so long.
GRACE = 1.0
# Called with an interface and an address.
Solicit = Callable[[str, str], None]
# An interface, and the address of a gateway.
Place = tuple[str, str]


class Gateways:
    """The gateways of these lines that decide; with targets, a gateway is only a hint, which needs no proof."""

    def __init__(self, watches: Sequence[Watch], now: float) -> None:
        self._watches = [watch for watch in watches if not watch.targets and watch.line.interface is not None]
        self._next_round = now if self._watches else math.inf
        # Those that are said not to answer, and until when they may; and those that had their time.
        self._doubted: dict[Place, float] = {}
        self._dead: set[Place] = set()

    @property
    def next_time(self) -> float:
        """When look() has something to do next."""
        return min(self._next_round, *self._doubted.values()) if self._doubted else self._next_round

    def answered(self, place: Place) -> None:
        """A gateway answers."""
        self._doubted.pop(place, None)
        self._dead.discard(place)

    def is_dead(self, now: float, place: Place, solicit: Solicit) -> bool:
        """A gateway is said not to answer; tell whether that counts. If not, it is asked, and look() tells later."""
        if place in self._dead or place not in self._places():
            return True
        if place not in self._doubted:
            self._doubted[place] = now + GRACE
            solicit(*place)
        return False

    def look(self, now: float, solicit: Solicit) -> list[Place]:
        """Ask for the gateways when it is time; return those that did not answer in theirs."""
        dead = [place for place, until in self._doubted.items() if until <= now]
        for place in dead:
            del self._doubted[place]
            self._dead.add(place)
        if now >= self._next_round:
            self._next_round = now + ASK_EVERY
            for place in self._places():
                solicit(*place)
        return dead

    def _places(self) -> list[Place]:
        """Return where the gateways are now; these may be others than before."""
        places = ((str(watch.line.interface), gateway) for watch in self._watches for gateway in watch.gateways)
        # Several lines may have one.
        return list(dict.fromkeys(places))


class Addresses:
    """The addresses of these lines; with targets, probes find that theirs is missing."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches = [watch for watch in watches if not watch.targets]
        # Those that are missing, and until when they may: an address is often replaced by another one.
        self._missing: dict[Watch, float] = {}

    @property
    def next_time(self) -> float:
        """When look() has something to do next, without an event."""
        return min(self._missing.values(), default=math.inf)

    def look(self, now: float, has_address: Callable[[str], bool]) -> list[tuple[Watch, bool]]:
        """Return the lines whose address is there again, or has been missing for its time: True or False each."""
        found = []
        for watch in self._watches:
            present = watch.address is None or has_address(watch.address)
            if watch.address is None or present == watch.judge.has_address:
                self._missing.pop(watch, None)
            elif present or now >= self._missing.setdefault(watch, now + GRACE):
                self._missing.pop(watch, None)
                found.append((watch, present))
        return found
