# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process on a host that answers whoever asks."""

from __future__ import annotations

import subprocess
import sys

from ansible_collections.multihome.linux.tests.integration.namespaces import Host

# Answers TCP by one line and UDP by an echo, on port 7 of both families, each answer telling the peer it saw.
ANSWERING = """
import selectors, socket
poll = selectors.DefaultSelector()
for family in (socket.AF_INET, socket.AF_INET6):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(("", 7))
        if kind == socket.SOCK_STREAM:
            listening.listen(4096)
        poll.register(listening, selectors.EVENT_READ)
print("ready", flush=True)
def serve(key):
    if key.data == "connection":
        said = key.fileobj.recv(65535)
        key.fileobj.send(said)
        if not said:
            raise OSError("closed by the peer")
    elif key.fileobj.type == socket.SOCK_STREAM:
        connection, peer = key.fileobj.accept()
        poll.register(connection, selectors.EVENT_READ, "connection")
        connection.send(peer[0].encode() + b"\\n")
    else:
        said, peer = key.fileobj.recvfrom(65535)
        key.fileobj.sendto(peer[0].encode() + b" " + said, peer)

while True:
    for key, _events in poll.select():
        try:
            serve(key)
        except OSError:
            # A peer that is gone, or an answer that finds no route: the next one may fare better.
            if key.data == "connection":
                poll.unregister(key.fileobj)
                key.fileobj.close()
"""


def answer(host: Host) -> subprocess.Popen[str]:
    """Start the answering process and wait until it answers."""
    process = host.start(sys.executable, "-c", ANSWERING, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process
