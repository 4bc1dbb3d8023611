# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks and processes, as a checkpoint needs them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable

from ..confirm import process

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def now() -> float:
    """Return CLOCK_BOOTTIME: it goes on while the host sleeps, and nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def utc() -> str:
    """Return the time of day, for people to read."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def boot() -> str:
    """Return the identity of this boot; raises OSError."""
    with open(BOOT_ID, encoding="ascii") as file:
        return file.read().strip()


def kill(writer: tuple[int, int]) -> None:
    """End a process, also one that is stopped, and wait until it is gone."""
    for _try in range(100):
        try:
            if process(writer[0]) != writer or writer[0] == os.getpid() or _is_dead(writer[0]):
                return
        except (OSError, ValueError):
            return
        with contextlib.suppress(OSError):
            os.kill(writer[0], signal.SIGKILL)
        time.sleep(0.01)


def end(numbers: Iterable[int]) -> None:
    """End processes by their numbers."""
    for number in numbers:
        with contextlib.suppress(OSError, ValueError):
            kill(process(number))


def _is_dead(number: int) -> bool:
    with open(f"/proc/{number}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0] in "ZX"


def who() -> str:
    """Return the user who started this, and from which address, as far as the environment shows."""
    user = os.environ.get("SUDO_USER") or os.environ.get("LOGNAME") or os.environ.get("USER") or "root"
    address = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    return f"{user} from {address}" if address else user
