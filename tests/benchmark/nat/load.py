# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server and its clients, as little as both can be: what is measured is what stands between them.

    python load.py serve ADDRESS PORT     prints "ready", then serves until killed
    python load.py ask                    per line of JSON {"address", "port", "seconds"} on standard input, asks that
                                          long and prints {"answered", "failed", "seconds", "fault"}

Every request is a connection of its own. Sockets block and each process has one: on two cores a pair of processes
answers more requests per second than an event loop in Python would. The client ends a connection by a reset, so that
neither end keeps it waiting (TIME_WAIT) and the ports of the client do not run out. SIGTERM ends a line early.
"""

from __future__ import annotations

import json
import signal
import socket
import struct
import sys
import time
from typing import Any

REQUEST = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
_PATIENCE = 2  # seconds; the first SYN is repeated after one
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # struct linger
_LIMIT = struct.pack("ll", _PATIENCE, 0)  # struct timeval


def serve(address: str, port: int) -> None:
    """Answer one connection after the other; several processes may share the port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((address, port))
    listener.listen(4096)
    print("ready", flush=True)
    while True:
        connection, _client = listener.accept()
        with connection:
            try:
                if connection.recv(4096) == REQUEST:
                    connection.sendall(ANSWER)
                    connection.recv(1)
            except ConnectionResetError:
                continue  # as the client ends every connection


class Asker:
    """Asks again and again until the time is over or somebody says stop."""

    def __init__(self) -> None:
        self.stopped = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, _number: int, _frame: Any) -> None:
        self.stopped = True

    def ask(self, address: str, port: int, seconds: float) -> dict[str, Any]:
        """Return how many requests were answered, how many were not, and what the last fault was."""
        self.stopped = False
        answered, failed, fault = 0, 0, ""
        start = time.monotonic()
        while not self.stopped and time.monotonic() - start < seconds:
            try:
                if _request(address, port) == ANSWER:
                    answered += 1
                else:
                    failed, fault = failed + 1, "not the whole answer"
            except OSError as error:
                failed, fault = failed + 1, str(error)
        return {"answered": answered, "failed": failed, "seconds": time.monotonic() - start, "fault": fault}


def _request(address: str, port: int) -> bytes:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _LIMIT)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LIMIT)
        connection.connect((address, port))
        connection.sendall(REQUEST)
        return connection.recv(4096)


def main() -> None:
    """Do what the command line says."""
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    asker = Asker()
    for line in sys.stdin:
        print(json.dumps(asker.ask(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
