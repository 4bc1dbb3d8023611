# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer, or send, packets of a protocol without ports.

    raw_packets.py answer 50 192.168.168.1         answers each packet to that address until killed; says "ready" first
    raw_packets.py ask 50 203.0.113.10             sends until one is answered, and prints what the answer says

An answer is JSON: the address that the server has, and the one that it sees.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import time

# Linux translates no packet of GRE that is shorter than eight bytes.
ASK, LIMIT = b"\0\0\0\1question", 5.0
# RFC 791: the length of the header, in words of four bytes, is in the low half of its first byte.
WORD = 4


def body(packet: bytes, family: socket.AddressFamily) -> bytes:
    """What a raw socket gives, without the header of IPv4; that of IPv6 is not given."""
    return packet[(packet[0] & 15) * WORD :] if family == socket.AF_INET else packet


def answer(raw: socket.socket, own: str, family: socket.AddressFamily) -> None:
    """Answer each question."""
    raw.bind((own, 0))
    print("ready", flush=True)
    while True:
        packet, sender = raw.recvfrom(4096)
        if body(packet, family) == ASK:
            text = json.dumps({"local": own, "client": sender[0]})
            raw.sendto(ASK[:4] + text.encode(), (sender[0], 0))


def ask(raw: socket.socket, address: str, family: socket.AddressFamily) -> None:
    """Ask until an answer comes."""
    raw.connect((address, 0))
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        # A host that does not know the protocol says so.
        with contextlib.suppress(OSError):
            raw.send(ASK)
            if select.select([raw], [], [], 0.5)[0]:
                found = body(raw.recv(4096), family)
                if found[4:5] == b"{":
                    print(found[4:].decode(), flush=True)
                    return
                continue
        time.sleep(0.2)
    print("null", flush=True)


def main() -> None:
    """Do what the first word says."""
    what, protocol, address = sys.argv[1:4]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW, int(protocol)) as raw:
        (answer if what == "answer" else ask)(raw, address, family)


if __name__ == "__main__":
    main()
