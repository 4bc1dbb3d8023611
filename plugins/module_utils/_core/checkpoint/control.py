# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of the module commit_confirm.

The program is present or absent, a run armed, confirmed or reverted, a confirmed state restored.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from ..confirm import Refused, name_faults
from ..confirm_gate import DEFAULT_TIMEOUT
from ..errors import InvalidInput, StepFailed
from ..keeper_installation.host import own_code
from ..lock import exclusive
from . import process
from .archive import archive, digest
from .directory import Directory
from .ending import Ending
from .guard import Guard
from .installation import Installation
from .model import NONE, Confirm
from .restoration import STATE_BEFORE, Restoration


class Control:
    """Brings a run, or the program, to a state; in check mode it only predicts. Tests replace the parts."""

    def __init__(
        self,
        check: bool = False,
        directory: Directory | None = None,
        installation: Installation | None = None,
        ending: Ending | None = None,
        lock: Callable[[], AbstractContextManager[object]] = exclusive,
        code: Callable[[], Mapping[str, str]] = own_code,
        restoration: Restoration | None = None,
    ) -> None:
        self._check, self._lock, self._code = check, lock, code
        self._directory = directory or Directory()
        self._installation = installation or Installation()
        self._ending = ending or Ending(self._directory)
        self._restoration = restoration

    def restore(
        self, run: str, checkpoint: str | None, timeout: int, before_run: str | None = None
    ) -> tuple[bool, str, str, str, list[str]]:
        """Restore a confirmed state as a run, or that before a run.

        Returns as bring_to does, the run whose state it is, and the runs that are undone with that before a run: none
        on a host that did not take part in it.
        """
        confirm = Confirm(run, timeout)
        if self._installation.version() is None:
            self._install(None)
        restoration = self._restoration or Restoration(
            self._directory, lock=self._lock, installation=self._installation, ending=self._ending
        )
        if before_run is None:
            found, undone = restoration.find(checkpoint).run, []
            changed = restoration.restore(found, confirm, self._check)
        else:
            found, undone = before_run, restoration.find_undone(before_run)
            changed = bool(undone) and restoration.restore(found, confirm, self._check, STATE_BEFORE)
        return changed, run, self._directory.state(run), found, undone

    def bring_to(
        self,
        state: str,
        run: str | None = None,
        timeout: int = DEFAULT_TIMEOUT,
        version: str | None = None,
        unproven: Sequence[str] = (),
    ) -> tuple[bool, str | None, str]:
        """Return whether something changed, the run, and its state; raises MultihomeError.

        ``unproven`` says what could not be checked of a run that is confirmed.
        """
        if state in ("present", "absent"):
            changed = self._install(version) if state == "present" else self._remove()
            return changed, self._directory.pending(), self._state_of_pending()
        faults = name_faults(run) if run is not None else []
        if faults:
            raise InvalidInput(faults)
        before = self._ending.find(run)
        if state == "armed":
            changed = self._arm(run or "", timeout)
        elif state == "confirmed":
            changed = self._ending.confirm(run, self._check, unproven)
        else:
            changed = self._ending.revert(run, self._check)
        status = self._ending.find(run or (before.run if before else None))
        return changed, status.run if status else run, status.state if status else NONE

    def _state_of_pending(self) -> str:
        pending = self._directory.pending()
        return self._directory.state(pending) if pending else NONE

    def _arm(self, run: str, timeout: int) -> bool:
        confirm = Confirm(run, timeout)
        if self._installation.version() is None:
            self._install(None)
        guard = Guard(confirm, lock=self._lock, directory=self._directory, installation=self._installation)
        return guard.arm(self._check)

    def _install(self, version: str | None) -> bool:
        if version is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", version):
            raise InvalidInput([f'version "{version}": use 1 to 64 letters, digits, "-" and "_"'])
        code = self._code()
        version = version or digest(code)
        if self._installation.version() == version:
            return False
        if not self._check:
            with self._lock():
                try:
                    self._installation.install(version, lambda: archive(code))
                except OSError as error:
                    raise StepFailed("cannot install the program that records states", str(error)) from error
        return True

    def _remove(self) -> bool:
        if not self._installation.exists() and not os.path.lexists(self._directory.place):
            return False
        with self._lock():
            pending = self._directory.pending()
            status = self._directory.status(pending) if pending else None
            if status is not None:
                raise Refused(f"{status.refusal(process.now(), process.boot())}; nothing was removed")
            if not self._check:
                self._remove_both()
        return True

    def _remove_both(self) -> None:
        try:
            if os.path.lexists(self._directory.place):
                shutil.rmtree(self._directory.place)
            if self._installation.exists():
                self._installation.remove()
        except OSError as error:
            raise StepFailed("cannot remove the recorded states", str(error)) from error
