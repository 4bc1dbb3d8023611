# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of targets given by name, looked up beside the loop: that may take long while a line is dead."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable

from .socket_binding import SOCKET_FAMILY

# An address is used for so long, and a name without one is looked up again after so long. Seconds.
REFRESH, RETRY = 300.0, 10.0
Lookup = Callable[[str, int], "str | None"]


def look_up(name: str, family: int) -> str | None:
    """Return an address of a name, None when it has none now. Blocks."""
    try:
        found = socket.getaddrinfo(name, None, SOCKET_FAMILY[family], socket.SOCK_STREAM)
    except OSError:
        return None
    return str(found[0][4][0]) if found else None


class Names:
    """Keeps addresses of names; a name whose lookup fails keeps its old address."""

    def __init__(self, wanted: Iterable[tuple[str, int]], lookup: Lookup = look_up) -> None:
        self._lookup = lookup
        self._wanted = sorted(set(wanted))
        self._found: dict[tuple[str, int], str] = {}
        self._stop: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def address(self, name: str, family: int) -> str | None:
        """Return the address that a name had last."""
        return self._found.get((name, family))

    def start(self) -> None:
        """Begin to look names up, in a thread that ends with the program."""
        if self._wanted and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="health-names", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End; a lookup that is under way is not waited for."""
        self._stop.put(None)

    def _run(self) -> None:
        due = dict.fromkeys(self._wanted, 0.0)
        while True:
            now = time.monotonic()
            for key in [key for key, at in due.items() if at <= now]:
                address = self._lookup(*key)
                if address is not None:
                    self._found[key] = address
                due[key] = time.monotonic() + (RETRY if address is None else REFRESH)
            try:
                self._stop.get(timeout=max(0.1, min(due.values()) - time.monotonic()))
            except queue.Empty:
                continue
            return
