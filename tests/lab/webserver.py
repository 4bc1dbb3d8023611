# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's servers: HTTP on TCP port 80, echo on TCP ports 5000 to 5010 and on UDP port 53.

All say who they are and whom they see, as one JSON object, and log one line of JSON per request:

    {"host": "web1", "local": "192.168.168.1", "port": 80, "client": "192.0.2.101", "client_port": 40000,
     "protocol": "tcp", "request": "GET / HTTP/1.1"}

One thread serves all with a selector, so that many connections cost no thread each. `request` is the first
line received; the log adds `time` (seconds since 1970). UDP is answered from the address that was asked.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import struct
import time
from pathlib import Path
from typing import Any, TextIO

HTTP_PORT, ECHO_PORTS, QUERY_PORT = 80, range(5000, 5011), 53
_LARGEST_REQUEST = 65536


class Server:
    """All listening sockets of a host, and the connections that they accepted."""

    def __init__(self, log: TextIO) -> None:
        self.log = log
        self.host = socket.gethostname()
        self.selector = selectors.DefaultSelector()
        self.pending: dict[socket.socket, bytearray] = {}
        for port in (HTTP_PORT, *ECHO_PORTS):
            listener = _bound(socket.SOCK_STREAM, port)
            listener.listen(4096)
            self.selector.register(listener, selectors.EVENT_READ, self._accept)
        query = _bound(socket.SOCK_DGRAM, QUERY_PORT)
        query.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self.selector.register(query, selectors.EVENT_READ, self._answer_datagram)

    def serve(self) -> None:
        """Serve until killed."""
        while True:
            for key, _events in self.selector.select():
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        for _turn in range(64):  # then let the others have a turn
            try:
                connection, _address = listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            connection.setblocking(False)
            self.pending[connection] = bytearray()
            self.selector.register(connection, selectors.EVENT_READ, self._read)

    def _read(self, connection: socket.socket) -> None:
        request = self.pending[connection]
        try:
            data = connection.recv(65536)
            request += data
            if not data or len(request) > _LARGEST_REQUEST:
                self._close(connection)
            elif connection.getsockname()[1] == HTTP_PORT:
                while (end := request.find(b"\r\n\r\n")) >= 0:
                    body = self._describe_stream(connection, bytes(request[:end]))
                    del request[: end + 4]
                    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                    connection.sendall(head.encode() + body)
            elif b"\n" in data:
                answer = self._describe_stream(connection, bytes(request))
                request.clear()
                connection.sendall(answer)
        except OSError:
            # The client went away, or does not read what it asked for.
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        self.selector.unregister(connection)
        del self.pending[connection]
        connection.close()

    def _answer_datagram(self, query: socket.socket) -> None:
        try:
            data, control, _flags, client = query.recvmsg(4096, 256)
            # struct in6_pktinfo: the address that was asked, and the interface; the answer takes only the address.
            asked = next(c[2] for c in control if c[:2] == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO))[:16]
            local = (socket.inet_ntop(socket.AF_INET6, asked), QUERY_PORT)
            answer = self._describe(local, client, "udp", data)
            source = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, asked + struct.pack("@I", 0))
            query.sendmsg([answer], [source], 0, client)
        except OSError:
            return  # no way back: the client will see that no answer comes

    def _describe_stream(self, connection: socket.socket, request: bytes) -> bytes:
        return self._describe(connection.getsockname(), connection.getpeername(), "tcp", request)

    def _describe(self, local: tuple[Any, ...], client: tuple[Any, ...], protocol: str, request: bytes) -> bytes:
        answer = {
            "host": self.host,
            "local": _plain(local[0]),
            "port": local[1],
            "client": _plain(client[0]),
            "client_port": client[1],
            "protocol": protocol,
            "request": request.partition(b"\n")[0].decode("latin-1").rstrip("\r"),
        }
        self.log.write(json.dumps({"time": round(time.time(), 3), **answer}) + "\n")
        return json.dumps(answer).encode() + b"\n"


def _plain(address: str) -> str:
    """Return an IPv4 address in its own form instead of the one mapped into IPv6."""
    return address.removeprefix("::ffff:")


def _bound(kind: socket.SocketKind, port: int) -> socket.socket:
    server = socket.socket(socket.AF_INET6, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::", port))
    server.setblocking(False)
    return server


def main() -> None:
    """Serve, and say on the descriptor `--ready` when all sockets listen."""
    parser = argparse.ArgumentParser(description="the lab's web server")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--ready", type=int)
    options = parser.parse_args()
    # Line by line: who has got an answer finds it in the log.
    with options.log.open("a", encoding="utf-8", buffering=1) as log:
        server = Server(log)
        if options.ready is not None:
            os.write(options.ready, b"r")
            os.close(options.ready)
        server.serve()


if __name__ == "__main__":
    main()
