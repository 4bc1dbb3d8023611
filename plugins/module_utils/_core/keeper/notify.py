# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to systemd: the service is ready, its status, and that it is alive (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Sends datagrams to the socket that systemd names; without one it does nothing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is in the abstract namespace of unix(7).
        self._address = "\0" + path[1:] if path.startswith("@") else path
        limit = environment.get("WATCHDOG_USEC", "")
        own = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        # Half of the time after which systemd restarts a silent service.
        self.interval = int(limit) / 2_000_000 if limit.isdecimal() and own else None

    def send(self, **values: str) -> None:
        """Send assignments such as ``READY="1"``; a manager that does not listen is ignored."""
        if not self._address:
            return
        text = "\n".join(f"{name}={value}" for name, value in values.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.setblocking(False)
                channel.sendto(text.encode(), self._address)
        except OSError:
            return
