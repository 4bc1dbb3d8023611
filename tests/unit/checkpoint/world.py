# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for checkpoints: its directory is real; its state is one value, and its timer and clock are in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.directory import Directory
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.ending import Ending
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.guard import Guard
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.installation import Installation
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.model import Confirm, Scope
from ansible_collections.multihome.linux.plugins.module_utils._core.checkpoint.restoration import Restoration


class Clock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.time, self.boot_id, self.day = 1000.0, "boot-1", "2026-11-28T10:00:00Z"

    def now(self) -> float:
        """Return the time since the boot."""
        return self.time

    def utc(self) -> str:
        """Return the time of day."""
        return self.day

    def boot(self) -> str:
        """Return the identity of this boot."""
        return self.boot_id

    def who(self) -> str:
        """Return the user."""
        return "ada from 192.0.2.1"


class FakeState:
    """The state of the host is ``value``; ``left`` are results of restorations, one after the other."""

    def __init__(self) -> None:
        self.value = "old"
        self.keeper_differs = False
        self.misled = False
        self.left: list[list[str]] = []
        self.down: list[str] = []
        self.calls: list[str] = []

    def usual_scope(self) -> Scope:
        """Return a scope."""
        return Scope((109,), ("multihome",), (), ("/etc/multihome",))

    def capture(self, scope: Scope, only: Scope | None = None) -> dict[str, Any]:
        """Return the value."""
        self.calls.append("capture" if only is None else f"capture {only.as_json()}")
        return {"scope": scope.as_json(), "value": self.value, "filters": {}, "parameters": {}, "files": {}}

    def lines_up(self, _scope: Scope) -> list[str]:
        """Return no line."""
        return []

    def lines_down(self, _captured: dict[str, Any]) -> list[str]:
        """Return the lines that went down."""
        return self.down

    def differences(self, captured: dict[str, Any]) -> list[str]:
        """Return whether the value is another one."""
        return [] if captured["value"] == self.value else ["another value"]

    @staticmethod
    def summary(before: dict[str, Any], after: dict[str, Any]) -> str:
        """Return both values."""
        return f"{before['value']} to {after['value']}"

    def restore(self, captured: dict[str, Any]) -> list[str]:
        """Restore the value, or fail."""
        self.calls.append("restore")
        failures = self.left.pop(0) if self.left else []
        if not failures:
            self.value = captured["value"]
        return failures

    def restore_at_boot(self, _captured: dict[str, Any]) -> list[str]:
        """Restore the files alone."""
        self.calls.append("restore files")
        return []

    def keeper_changes(self, _captured: dict[str, Any]) -> bool:
        """Tell whether the keeper differs."""
        return self.keeper_differs

    def stop_keeper(self, _captured: dict[str, Any]) -> list[str]:
        """Stop it."""
        self.calls.append("stop keeper")
        return []

    def stop_misled_keeper(self, _captured: dict[str, Any]) -> bool:
        """Stop it if it was misled."""
        self.calls += ["stop misled keeper"] if self.misled else []
        return self.misled

    def start_keeper(self, _captured: dict[str, Any], _changed: bool) -> list[str]:
        """Start it."""
        self.calls.append("start keeper")
        return []


def fail(error: BaseException) -> None:
    """Raise an error."""
    raise error


class FakeTimer:
    """Notes what it is asked for; ``broken`` is an error to raise."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.broken: BaseException | None = None

    def start(self, run: str, seconds: float) -> None:
        """Start."""
        self.calls.append(f"start {run} {seconds:g}")
        if self.broken is not None:
            fail(self.broken)

    def stop(self, run: str) -> None:
        """Stop."""
        self.calls.append(f"stop {run}")

    def install_boot_unit(self) -> None:
        """Note it."""
        self.calls.append("boot unit")

    def remove_boot_unit(self) -> None:
        """Note it."""
        self.calls.append("no boot unit")


class World:
    """One host; ``locked`` tells whether its lock is held."""

    def __init__(self, directory: Path) -> None:
        self.place = directory / "checkpoints"
        self.directory = Directory(str(self.place))
        self.state: Any = FakeState()
        self.timer: Any = FakeTimer()
        self.clock = Clock()
        self.locked = False
        self.installation = Installation(str(directory / "programs" / "confirm-1"))
        self.installation.install("version", lambda: b"program")
        self.slept: list[float] = []

    @contextlib.contextmanager
    def lock(self, _patience: float = 0) -> Iterator[None]:
        """Hold the lock, which nobody holds already."""
        assert not self.locked
        self.locked = True
        try:
            yield
        finally:
            self.locked = False

    def guard(self, run: str | None, timeout: int = 60, scope: Scope | None = None) -> Guard:
        """Return the guard of a module."""
        return Guard(
            Confirm(run, timeout) if run else None,
            scope,
            # A process that does not exist.
            (2**22 + 1, 1),
            self.lock,
            self.directory,
            self.state,
            self.timer,
            self.clock,
            self.installation,
        )

    def write(self, run: str | None, timeout: int = 60, scope: Scope | None = None, value: str = "new") -> None:
        """Do what a module does that has something to change."""
        self.guard(run, timeout, scope).before_write()
        self.state.value = value

    def restoration(self) -> Restoration:
        """Return what restores confirmed states."""
        return Restoration(
            self.directory, self.state, self.timer, self.lock, self.clock, self.installation, self.ending()
        )

    def confirmed(self, *runs: str) -> None:
        """Change and confirm, as one run after the other, to the value of the same name."""
        for run in runs:
            self.write(run, value=run)
            assert self.ending().confirm(run)
            # A minute later.
            self.clock.day = f"{self.clock.day[:14]}{int(self.clock.day[14:16]) + 1:02}:00Z"

    def ending(self) -> Ending:
        """Return what confirms and reverts."""
        return Ending(self.directory, self.state, self.timer, self.lock, self.clock, self.slept.append)
