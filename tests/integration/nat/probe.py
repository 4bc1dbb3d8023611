# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that answers with its name and its client's address, and a client that asks it. Run on the hosts of lab.py.

python probe.py serve NAME PORT...             TCP and UDP, IPv4 and IPv6, until killed; prints "ready"
python probe.py ask PROTOCOL ADDRESS PORT [SOURCE [SOURCE_PORT]]
                                                   prints the answer as JSON, or null after a second of silence
python probe.py hold ADDRESS PORT              a TCP connection: for each line of input one question and answer
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import sys

# Linux: struct in_pktinfo is interface, source for replies, address asked; struct in6_pktinfo address, interface.
IP_PKTINFO = 8
PACKET_INFO = {
    socket.AF_INET: (socket.IPPROTO_IP, IP_PKTINFO),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO),
}


def serve(name: str, ports: list[int]) -> None:
    """Answer every question with the service's name, the address asked, and the address that asks."""
    selector = selectors.DefaultSelector()
    for port in ports:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                listener = socket.socket(family, kind)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                if kind == socket.SOCK_DGRAM:
                    listener.setsockopt(*PACKET_INFO[family], 1)
                listener.bind((anywhere, port))
                if kind == socket.SOCK_STREAM:
                    listener.listen()
                selector.register(listener, selectors.EVENT_READ, kind)
    print("ready", flush=True)
    while True:
        for key, _events in selector.select():
            ready = key.fileobj
            assert isinstance(ready, socket.socket)
            if key.data == socket.SOCK_DGRAM:
                # The answer has to leave from the address that was asked.
                _question, asked, _flags, peer = ready.recvmsg(100, 100)
                own = socket.inet_ntop(ready.family, asked[0][2][:16] if len(asked[0][2]) > 12 else asked[0][2][8:])
                with contextlib.suppress(OSError):  # there may be no way back
                    ready.sendmsg([_answer(name, peer, (own, ready.getsockname()[1]))], asked, 0, peer)
            elif key.data == socket.SOCK_STREAM:
                connection, _peer = ready.accept()
                selector.register(connection, selectors.EVENT_READ, "connection")
            else:
                _converse(selector, ready, name)


def _converse(selector: selectors.BaseSelector, connection: socket.socket, name: str) -> None:
    try:
        asked = connection.recv(100)
        if asked:
            connection.sendall(_answer(name, connection.getpeername(), connection.getsockname()))
            return
    except OSError:
        pass  # the client is gone
    selector.unregister(connection)
    connection.close()


def _answer(name: str, peer: tuple[str, int], own: tuple[str, int]) -> bytes:
    return json.dumps({"host": name, "peer": peer[:2], "own": own[:2]}).encode() + b"\n"


def ask(protocol: str, address: str, port: int, source: str | None, source_port: int) -> object:
    """Return the answer, or None where none comes within a second."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as client:
        client.settimeout(1)
        if source:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((source, source_port))
        try:
            client.connect((address, port))
            client.sendall(b"?")
            return json.loads(client.recv(1000))
        except (OSError, ValueError):
            return None


def hold(address: str, port: int) -> None:
    """Ask again over one connection for each line of input."""
    with socket.create_connection((address, port), timeout=5) as client:
        print("connected", flush=True)
        for _line in sys.stdin:
            client.sendall(b"?")
            print(client.recv(1000).decode().strip(), flush=True)


def main(arguments: list[str]) -> None:
    """Do what the first argument says."""
    if arguments[0] == "serve":
        serve(arguments[1], [int(port) for port in arguments[2:]])
    elif arguments[0] == "hold":
        hold(arguments[1], int(arguments[2]))
    else:
        protocol, address, port, source, source_port = (*arguments[1:], "", "0")[:5]
        print(json.dumps(ask(protocol, address, int(port), source or None, int(source_port or 0))))


if __name__ == "__main__":
    main(sys.argv[1:])
