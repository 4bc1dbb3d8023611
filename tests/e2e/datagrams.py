# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send datagrams from one port again and again, and say on request how many of the next ones are answered.

    datagrams.py 203.0.113.10 53 40000

A datagram is sent every half second, so that the kernel's entry for the connection never expires. For each line of
standard input, four more are sent, and one line comes: how many of them were answered.
"""

from __future__ import annotations

import argparse
import select
import socket
import sys

COUNT, PAUSE = 4, 0.5


def answered(query: socket.socket) -> bool:
    """Send one datagram; return whether an answer comes within the pause."""
    try:
        query.send(b"hello\n")
        while True:
            if not select.select([query], [], [], PAUSE)[0]:
                return False
            if query.recv(4096):
                return True
    except ConnectionRefusedError:
        # The host itself has the address, and nothing listens.
        select.select([], [], [], PAUSE)
        return False


def main() -> None:
    """Send until standard input ends."""
    parser = argparse.ArgumentParser(description="datagrams from one port")
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("source_port", type=int)
    options = parser.parse_args()
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as query:
        query.bind(("", options.source_port))
        query.connect((options.address, options.port))
        while True:
            answered(query)
            # An answer comes at once; a packet that is always under way would hide the moment of a change.
            if select.select([sys.stdin], [], [], PAUSE)[0]:
                if not sys.stdin.readline():
                    return
                print(sum(answered(query) for _number in range(COUNT)), flush=True)


if __name__ == "__main__":
    main()
