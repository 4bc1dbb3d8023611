# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of the stored lines, beside the keeper's loop: watched by health/monitor.py, applied by the loop.

Without stored lines nothing of it is loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..engine import Allowed
from ..entries import Options
from ..errors import MultihomeError
from .error_text import error_text
from .report import log
from .stored_states import State

if TYPE_CHECKING:
    from ..health.drained import Drained
    from ..health.effective import Observed
    from ..health.model import Line
    from ..health.monitor import Service
    from ..references import Learned

LINES, DRAINED = "lines", "drained"
# The end of a line's time out of service is a time of the clock on the wall, which may be set.
_LOOK_AT_CLOCK = 30.0
# When watching failed, it starts again after so many seconds.
_RESTART = 10.0
Start = Callable[[Sequence["Line"], Callable[[], None]], "Service"]


def start_service(lines: Sequence[Line], on_change: Callable[[], None]) -> Service:
    """Return a service that watches these lines."""
    from ..health.monitor import Service  # noqa: PLC0415 - only on a host with stored lines

    service = Service(lines, log, on_change)
    service.start()
    return service


class LineHealth:
    """Watches the lines of lines.json; ``wake`` is called, in another thread, when something about them changed."""

    def __init__(
        self, wake: Callable[[], None], start: Start = start_service, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._wake, self._start, self._wall_clock = wake, start, wall_clock
        self._service: Service | None = None
        # The lines as they are stored, the same with the addresses that they have now, and the ones that they had.
        self._wanted: list[Line] = []
        self._lines: list[Line] = []
        self._former: dict[str, set[str]] = {}
        self._files: dict[str, Any] = {}
        self._drained: list[Drained] = []
        self._out: frozenset[str] = frozenset()
        self._observed: Observed | None = None
        self._is_to_start = False
        # The lines and families whose connections were ended since they died.
        self._ended: set[tuple[str, int]] = set()
        # When time alone changes something, by the monotonic clock.
        self.next_time = float("inf")

    @property
    def observed(self) -> Observed | None:
        """What the lines allowed at the last update(); None where no lines are stored."""
        return self._observed

    def allowed(self, kind: str, options: Options) -> Allowed | None:
        """Return what the lines allow of the options of a kind of state; None is all of them."""
        if self._observed is None:
            return None
        from ..health.effective import allowed  # noqa: PLC0415 - only on a host with stored lines

        return allowed(kind, options, self._observed)

    def update(self, states: Iterable[State], now: float, learn: Callable[[], Learned] = dict) -> None:
        """Take in the stored files as they are, and what is known of the lines; ``fault`` of a state says why not.

        ``learn`` returns what the interfaces have, for lines whose addresses are assigned by an ISP.
        """
        found = {kind: state for state in states for kind in (LINES, DRAINED) if state.file == f"{kind}.json"}
        if not found and self._service is None and self._observed is None:
            return
        drained_changed = self._read(DRAINED, found.get(DRAINED), self._take_drained)
        lines_changed = self._read(LINES, found.get(LINES), self._take_lines)
        if any(line.refers for line in self._wanted):
            self._bind(learn(), tell=not lines_changed)
        self._apply(lines_changed or drained_changed, lines_changed, now)
        self._observe()

    def end_flows(self) -> None:
        """End the connections that were initiated inside over lines that died, once another line takes them."""
        if self._service is None or self._observed is None:
            return
        from ..health.flows import end_flows  # noqa: PLC0415 - only on a host with stored lines
        from ..health.line_state import DOWN  # noqa: PLC0415 - as above

        dead = {(each.line, each.family) for each in self._service.states() if each.state == DOWN}
        usable = self._observed.usable
        dead = {
            (name, family)
            for name, family in dead
            if family in usable and usable[family].lines and name not in usable[family].lines
        }
        new = [(line, family) for line in self._lines for family in (4, 6) if (line.name, family) in dead - self._ended]
        self._ended = dead
        try:
            lines = [
                replace(line, addresses=(*line.addresses, *self._former.get(line.name, ()))) for line in self._lines
            ]
            dying = [(line, family) for line in lines for _line, family in new if line.name == _line.name]
            for name, count in end_flows(dying, lines).items():
                log("info", f"line {name}: {count} connections initiated inside use another line from now on")
        except MultihomeError as error:
            log("warning", f"connections over dead lines are not ended: {error}")

    def stop(self) -> None:
        """End; the kernel keeps all objects, and a new keeper goes on from what is known."""
        if self._service is not None:
            self._service.stop()
            self._service = None

    # ---------------------------------------------------------------- the stored files
    def _read(self, kind: str, state: State | None, take: Callable[[Any], None]) -> bool:
        """Take in a file that changed; tell whether it did. One that cannot be used leaves everything as it is."""
        signature = state.signature if state is not None else None
        if signature == self._files.get(kind):
            return False
        self._files[kind] = signature
        if state is not None and state.stored is None:
            return False
        try:
            take(state.stored.options.get(kind) if state is not None and state.stored is not None else ())
        except Exception as error:  # pylint: disable=broad-exception-caught  # it must not stop the keeper
            if state is not None:
                state.fault = error_text(error)
            return False
        return True

    def _take_lines(self, entries: Any) -> None:
        from ..health.model import parse_lines  # noqa: PLC0415 - only on a host with stored lines

        self._wanted = self._lines = parse_lines(entries)

    def _bind(self, learned: Learned, tell: bool) -> None:
        """Take in the addresses and gateways that the lines have now; with ``tell``, the service gets them too."""
        before = {line.name: line for line in self._lines}
        self._lines = [line.bound(learned) for line in self._wanted]
        for line in self._lines:
            former = before[line.name]
            if line == former:
                continue
            # What was initiated from an earlier address is found by it.
            kept = {*self._former.get(line.name, ()), *former.addresses}
            self._former[line.name] = kept - set(line.addresses)
            if self._service is None or not tell:
                continue
            for family in line.families:
                self._service.loop.set_address(line.name, family, line.source(family))
            self._service.loop.set_gateways(line.name, line.gateways)
            log("info", f"line {line.name}: addresses {', '.join(line.addresses)}")

    def _take_drained(self, entries: Any) -> None:
        from ..health.drained import parse_drained  # noqa: PLC0415 - only on a host with stored lines

        self._drained = parse_drained(entries)

    def _apply(self, changed: bool, restart: bool, now: float) -> None:
        """Have the service watch what is stored, with the lines out of service that are now."""
        failed = self._service is not None and self._service.failed is not None
        if failed and self.next_time > now + _RESTART:
            self.next_time = now + _RESTART
        if not changed and now < self.next_time:
            return
        from ..health import drained  # noqa: PLC0415 - only on a host with stored lines

        today = self._wall_clock()
        out = frozenset(each.line for each in drained.in_force(self._drained, today))
        end = drained.next_end(self._drained, today)
        self.next_time = float("inf") if end is None else now + max(0.0, min(end - today, _LOOK_AT_CLOCK))
        if restart or failed or self._is_to_start:
            self._restart(out, now)
        elif self._service is not None:
            for line in self._lines:
                if (line.name in out) != (line.name in self._out):
                    self._service.loop.set_drained(line.name, line.drained or line.name in out)
        self._out = out

    def _restart(self, out: frozenset[str], now: float) -> None:
        """Watch these lines from now on; a service that cannot be started is tried again later."""
        self.stop()
        self._is_to_start = False
        lines = [replace(line, drained=line.drained or line.name in out) for line in self._lines]
        try:
            self._service = self._start(lines, self._wake) if lines else None
        except Exception as error:  # pylint: disable=broad-exception-caught  # it must not stop the keeper
            log("error", f"the lines' health is not watched: {error_text(error)}; the routes stay as they are")
            self._is_to_start, self.next_time = True, now + _RESTART

    # ---------------------------------------------------------------- what is known
    def _observe(self) -> None:
        from ..health.effective import Observed  # noqa: PLC0415 - only on a host with stored lines

        if self._service is None and self._is_to_start:
            return
        if self._service is None:
            # Lines that are not stored any more: what was changed for them is changed back.
            self._observed = None if self._observed is None else Observed(self._observed.lines, {})
            return
        usable = {family: self._service.usable(family) for family in (4, 6)}
        new = Observed(tuple(self._lines), {family: found for family, found in usable.items() if found.lines})
        if new != self._observed:
            self._observed = new
