# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of /etc/multihome/lines.json: the lines whose health the keeper watches. Driven by converge()."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..entries import Form, Options
from ..errors import InvalidInput, StepFailed
from ..host import files
from ..plan import Action, Existing, Plan, plan
from ..store.format import Refused, Stored, parse
from ..store.persistence import DIRECTORY, load, reason
from . import state
from .model import Line, parse_entries, parse_lines
from .usable_lines import drain_fault

KIND = "lines"
NAME = "lines.json"
# The whole file is of this collection.
_OURS = 0


@dataclass(frozen=True)
class StoredLines:
    """The file as it is: its text, None without a file, and its lines."""

    text: str | None
    lines: Sequence[Line]


class LinesEngine:
    """Converges the file to ``lines``, entries as in the module's option; an empty list removes the file.

    Draining the last usable line is refused unless ``force`` is set. ``known`` is the content of health.json.
    """

    def __init__(
        self,
        lines: Sequence[object],
        force: bool = False,
        directory: str = DIRECTORY,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        self._desired = parse_entries(lines)
        self._force, self._known = force, known
        self._path = os.path.join(directory, NAME)

    @classmethod
    def from_options(cls, options: Options) -> LinesEngine:
        """Return the engine for the options of line_health; raises InvalidInput."""
        return cls(options["lines"], options["force"])

    def read(self) -> StoredLines:
        """Return the lines of the file; raises InvalidInput for one that this version cannot have written."""
        try:
            text = load(self._path)
            stored = None if text is None else parse(text, NAME)
        except (OSError, Refused) as error:
            remedy = "update the collection, or move the file away; it is not overwritten"
            raise InvalidInput([f"{self._path}: {reason(error)}; {remedy}"]) from error
        try:
            return StoredLines(text, parse_lines(stored.options.get(KIND)) if stored else ())
        except InvalidInput as error:
            raise InvalidInput([f"{self._path}: {fault}" for fault in error.faults]) from error

    def plan(self, current: StoredLines) -> Plan[Line]:
        """Return the plan; raises InvalidInput where it drains the last usable line."""
        result = plan(self._desired, [Existing(line, _OURS) for line in current.lines], _OURS, purge=True)
        self._refuse_draining(current)
        return result

    def _refuse_draining(self, current: StoredLines) -> None:
        already = {line.name for line in current.lines if line.drained}
        new = [entry for entry in self._desired if entry.object.drained and entry.object.name not in already]
        if not new or self._force:
            return
        shown = state.shown_lines(state.read() if self._known is None else self._known)
        leaving = {entry.object.name for entry in new}
        faults = []
        for entry in new:
            # With the others that leave at the same time, this one may be the last.
            remaining = [each for each in shown if each.line == entry.object.name or each.line not in leaving]
            fault = drain_fault(entry.object.name, remaining)
            if fault and any(each.line == entry.object.name for each in shown):
                faults.append(f"{entry.where}: {fault.replace('--force', 'force: true')}")
        if faults:
            raise InvalidInput(faults)

    def apply(self, plan: Plan[Line], _current: StoredLines) -> None:
        """Write the file, or remove it; raises StepFailed."""
        listed = [entry.object.as_input() for entry in self._desired]
        self._write(Stored(KIND, {KIND: listed}).text() if listed else None, plan.actions)

    def restore(self, plan: Plan[Line], current: StoredLines) -> list[str]:
        """Restore the file; return what could not be restored."""
        try:
            self._write(current.text, plan.actions)
        except StepFailed as error:
            return [str(error)]
        return []

    def before(self, plan: Plan[Line]) -> list[Form]:
        """Return the lines of the file."""
        return [line.as_input() for line in plan.before]

    def after(self, plan: Plan[Line]) -> list[Form]:
        """Return the lines of the file after the plan."""
        return [line.as_input() for line in plan.after]

    def lines(self, plan: Plan[Line]) -> dict[str, list[str]]:
        """Return one line a line for the diff."""
        return {
            side: [f"{line}: {line.as_input()}" for line in found]
            for side, found in (("before", plan.before), ("after", plan.after))
        }

    def _write(self, text: str | None, actions: Sequence[Action[Line]]) -> None:
        try:
            if text is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path)
                return
            files.make_directories(os.path.dirname(self._path), 0o700)
            files.stage(self._path, text, 0o600)
            files.replace(self._path)
        except OSError as error:
            raise StepFailed(f"cannot store {self._path}", str(error.strerror or error), actions) from error
