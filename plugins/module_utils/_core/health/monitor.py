# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Line health as the keeper uses it: starts the threads, keeps the files, runs the hooks, says which lines are usable.

Threads: ``health`` probes and judges and never waits for anything else; ``health-report`` writes files;
``health-hooks`` runs hooks; ``health-names`` looks names up, only where targets have names.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import hooks as hooks_module
from . import metrics, state
from .hooks import Hooks, Log
from .line_state import CARRYING, DOWN, UP, LineHealth
from .loop import Change, Loop
from .model import Line
from .usable_lines import Usable, usable

# The file is written at least so often, so that a new run has something to resume from.
WRITE_EVERY = 10.0


class Service:
    """Watches lines. ``on_change`` is called, in the thread ``health``, after usable() may have changed: only wake up.

    ``log`` gets a level (error, warning, info) and a text.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        log: Log,
        on_change: Callable[[], None] = lambda: None,
        directory: str = state.DIRECTORY,
        hooks_directory: str = hooks_module.DIRECTORY,
        now_text: Callable[[], str] = lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    ) -> None:
        self._log, self._on_change, self._directory, self._now_text = log, on_change, directory, now_text
        self._boot = state.boot_id()
        read = state.read(directory)
        known, passed = state.resumable(read, time.monotonic(), self._boot)
        self.loop = Loop(lines, self._changed, resume=known, passed=passed)
        self._hooks = Hooks(log, hooks_directory)
        self._changes: queue.SimpleQueue[Sequence[Change] | None] = queue.SimpleQueue()
        self._counts: dict[tuple[str, int, str], int] = {}
        # While no line is usable, a new run sends over the lines that the one before it did.
        before = state.usable_before(read) if known else {}
        self._usable: dict[int, Usable] = {family: Usable(names) for family, names in before.items()}
        self._judge_usable(self.loop.states)
        self._remembered: dict[tuple[str, int], dict[str, Any]] = {}
        self._threads: list[threading.Thread] = []
        self.failed: BaseException | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._hooks.start()
        for name, target in (("health", self._probe), ("health-report", self._report)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, patience: float = 2.0) -> None:
        """End; the state is written once more. Nothing is changed on the host."""
        self.loop.stop()
        # First the thread that judges: what is written last has to be what it found last.
        for thread in self._threads[:1]:
            thread.join(patience)
        self._changes.put(None)
        for thread in self._threads[1:]:
            thread.join(patience)
        self._hooks.stop()

    def usable(self, family: int) -> Usable:
        """Return the lines that may carry what this host initiates, the better ones first. Never waits."""
        return self._usable.get(family) or Usable(())

    def states(self) -> Sequence[LineHealth]:
        """Return what is known of all lines. Never waits."""
        return self.loop.states

    def happened(self, event: str, **facts: str) -> None:
        """Run the hooks for what the keeper has seen itself: ``taken``, for one."""
        self._hooks.happened(event, facts)

    # ---------------------------------------------------------------- the thread that probes
    def _probe(self) -> None:
        try:
            self.loop.run()
        except Exception as error:
            self.failed = error
            self._log("error", f"line health has ended: {type(error).__name__}: {error}; the routes stay as they are")
            self._on_change()

    def _changed(self, changes: Sequence[Change]) -> None:
        self._judge_usable(self.loop.states)
        self._changes.put(list(changes))
        self._on_change()

    def _judge_usable(self, states: Sequence[LineHealth]) -> None:
        for family in sorted({each.family for each in states}):
            before = self._usable.get(family)
            found = usable([each for each in states if each.family == family], before.lines if before else ())
            self._usable = {**self._usable, family: found}

    # ---------------------------------------------------------------- the thread that writes
    def _report(self) -> None:
        self._write()
        while True:
            try:
                changes = self._changes.get(timeout=WRITE_EVERY)
            except queue.Empty:
                changes = ()
            for change in changes or ():
                self._tell(change)
            self._write(ends=changes is None)
            if changes is None:
                return

    def _tell(self, change: Change) -> None:
        before, after = change.before, change.after
        label = f"line {after.line} IPv{after.family}"
        if before.state != after.state:
            key = (after.line, after.family, after.state)
            self._counts[key] = self._counts.get(key, 0) + 1
            # Being suspect is over in a second, one way or the other.
            if not {before.state, after.state} <= CARRYING:
                level = "warning" if after.state == DOWN else "info"
                self._log(level, f"{label}: {after.state}, was {before.state}: {after.reason}")
        if after.alarm and after.alarm != before.alarm:
            self._log("error", f"{label}: cannot be judged: {after.alarm}")
        if before.degraded != after.degraded:
            self._log("info", f"{label}: {'degraded' if after.degraded else 'not degraded any more'}")
        for event in events_of(change):
            self._hooks.happened(event, facts_of(after))

    def _write(self, ends: bool = False) -> None:
        self._ask_what_to_remember(patience=0.0 if ends else 1.0)
        states = self.loop.states
        text = state.as_json(states, self._remembered, time.monotonic(), self._now_text(), self._boot, self._usable)
        try:
            state.write(text, self._directory)
            # Not secret, and node_exporter is not root.
            numbers = metrics.as_text(states, self._counts, self.loop.lags)
            state.write(numbers, self._directory, metrics.NAME, 0o644)
        except OSError as error:
            self._log("error", f"the lines' health cannot be written: {error}")

    def _ask_what_to_remember(self, patience: float) -> None:
        if not self._threads[0].is_alive():  # it has ended, and answers nothing any more
            self._remembered = self.loop.remembered(time.monotonic())
            return
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.loop.remember(answer.put)
        with contextlib.suppress(queue.Empty):
            self._remembered = answer.get(timeout=patience)


def events_of(change: Change) -> list[str]:
    """Return the events that hooks are run for."""
    before, after = change.before, change.after
    events = []
    if after.state == DOWN and before.state != DOWN:
        events.append(hooks_module.DOWN)
    elif after.state == UP and before.state not in CARRYING:
        events.append(hooks_module.UP)
    if after.degraded and not before.degraded:
        events.append(hooks_module.DEGRADED)
    if after.address != before.address:
        events.append(hooks_module.ADDRESS)
    return events


def facts_of(health: LineHealth) -> dict[str, str]:
    """Return what hooks get in their environment."""
    return {
        "line": health.line,
        "family": f"ipv{health.family}",
        "state": health.shown,
        "reason": health.reason,
        "address": health.address or "",
        "degraded": "yes" if health.degraded else "no",
    }
