# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do kernel parameters still have the values of this collection's file? They send no events, so they are polled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ..host.kernel_parameter_file import Parameter, parse_file, setting_order
from ..host.kernel_parameters import DEFAULT_FILE, System
from .report import log

INTERVAL = 5.0
# Events of interfaces make it look at once, but not after each of many.
PAUSE = 0.5
KIND = "kernel_parameters"


class ParameterCheck:
    """Sets parameters that somebody set back, and those of interfaces that appear late."""

    def __init__(self, system: System | None = None, file: str = DEFAULT_FILE) -> None:
        self._system, self._file = system or System(), file
        self._refused: dict[str, str] = {}
        self.next_time = self._last = float("-inf")

    def changed(self, now: float) -> None:
        """Look soon, as interfaces or files changed."""
        self.next_time = now if now >= self._last + PAUSE else min(self.next_time, self._last + PAUSE)

    def check(self, now: float, is_due: Callable[[str], bool]) -> list[str]:
        """Set the parameters that have another value, as far as ``is_due`` allows; return their names."""
        return [name for name, parameter in self._different(now, is_due) if self._set(parameter)]

    def differ(self, now: float, is_due: Callable[[str], bool]) -> bool:
        """Tell whether there is anything to set."""
        return next(self._different(now, is_due), None) is not None

    def _different(self, now: float, is_due: Callable[[str], bool]) -> Iterator[tuple[str, Parameter]]:
        self._last, self.next_time = now, now + INTERVAL
        for parameter in self._wanted():
            name = f"{parameter.name} = {parameter.value}"
            # An interface that is not there has no parameters; it may appear.
            with contextlib.suppress(OSError):
                if self._system.get(parameter.path) != parameter.value and is_due(name):
                    yield name, parameter

    def _wanted(self) -> list[Parameter]:
        try:
            parameters = parse_file(self._system.load(self._file))
        except (OSError, ValueError) as error:
            self._tell(self._file, f"not applied, and left unchanged: {error}")
            return []
        return sorted(parameters, key=lambda parameter: setting_order(parameter.path))

    def _set(self, parameter: Parameter) -> bool:
        try:
            self._system.set(parameter.path, parameter.value)
        except OSError as error:
            self._tell(parameter.name, f"cannot be set to {parameter.value}: {error.strerror}")
            return False
        self._refused.pop(parameter.name, None)
        return True

    def _tell(self, subject: str, reason: str) -> None:
        if self._refused.get(subject) != reason:
            log("error", f"{subject}: {reason}")
        self._refused[subject] = reason
