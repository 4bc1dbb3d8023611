# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One writer at a time on a host: a lock file that names its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from .errors import Busy, Unsupported

LOCK_FILE = "/run/multihome/lock"


@contextlib.contextmanager
def exclusive(path: str = LOCK_FILE, timeout: float = 60.0) -> Iterator[None]:
    """Hold the host's lock; wait at most ``timeout`` seconds for another run, then raise Busy naming its process.

    Raises Unsupported when the lock file cannot be opened.

    The kernel releases the lock when its holder ends, so a killed run leaves nothing to clean up.
    """
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Unsupported("the lock file", "the rights of root", str(error), "run as root (become: true)") from error
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
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
