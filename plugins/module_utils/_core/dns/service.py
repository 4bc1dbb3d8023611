# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishes the stored zones of a host, each in a thread of its own, so that nothing else waits for a server."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..entries import Options
from ..errors import MultihomeError
from ..fields import shown
from ..references import Learned
from .assigned import Assigned, interfaces
from .effective import ByFamily
from .publisher import Log, Publisher

# The lines are asked so often: it is a look at a file.
LOOK_EVERY = 0.25
FIRST_RETRY, LONGEST_RETRY = 1.0, 30.0


class Publication:
    """One zone while it is published."""

    def __init__(
        self,
        options: Options,
        lines: Callable[[], ByFamily | None],
        log: Log,
        make: Callable[[Options, Log], Publisher] = Publisher,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.options, self._on_change = options, on_change
        self._reported: Mapping[str, Any] = {}
        self._lines, self._log, self._make, self._clock = lines, log, make, clock
        self._publisher: Publisher | None = None
        self._known: tuple[ByFamily, Learned] | None = None
        self._interfaces = interfaces(options)
        self._learned: Learned = {}
        self._next, self._retry = float("-inf"), FIRST_RETRY
        self.fault = ""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"dns {options.get('zone')}", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self) -> None:
        """Publish no more; nothing is removed from the zone."""
        self._ends.set()

    def learn(self, learned: Learned) -> None:
        """Take in what the interfaces have that the options refer to. Never waits."""
        self._learned = {name: learned.get(name, {}) for name in self._interfaces}

    def report(self) -> Mapping[str, Any]:
        """Return what is known: the zone, the domains that this host publishes, and the fault. Never waits."""
        publisher = self._publisher
        domains = sorted(publisher.publishes) if publisher else []
        return {"zone": self.options.get("zone"), "publishes": domains, "fault": self.fault}

    def look(self) -> None:
        """Take a step if it is due, or if the lines changed, once these are judged; never raises."""
        now, lines, learned = self._clock(), self._lines(), self._learned
        if lines is None:
            return
        if now < self._next and (lines, learned) == self._known:
            return
        self._known = (lines, learned)
        try:
            if self._publisher is None:
                self._publisher = self._make(self.options, self._log)
            elif self.fault:
                self._publisher.reload_key()
            self._publisher.step(lines, now, learned)
        except MultihomeError as error:
            self._failed(str(error))
        except Exception as error:  # pylint: disable=broad-exception-caught  # the other zones are not affected
            self._failed(f"{type(error).__name__}: {shown(str(error))}")
        else:
            if self.fault:
                self._log("info", f"zone {self.options.get('zone')}: published again")
            self.fault, self._retry = "", FIRST_RETRY
            self._next = now + self._publisher.pause
        report = self.report()
        if report != self._reported:
            self._reported = report
            self._on_change()

    def _failed(self, text: str) -> None:
        if text != self.fault:
            self._log("error", f"zone {self.options.get('zone')} is not published: {text}")
        self.fault = text
        self._next = self._clock() + self._retry
        self._retry = min(2 * self._retry, LONGEST_RETRY)

    def _run(self) -> None:
        while not self._ends.is_set():
            self.look()
            self._ends.wait(LOOK_EVERY)


class Service:
    """The zones of a host, by the names of their files."""

    def __init__(
        self,
        lines: Callable[[], ByFamily | None],
        log: Log,
        on_change: Callable[[], None] = lambda: None,
        assigned: Assigned | None = None,
    ) -> None:
        self._lines, self._log, self._on_change = lines, log, on_change
        self._make = functools.partial(Publisher, assigned=assigned)
        self._zones: dict[str, Publication] = {}

    def attend(self, stored: Mapping[str, Options], learned: Learned) -> None:
        """Publish exactly these zones from now on, with what the interfaces have.

        Called again when a file or an address changed. Never waits.
        """
        for name in [name for name, zone in self._zones.items() if stored.get(name) != zone.options]:
            self._zones.pop(name).stop()
        for name, options in stored.items():
            if name not in self._zones:
                self._zones[name] = Publication(options, self._lines, self._log, self._make, on_change=self._on_change)
                self._zones[name].learn(learned)
                self._zones[name].start()
            else:
                self._zones[name].learn(learned)

    def report(self) -> list[Mapping[str, Any]]:
        """Return what is known of each zone."""
        return [zone.report() for _name, zone in sorted(self._zones.items())]
