# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a signal to the own process before its step of a given number, counted from the moment it takes the lock.

With STOP_FROM, steps are counted from the moment it makes that directory, and with STOP_AFTER_ARMING from the moment it
has armed: it starts the program for that, or its last step is to name the run.

Python imports this by itself when its directory is on the path. Steps are the calls that change files, start programs
or send to sockets. STOP_AT is the number, STOP_BY the signal; the steps that were taken are written to STOP_LOG.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_STEPS = (
    "os.rename",
    "os.mkdir",
    "os.symlink",
    "os.remove",
    "os.link",
    "subprocess.Popen",
    "socket.sendto",
    "socket.sendmsg",
)
# The call before the first step.
_FROM = ("os.mkdir", os.environ["STOP_FROM"]) if "STOP_FROM" in os.environ else ("open", "/run/multihome/lock")


class Steps:
    """Counts the steps."""

    def __init__(self, last: int, number: int, log: str) -> None:
        self._last, self._signal, self._log = last, number, log
        self._taken = -1

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take note of a call before it is made."""
        if self._taken < 0 and _is_first(event, arguments):
            self._taken = 0
        elif self._taken >= 0 and (event in _STEPS or _writes(event, arguments)):
            self._taken += 1
            if self._taken == self._last:
                descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.write(descriptor, f"{self._taken} {event} {arguments[0]}\n".encode())
                os.close(descriptor)
                os.kill(os.getpid(), self._signal)


def _is_first(event: str, arguments: tuple[Any, ...]) -> bool:
    if "STOP_AFTER_ARMING" not in os.environ:
        return (event, *arguments[:1]) == _FROM
    if event == "subprocess.Popen":
        return arguments[0] == sys.executable and "arm" in arguments[1]
    return event == "os.rename" and str(arguments[0]).endswith("/.pending.new")


def _writes(event: str, arguments: tuple[Any, ...]) -> bool:
    return event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))


if "STOP_AT" in os.environ:
    _signal = signal.Signals[os.environ["STOP_BY"]]
    sys.addaudithook(Steps(int(os.environ["STOP_AT"]), _signal, os.environ["STOP_LOG"]))
