# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep connections to servers of the lab (webserver.py), and use them whenever somebody asks.

    connections.py tcp://192.0.2.101:5000 tcp://[2001:db8:c::101]:5000 [--count 10] [--timeout SECONDS]

For each line of standard input every connection is used once, and one line of JSON comes: a list of whom the servers
see, `[address, port]` for each connection, null where no answer came.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from urllib.parse import urlsplit

Seen = tuple[str, int]


def use(connection: socket.socket) -> Seen | None:
    """Send one line; return whom the server sees, None if it does not answer in time."""
    try:
        connection.sendall(b"hello\n")
        answer = json.loads(connection.recv(4096))
    except (OSError, ValueError):
        return None
    return answer["client"], answer["client_port"]


def main() -> None:
    """Connect, and go on until standard input ends."""
    parser = argparse.ArgumentParser(description="keep connections to servers of the lab")
    parser.add_argument("url", nargs="+", help="tcp://HOST:PORT")
    parser.add_argument("--count", type=int, default=10, help="connections to each URL (default 10)")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds to wait for an answer (default 2)")
    options = parser.parse_args()
    places = [(url.hostname, url.port) for url in map(urlsplit, options.url) for _number in range(options.count)]
    connections = [socket.create_connection(place, options.timeout) for place in places]
    for _line in sys.stdin:
        print(json.dumps([use(connection) for connection in connections]), flush=True)


if __name__ == "__main__":
    main()
