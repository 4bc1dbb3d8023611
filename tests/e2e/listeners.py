# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen on ports until killed, and answer as the lab's servers do: who was reached, and by whom.

listeners.py tcp:25 udp:500         says "ready" when all listen
"""

from __future__ import annotations

import json
import selectors
import socket
import sys


def described(sock: socket.socket, client: tuple[str, int], protocol: str) -> bytes:
    """The answer to one request."""
    local = sock.getsockname()
    plain = [address.removeprefix("::ffff:") for address in (local[0], client[0])]
    answer = {"host": socket.gethostname(), "local": plain[0], "port": local[1], "client": plain[1]}
    return json.dumps({**answer, "client_port": client[1], "protocol": protocol}).encode() + b"\n"


def main() -> None:
    """Serve one request after the other."""
    selector = selectors.DefaultSelector()
    for word in sys.argv[1:]:
        protocol, _colon, port = word.partition(":")
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", int(port)))
        if protocol == "tcp":
            sock.listen(64)
        selector.register(sock, selectors.EVENT_READ, protocol)
    print("ready", flush=True)
    while True:
        for key, _events in selector.select():
            ready = key.fileobj
            assert isinstance(ready, socket.socket)
            if key.data == "udp":
                _data, client = ready.recvfrom(4096)
                ready.sendto(described(ready, client, "udp"), client)
                continue
            connection, client = ready.accept()
            with connection:
                connection.settimeout(5)
                if connection.recv(4096):
                    connection.sendall(described(connection, client, "tcp"))


if __name__ == "__main__":
    main()
