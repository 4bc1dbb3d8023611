# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``confirm`` of the modules: the state of the host is recorded before the first change of a run.

A program does that, which commit_confirm installs once on the host: it contains the engines of all kinds of state, and
a module that Ansible sends contains only its own. A process that has all of them, the same as the program, does it
itself. A run with nothing to do looks at one path.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import Busy, InvalidInput, MultihomeError, ReadFailed, Unsupported
from .lock import LockHolder

PLACE = "/var/lib/multihome/checkpoints"
# The number is that of the exchange with the program.
PROGRAM = "/var/lib/multihome/programs/confirm-1"
# From arming on, a run can extend its deadline by at most so many seconds.
LONGEST = 600.0
ARMED, REVERTING, REVERTED, FAILED, CONFIRMED = "armed", "reverting", "reverted", "failed", "confirmed"
# A run in one of these states has changes that nobody confirmed or reverted yet; in the others it has ended.
OPEN, ENDED = (ARMED, REVERTING, FAILED), (CONFIRMED, REVERTED)
# A hanging nft alone may take 60 s.
_PATIENCE = 120.0
# What a module may change beyond the usual objects; checkpoint.model.Scope says more.
Scope = Mapping[str, Sequence[Any]]


class Refused(MultihomeError):
    """The state of a checkpoint forbids this; nothing was changed."""


def check_option(run: str, timeout: int) -> None:
    """Raise InvalidInput for a name that cannot be that of a run, and for a timeout out of its range."""
    faults = name_faults(run)
    if not 1 <= timeout <= LONGEST:
        faults.append(f"confirm: timeout {timeout}: not from 1 to {LONGEST:g} seconds")
    if faults:
        raise InvalidInput(faults)


def name_faults(run: str) -> list[str]:
    """Return why a text cannot be the name of a run, nothing where it can."""
    if is_run(run):
        return []
    return [f'confirm: run "{run}": use 1 to 64 letters, digits, "-", "_" and ".", no "." in front']


def is_run(name: str) -> bool:
    """Tell whether a text can be the name of a run, which is also the name of a directory."""
    return name != "pending" and bool(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", name))


def refuse_ended(run: str, state: str, ended_at: str) -> None:
    """Raise Refused for a run that was reverted: nothing more of it may be applied."""
    if state in (REVERTING, REVERTED, FAILED):
        how = "could not be reverted" if state == FAILED else "were reverted"
        when = f" at {ended_at}" if ended_at else ""
        raise Refused(f"the changes of run {run} {how}{when}; nothing more of it is applied")


def is_armed(run: str, place: str = PLACE) -> bool:
    """Tell whether a run has changed this host, and waits for its confirmation; False where that cannot be read."""
    try:
        with open(os.path.join(place, run, "status.json"), encoding="utf-8") as file:
            return bool(json.load(file)["state"] == ARMED)
    except (OSError, ValueError, LookupError, TypeError):
        return False


class ConfirmGuard(LockHolder):
    """Protects one module's run. ``confirm`` is its option; a timeout of 0 is the same as no option.

    ``scope`` returns the objects that the module may change beyond the usual ones, from the state that it read. Raises
    InvalidInput.
    """

    def __init__(
        self,
        confirm: Mapping[str, Any] | None,
        scope: Callable[[Any], Scope] = lambda _current: {},
        place: str = PLACE,
        program: str = PROGRAM,
    ) -> None:
        self._confirm = confirm if confirm and confirm["timeout"] else None
        if self._confirm:
            check_option(self._confirm["run"], self._confirm["timeout"])
        self._scope, self._place, self._program = scope, place, program

    def begin(self) -> None:
        """Refuse a run that was reverted; all others look at one path."""
        if self._confirm is None:
            return
        run = self._confirm["run"]
        directory = os.path.join(self._place, run)
        try:
            with open(os.path.join(directory, "status.json"), encoding="utf-8") as file:
                status = json.load(file)
            state, ended_at = str(status["state"]), str(status["ended_at"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ReadFailed(f"cannot read {directory}/status.json: {error}") from error
        refuse_ended(run, state, ended_at)
        if state == ARMED:
            # From now on it is ended before a revert, also when it hangs. On a full disk it is noted when it writes.
            with contextlib.suppress(OSError):
                note_process(directory, *own_process())

    def before_write(self, current: Any) -> None:
        """Arm, or extend the deadline; raises MultihomeError, and then nothing may be changed."""
        if self._confirm is None and not os.path.lexists(os.path.join(self._place, "pending")):
            return
        scope = {name: list(values) for name, values in self._scope(current).items()}
        request = {"confirm": self._confirm, "scope": scope, "process": own_process()}
        own = self._own_engine()
        if own is not None:
            own.arm_here(self._place, request, self._lock is not None)
            return
        answer = self._answer(json.dumps(request))
        if answer:
            kind = Busy if answer.get("kind") == "Busy" else Refused
            raise kind(str(answer.get("message")))

    def _own_engine(self) -> Any:
        """Return the code to arm in this process, None where it is not the same as the program's."""
        try:
            # Ansible sends all that an import statement names, and most modules need none of this.
            own = importlib.import_module(f"{__package__}.checkpoint.in_process")
        except ImportError:
            return None
        return own if own.is_same_as(self._program) else None

    def _answer(self, request: str) -> dict[str, Any]:
        """Return the answer of the program, empty when all is well."""
        # Only a run that changes something needs it.
        import subprocess  # noqa: PLC0415 - as said

        if not os.path.exists(self._program):
            raise Unsupported(
                "the option confirm",
                f"the program {self._program}",
                remedy="install it with commit_confirm, state: present; nothing was changed",
            )
        lock = [] if self._lock is None else [self._lock]
        command = [sys.executable, "-I", self._program, "arm", self._place, *map(str, lock)]
        try:
            done = subprocess.run(  # pylint: disable=ansible-bad-function  # _core knows no Ansible
                command,
                input=request,
                capture_output=True,
                text=True,
                check=False,
                timeout=_PATIENCE,
                pass_fds=lock,
                start_new_session=True,
                cwd="/",
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Refused(f"cannot take a checkpoint: {error}; nothing was changed") from error
        if done.returncode == 0:
            return {}
        try:
            return dict(json.loads(done.stdout))
        except (ValueError, TypeError):
            reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise Refused(
                f"cannot take a checkpoint: {self._program}: {reason[0]}; nothing was changed; "
                "install the program again with commit_confirm, state: present"
            ) from None


def own_process() -> tuple[int, int]:
    """Return number and start time of this process."""
    return process(os.getpid())


def process(number: int) -> tuple[int, int]:
    """Return number and start time of a process; raises OSError or ValueError if there is none."""
    with open(f"/proc/{number}/stat", encoding="utf-8", errors="replace") as file:
        # The name, in parentheses, may hold spaces. The start is field 22 of proc(5), the 20th behind the name.
        fields = file.read().rpartition(")")[2].split()
    return number, int(fields[19])


def note_process(directory: str, number: int, start: int) -> None:
    """Note a process of a run, without the host's lock: it may hang while it holds that. Raises OSError."""
    path = os.path.join(directory, f"process-{number}-{start}")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
