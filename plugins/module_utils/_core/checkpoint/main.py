# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the program: it arms for a module, reverts a run, and works for the command multihome."""

from __future__ import annotations

import json
import os
import sys
import syslog
import time
from collections.abc import Sequence

from ..confirm import FAILED, OPEN, REVERTED
from ..errors import MultihomeError, ReadFailed
from ..netlink import pyroute2_loader
from . import process
from .control import Control
from .directory import Directory
from .ending import Ending
from .guard import arm
from .model import Status

# The clock that sleeping uses stops while the host is suspended.
_STEP = 0.25
_COMMANDS = ("arm", "do", "wait", "sleep", "boot", "now", "check")
_USAGE = f"usage: revert.pyz {'|'.join(_COMMANDS)} DIRECTORY [RUN, or for arm the descriptor of the lock that is held]"


def main(arguments: Sequence[str], ready: int | None = None) -> int:
    """Return the exit status. ``ready`` is a pipe to write to once everything is loaded that may be needed."""
    if len(arguments) < 2 or arguments[0] not in _COMMANDS:
        sys.stderr.write(f"{_USAGE}\n")
        return 2
    if arguments[0] in ("arm", "do"):
        return _arm(arguments[1], arguments[2:]) if arguments[0] == "arm" else _do(Directory(arguments[1]))
    pyroute2_loader.message_classes()
    if ready is not None:
        os.write(ready, b".")
        os.close(ready)
    if arguments[0] == "check":
        return 0
    directory = Directory(arguments[1])
    syslog.openlog("multihome-revert", syslog.LOG_PID, syslog.LOG_DAEMON)
    try:
        run = arguments[2] if len(arguments) > 2 else directory.pending()
        if run is None:
            return 0
        return _run(arguments[0], run, directory)
    except MultihomeError as error:
        _log(syslog.LOG_ERR, str(error))
        return 1


def _arm(place: str, lock: Sequence[str]) -> int:
    """Arm for a module, whose request is the standard input; print an error as the answer."""
    request = json.load(sys.stdin)
    # The lock is held as long as this process runs, also when the module is killed.
    for descriptor in map(int, lock):
        os.set_inheritable(descriptor, False)
    try:
        arm(place, request, bool(lock))
    except MultihomeError as error:
        return _answer(error)
    return 0


def _do(directory: Directory) -> int:
    """Do what the command multihome asks for on the standard input, and print the result."""
    request = json.load(sys.stdin)
    control = Control(bool(request.get("check")), directory)
    found: tuple[object, ...]
    try:
        if request["state"] == "restored":
            before_run = request.get("before_run")
            found = control.restore(request["run"], request.get("checkpoint"), request["timeout"], before_run)
        else:
            found = (*control.bring_to(request["state"], request.get("run")), "", [])
    except MultihomeError as error:
        return _answer(error)
    sys.stdout.write(f"{json.dumps(dict(zip(('changed', 'run', 'state', 'checkpoint', 'undone'), found)))}\n")
    return 0


def _answer(error: MultihomeError) -> int:
    sys.stdout.write(f"{json.dumps({'kind': type(error).__name__, 'message': str(error)})}\n")
    return 1


def _run(command: str, run: str, directory: Directory) -> int:
    ending = Ending(directory)
    if command == "boot":
        status = directory.status(run)
        if status is None or status.state not in OPEN:
            return 0
        return _report(run, ending.expire(run, at_boot=True))
    if command == "now":
        return 0 if ending.revert(run) else 1
    return _sleep(run, directory, ending)


def _sleep(run: str, directory: Directory, ending: Ending) -> int:
    """Revert the run when its deadline is over; it may be extended until then, or confirmed."""
    failures: list[str] = []
    status = _known(run, directory, None)
    # A revert that was tried at once, and failed or was killed half-way, is done again when the time is over.
    while status is not None and status.state in OPEN and not failures:
        left = status.deadline - process.now()
        if left > 0:
            time.sleep(min(left, _STEP))
        else:
            failures = ending.expire(run)
        status = _known(run, directory, status)
    if failures:
        return _report(run, failures)
    if status is not None and status.state in (REVERTED, FAILED):
        return _report(run, status.failures)
    return 0


def _known(run: str, directory: Directory, before: Status | None) -> Status | None:
    """Return the status of a run, the one before where it cannot be read now."""
    try:
        return directory.status(run)
    except ReadFailed:
        if before is None:
            raise
        return before


def _report(run: str, failures: Sequence[str]) -> int:
    if failures:
        _log(syslog.LOG_ERR, f"run {run} could not be reverted: {'; '.join(failures)}")
        return 1
    _log(syslog.LOG_WARNING, f"run {run} was not confirmed in time: the state before it is restored")
    return 0


def _log(level: int, text: str) -> None:
    syslog.syslog(level, text)
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
