# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One writer at a time on a host: a lock file that names its holder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from .errors import Busy, Unsupported

LOCK_FILE = "/run/multihome/lock"
_NO_SPACE = ("space on /run", "free some space on /run (df /run; df -i /run), then run again")
# What is needed, and the remedy.
_REMEDIES = {
    errno.EACCES: ("the rights of root", "run as root (become: true)"),
    errno.EROFS: ("a writable /run", "mount /run writable (a tmpfs), in a container as well, then run again"),
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.ELOOP: ("a regular file", "remove the symbolic link in its place, then run again"),
    errno.ENOTDIR: ("a directory /run/multihome", "remove the file in its place, then run again"),
}


def is_held(path: str) -> bool:
    """Tell whether a process holds a lock file; the kernel releases it with the process."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holders(path: str = LOCK_FILE, proc: str = "/proc") -> list[int]:
    """Return the processes that hold a lock file, also one whose number is not in it: a program inherits the lock."""
    try:
        wanted = os.stat(path)
    except OSError:
        return []
    found = []
    for name in filter(str.isdigit, os.listdir(proc)):
        # A process may end meanwhile.
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"{proc}/{name}/fd"):
                with contextlib.suppress(OSError):
                    here = os.stat(f"{proc}/{name}/fd/{descriptor}")
                    if (here.st_dev, here.st_ino) == (wanted.st_dev, wanted.st_ino) and _has_lock(
                        f"{proc}/{name}/fdinfo/{descriptor}"
                    ):
                        found.append(int(name))
    return [number for number in dict.fromkeys(found) if number != os.getpid()]


def _has_lock(path: str) -> bool:
    # One that waits for the lock has the file open as well.
    with open(path, encoding="ascii", errors="replace") as file:
        return any(line.startswith("lock:") and "FLOCK" in line for line in file)


@contextlib.contextmanager
def exclusive(path: str = LOCK_FILE, timeout: float = 60.0) -> Iterator[int]:
    """Hold the host's lock; wait at most ``timeout`` seconds for another run, then raise Busy naming its process.

    Yields the descriptor of the lock file: a program that inherits it holds the lock too.

    Raises Unsupported when the lock file cannot be opened.

    The kernel releases the lock when its holder ends, so a killed run leaves nothing to clean up.
    """
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        needed, remedy = _REMEDIES.get(error.errno or 0, _REMEDIES[errno.EACCES])
        raise Unsupported("the lock file", needed, str(error), remedy) from error
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
                    raise Busy(
                        f"another run (process {holder}) has held {path} for {timeout:g} s; "
                        "nothing was changed; wait for it or end it, then run again"
                    ) from None
                time.sleep(0.05)
        # The number of the process is only shown to those who wait; without space for it the lock holds all the same.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


class LockHolder:
    """Holds the host's lock, and knows its file descriptor meanwhile."""

    _lock: int | None = None

    @contextlib.contextmanager
    def holding(self, lock: Callable[[], AbstractContextManager[int | None]]) -> Iterator[None]:
        """Hold the host's lock, which the program then need not take; ``lock`` yields its file descriptor."""
        with lock() as descriptor:
            self._lock = descriptor
            try:
                yield
            finally:
                self._lock = None
